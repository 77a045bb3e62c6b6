"""Do scale factors of a b tagger come out as they are, where data differ from simulation in what one does not know?"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from lynkeus.core import Against, Check, Tagging, plugins
from lynkeus.core.protocols import Source
from lynkeus.studies.scale_factors.look import FactorLook, Sample

PT, CLASSES = "30-200", "b,c,light"
SIMULATED, OBSERVED = "b:2,c:1,light:2", "b:2,c:1,light:3"  # rich in b jets, as jets with a muon or of top quarks are
JETS, TEST = 12_000, 24_000
SMOKE_JETS, SMOKE_TEST = 3_000, 6_000
# What an analysis would vary: each by about what is not known of it, and not what happens to be different in the data.
VARIATIONS: dict[str, dict[str, Any]] = {
    "tune": {"tune": "a14"},
    "tracking": {"tracking": 0.95},
    "resolution": {"d0_scale": 1.15},
}


def scale_factors(smoke: bool = False) -> Tagging:
    """Are factors measured by template fits the true ones, and is the truth in their intervals?"""
    train, test = (SMOKE_JETS, SMOKE_TEST) if smoke else (JETS, TEST)
    options: dict[str, Any] = {"reweight": "none"} | ({"training": {"epochs": 4}} if smoke else {})
    samples = (Sample("the same", jets(test, 3, OBSERVED)), Sample("data", jets(test, 4, OBSERVED, data=1)))
    others = {name: jets(test, 2, SIMULATED, **what) for name, what in VARIATIONS.items()}  # the same seed
    look = FactorLook(samples[1:] if smoke else samples, {"tracking": others["tracking"]} if smoke else others, smoke)
    return Tagging(
        name="scale_factors",
        question=QUESTION,
        train=jets(train, 1, CLASSES),
        test=jets(test, 2, SIMULATED),
        scorers={"deepcsv": options},
        against={"b against light": Against("b", ("light",)), "b against c": Against("b", ("c",))},
        seeds=(1,),
        checks=_checks("smoke" if smoke else "full"),
        look=look,
        data=f"simulated AK4 jets (fast shower, parametric detector) of {PT} GeV: {train:,} to learn from, {test:,} of "
        f"the simulation ({SIMULATED}), {test:,} of each sample that stands for data ({OBSERVED}), {test:,} of each "
        "other simulation. *data* differ from simulation in tune, tracks (5 % fewer) and resolution (20 % worse)",
    )


QUESTION = (
    "A b tagger (DeepCSV) is trained on simulation. How much less efficient it is in data is measured without labels, "
    "by fits of templates to jets that pass and that fail. Is the factor the true one, which simulated data know? Two "
    "variables: the mass of the secondary vertex, which this tagger reads too, and the probability of tracks to "
    "come from the collision. *The same* is more of the same simulation, so that only the method is tested; *data* "
    "differ in the shapes of the templates as well, and other simulations have to cover it."
)


def jets(n: int, seed: int, classes: str, **what: Any) -> Source:
    """Return n simulated jets."""
    found: Source = plugins.load("simulators", "jets")(classes=classes, pt=PT, n=n, seed=seed, **what)
    return found


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
