"""How much more do all particles say of the flavour of a jet than a few tracks and a vertex?"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from lynkeus.core import Against, Check, Tagging, plugins
from lynkeus.core.protocols import Source
from lynkeus.studies.flavour_tagging.baselines import second_track_significance, track_significance, vertex_mass

CLASSES = "b,c,light"
SHARES = "b:1,c:1,light:10"  # of the test jets: few light ones pass where b jets are taken for sure
PT = "30-200"
JETS, SMOKE_JETS = 10_000, 2_400
TEST, SMOKE_TEST = 120_000, 3_000
EFFICIENCIES = (0.3, 0.5, 0.7, 0.8)
WORKING_POINTS = (0.1, 0.01, 0.001)  # loose, medium, tight: of light jets so many pass


def flavour_tagging(smoke: bool = False) -> Tagging:
    """How far is DeepJet, which reads all particles, above DeepCSV, which reads six tracks and a vertex?"""
    train, test = (SMOKE_JETS, SMOKE_TEST) if smoke else (JETS, TEST)
    # Classes are equally many and have the same spectrum: nothing has to be reweighted.
    training = {"epochs": 8 if smoke else 12, "learning_rate": 2e-3, "schedule": "cycle", "average": 0.0}
    options: dict[str, Any] = {"reweight": "none", "training": training}
    return Tagging(
        name="flavour_tagging",
        question="DeepCSV reads numbers of a jet, its six most displaced tracks and a secondary vertex; DeepJet reads "
        "every particle. How far is it above, for b jets against light and against c jets, and what do both add to a "
        "cut on the most displaced track or on the mass of the vertex? Working points are those of b taggers: loose, "
        "medium and tight let 10, 1 and 0.1 % of light jets pass. Nothing is asserted of light jets where 30 % of b "
        "jets are kept: about one in 30,000 passes either tagger there, three of all that are tested.",
        train=flavoured_jets(train, 1, CLASSES),
        test=flavoured_jets(test, 2, SHARES),
        scorers={"deepjet": options, "deepcsv": options},
        against={
            "b against light": Against("b", ("light",), EFFICIENCIES, WORKING_POINTS),
            "b against c": Against("b", ("c",), EFFICIENCIES),
        },
        baselines={
            "largest significance": track_significance,
            "second largest significance": second_track_significance,
            "vertex mass": vertex_mass,
        },
        pairs=(("deepjet", "deepcsv"),),
        seeds=(1,) if smoke else (1, 2, 3),
        checks=_checks("smoke" if smoke else "full"),
        data=f"simulated AK4 jets (fast shower, parametric detector), {train:,} to learn from, classes "
        f"{CLASSES} alike, {test:,} to test, {SHARES}, flat in pT, {PT} GeV",
    )


def flavoured_jets(n: int, seed: int, classes: str) -> Source:
    """Return n simulated jets of the classes with flat pT."""
    found: Source = plugins.load("simulators", "jets")(classes=classes, pt=PT, n=n, seed=seed)
    return found


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
