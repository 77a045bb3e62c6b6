"""The equation-of-state-meter beside conventional observables, on collisions of other settings than it learned from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import Batch, Case, Check, Comparison, Findings, Outcome, Part, concatenate
from lynkeus.evaluate.named_rightly import named_rightly, rightly
from lynkeus.simulate.hydro.source import CLASSES, HydroSource
from lynkeus.sources import InMemory

SIZES = {"full": (3000, 200), "smoke": (160, 40)}  # collisions to learn from, and to test by each setting
GRID: Mapping[str, Any] = {"size": 60, "dx": 0.5}
SHIFTED: Mapping[str, Mapping[str, Any]] = {
    "held out": {},
    "trento": {"initial": "trento"},
    "glauber, tau0 0.4": {"initial": "glauber", "tau0": 0.4},
    "lead, trento, 150 MeV": {"initial": "trento", "nucleus": "lead", "freeze_out": 0.15, "tau0": 0.8, "peak": 45},
    "smooth, 150 MeV": {"initial": "optical", "freeze_out": 0.15},
    "125 MeV": {"freeze_out": 0.125, "peak": 22},
    "central, tau0 1": {"b": "0-4", "tau0": 1.0},
}
QUESTION = (
    "Which transition did a collision go through, a crossover or one of first order? **Does a network that has learned "
    "it from one family of simulations know it in others** (initial states, starting times, temperatures of "
    "freeze-out, nuclei), and does it know more than mean p_T, slope and flow? After Pang et al. 2018 "
    "(arXiv:1612.04262), with ideal hydrodynamics in 2 + 1 dimensions, without viscosity, cascade and decays: numbers "
    "cannot stand beside the published ones."
)


def eos_meter(smoke: bool = False) -> Comparison:
    """Which transition did a heavy-ion collision go through, and is the answer the same where the settings differ?"""
    which = "smoke" if smoke else "full"
    train, test = SIZES[which]
    given = dict(GRID) if not smoke else {"size": 40, "dx": 0.75}
    scorers: Mapping[str, Mapping[str, Any]] = {
        "eos_meter": {"training": {"epochs": 4}} if smoke else {},
        "eos_meter pca": {"method": "pca"},
        "eos_meter observables": {"method": "observables"},
    }
    shifted = dict(list(SHIFTED.items())[:2]) if smoke else SHIFTED
    tests = [
        _named(HydroSource(n=test, seed=900 + k, **given, **own), name) for k, (name, own) in enumerate(shifted.items())
    ]
    data = (
        f"{train:,} collisions to learn from, each with its own starting time (0.4 to 1 fm), temperature of freeze-out "
        f"(125 to 150 MeV) and energy density, and {test} by each of the settings in the table; "
        "`sim://hydro?size=60&dx=0.5`"
    )
    learned = InMemory(concatenate(list(HydroSource(n=train, seed=11, **given))), 500)
    part = Part({"all": Case(learned, InMemory(concatenate(tests), 500))}, scorers, CLASSES, look=look, data=data)
    bounds = json.loads(resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8"))[which]
    checks = tuple(Check(metric, own.get("at_least"), own.get("at_most")) for metric, own in bounds.items())
    return Comparison("eos_meter", QUESTION, {"collisions": part}, checks)


def _named(source: HydroSource, name: str) -> Batch:
    batch = concatenate(list(source))
    return replace(batch, meta={**batch.meta, "setting": np.full(len(batch), name)})


def look(case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
    """How many collisions are named rightly by each setting, and on how many together one decides."""
    settings = outcomes[0].test.meta["setting"]
    metrics, lines = named_rightly(outcomes, settings)
    others = settings != "held out"
    for outcome in outcomes:
        metrics[f"{outcome.name}.shifted.accuracy"] = float(rightly(outcome)[others].mean())
    decided = [["method", *(f"{many} collisions" for many in (1, 2, 4, 8))]]
    for outcome in outcomes:
        decided.append([outcome.name, *(f"{_together(outcome, many):.3f}" for many in (1, 2, 4, 8))])
    return Findings(
        {}, metrics, {"Named rightly (90 % intervals)": lines, "Named rightly by the mean of several": decided}
    )


def _together(outcome: Outcome, many: int) -> float:
    """Return how often the mean log odds of so many collisions of one class are on the right side."""
    assert outcome.test.truth is not None
    probability = np.clip(outcome.scores[:, 0], 1e-6, 1 - 1e-6)
    odds, rng = np.log(probability / (1 - probability)), np.random.default_rng(0)
    right = []
    for kind in (0, 1):
        own = odds[outcome.test.truth == kind]
        drawn = own[rng.integers(len(own), size=(2000, many))].mean(axis=1)
        right.append(np.mean((drawn > 0) == bool(kind)))
    return float(np.mean(right))
