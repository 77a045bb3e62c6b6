"""Does a graph network with a tenth of the parameters tell taus as well as images of cells do, and faster?"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from lynkeus.core import Against, Check, Tagging
from lynkeus.studies.tau_id.baselines import isolation, leading_track
from lynkeus.studies.tau_id.look import decay_modes
from lynkeus.studies.tau_id.samples import PT, SHARES, tau_jets

JETS, SMOKE_JETS = 10_000, 3_000
TEST, SMOKE_TEST = 20_000, 3_000


def tau_id(smoke: bool = False) -> Tagging:
    """Do a few thousand parameters in a graph tell hadronic taus as well as a convolutional network does?"""
    train, test = (SMOKE_JETS, SMOKE_TEST) if smoke else (JETS, TEST)
    # All classes have the same spectrum in pT here: nothing has to be reweighted, and no jet counts for less.
    alike = {"reweight": "none"}
    scorers: dict[str, dict[str, Any]] = {
        "tau_graph": dict(alike), "deep_tau": dict(alike), "jet_observables": {**alike, "radius": 0.4},
    }  # fmt: skip
    if smoke:
        scorers["tau_graph"]["training"] = {"epochs": 4}
        scorers["deep_tau"]["training"] = {"epochs": 2}
    return Tagging(
        name="tau_id",
        question="Networks of images of cells identify hadronic taus with a hundred thousand parameters and more. A "
        "graph of the particles with pair features has a few thousand: is it as good, against jets, electrons and "
        "muons, does it name the decay mode, and how much faster is it?",
        train=tau_jets(train, 1),
        test=tau_jets(test, 2),
        scorers=scorers,
        against={
            "jets": Against("tau", ("jet",), (0.5, 0.7, 0.9)),
            "electrons": Against("tau", ("electron",), (0.7, 0.9, 0.95)),
            "muons": Against("tau", ("muon",), (0.7, 0.9, 0.95)),
        },
        baselines={"isolation": isolation, "leading track": leading_track},
        pairs=(("tau_graph", "deep_tau"), ("tau_graph", "jet_observables")),
        seeds=(1,) if smoke else (1, 2, 3),
        checks=_checks("smoke" if smoke else "full"),
        look=decay_modes,
        data=f"simulated jets (fast shower, parametric detector), {train:,} to learn from, {test:,} to test, "
        f"{SHARES}, flat in pT, {PT} GeV",
    )


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
