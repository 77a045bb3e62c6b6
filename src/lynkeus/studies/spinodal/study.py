"""Spinodal clumping in space and in momentum: networks, PCA and observables event by event, cumulants over events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from lynkeus.core import Case, Check, Comparison, Findings, Outcome, Part, concatenate
from lynkeus.evaluate.named_rightly import named_rightly
from lynkeus.simulate.spinodal.source import CLASSES, SpinodalSource
from lynkeus.sources import InMemory
from lynkeus.studies.spinodal.many_events import across_events

SIZES = {"full": (2000, 4000), "smoke": (300, 1200)}  # events in space and in momentum, to learn from and to test each
MEASURED = "momentum, neutrons as well"  # what no experiment sees, for comparison
FEW = 250  # baryons: protons alone
SOME = ("map_classifier pairs", "map_classifier observables")  # that is done by these
QUESTION = (
    "Nuclear matter that expands through a first-order transition breaks up into clumps, where the transition is "
    "spinodal. **In which space does one see it, event by event, and what do cumulants over many events add?** "
    "Networks, PCA with logistic regression, and observables of clumping (moments, clumps, Minkowski functionals) "
    "learn from the same maps of 20 x 20 places, in space the density, in momentum some 160 protons. PCA is done "
    "twice: of the places of the maps (*pca*), where it can see nothing, since clumps are anywhere and the mean of "
    "each place is the same in both classes; and of how often two baryons are so far apart (*pairs*), wherever they "
    "are, which is what the publication's figure of the components is of. After Steinheimer et al. 2019 "
    "(arXiv:1906.06562), with a simulator of our own that is far simpler: numbers compare methods and spaces, and "
    "predict no experiment."
)


def spinodal(smoke: bool = False) -> Comparison:
    """Can one tell matter that broke up from matter that did not, in space and in momentum?"""
    which = "smoke" if smoke else "full"
    scorers: Mapping[str, Mapping[str, Any]] = {
        "map_classifier": {"training": {"epochs": 4 if smoke else 20}},
        "map_classifier dense": {"method": "dense", "training": {"epochs": 4 if smoke else 20}},
        "map_classifier pca": {"method": "pca"},
        "map_classifier pairs": {"method": "pairs"},
        "map_classifier observables": {"method": "observables"},
    }
    parts = {}
    for name, (space, baryons, size) in {
        "coordinate": ("coordinate", 160, SIZES[which][0]), "momentum": ("momentum", 160, SIZES[which][1]),
        MEASURED: ("momentum", 400, SIZES[which][1]),
    }.items():  # fmt: skip
        case = Case(_events(space, size, 1, baryons), _events(space, size, 2, baryons))
        data = f"{size:,} events to learn from (seed 1) and {size:,} others (seed 2) of `sim://spinodal?space={space}"
        own = {key: options for key, options in scorers.items() if name != MEASURED or key in SOME}
        more = f"&baryons={baryons}`" if space == "momentum" else "`"
        parts[name] = Part({"all": case}, own, CLASSES, look=look, data=data + more)
    bounds = json.loads(resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8"))[which]
    checks = tuple(Check(metric, own.get("at_least"), own.get("at_most")) for metric, own in bounds.items())
    return Comparison("spinodal", QUESTION, parts, checks)


def _events(space: str, size: int, seed: int, baryons: int) -> InMemory:
    return InMemory(concatenate(list(SpinodalSource(n=size, seed=seed, space=space, baryons=baryons))), 500)


def look(case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
    """How many events are named rightly; of momenta also what cumulants over all events say."""
    metrics, lines = named_rightly(outcomes)
    found = Findings({}, metrics, {"Named rightly, event by event (90 % intervals)": lines})
    test = outcomes[0].test
    if test.schema.names != ("baryons",):
        return found
    few = test.meta["baryons"].mean() < FEW
    more = across_events(test, folder / ("pairs.svg" if few else "pairs_of_all.svg"))
    return Findings(more.figures, metrics | dict(more.metrics), {**found.tables, **more.tables})
