"""The equation-of-state-meter beside conventional observables, on collisions of other settings than it learned from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import Batch, Case, Check, Comparison, Findings, Outcome, Part, concatenate, plugins
from lynkeus.evaluate.named_rightly import named_rightly, rightly
from lynkeus.scans.latent import latent_maps, purities, purity_table
from lynkeus.simulate.hydro.source import CLASSES, HydroSource
from lynkeus.sources import InMemory
from lynkeus.studies.eos_meter.importance import MAPS, alike, importance, importance_figure

# Collisions to learn from, to test with the same settings, and with each of the others.
SIZES = {"full": (1200, 200, 80), "smoke": (160, 40, 40)}
GRID: Mapping[str, Any] = {"size": 50, "dx": 0.6}
NETWORK = {"method": "published", "training": {"epochs": 6, "learning_rate": 3e-3}}
SHIFTED: Mapping[str, Mapping[str, Any]] = {
    "held out": {},
    "trento": {"initial": "trento"},
    "glauber, tau0 0.4": {"initial": "glauber", "tau0": 0.4},
    "lead, trento, 150 MeV": {"initial": "trento", "nucleus": "lead", "freeze_out": 0.15, "tau0": 0.8, "peak": 45},
    "smooth, 150 MeV": {"initial": "optical", "freeze_out": 0.15},
    "125 MeV": {"freeze_out": 0.125, "peak": 22},
    "central, tau0 1": {"b": "0-4", "tau0": 1.0},
}
LAID_OUT = ("pca", "tsne")  # UMAP: lynkeus latent
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
    train, held_out, test = SIZES[which]
    given = dict(GRID) if not smoke else {"size": 40, "dx": 0.75}
    scorers: Mapping[str, Mapping[str, Any]] = {
        "eos_meter": {},
        "eos_meter published": {"method": "published", "training": {"epochs": 2}} if smoke else NETWORK,
        "eos_meter pca": {"method": "pca"},
        "eos_meter observables": {"method": "observables"},
    }
    shifted = dict(list(SHIFTED.items())[:2]) if smoke else SHIFTED
    tests = [
        _named(HydroSource(n=test if k else held_out, seed=900 + k, **given, **own), name)
        for k, (name, own) in enumerate(shifted.items())
    ]
    data = (
        f"{train:,} collisions to learn from, each with its own starting time (0.4 to 1 fm), temperature of freeze-out "
        f"(125 to 150 MeV) and energy density, {held_out} others of the same settings (*held out*), and {test} by each "
        "of the other settings in the table; `sim://hydro?size=50&dx=0.6`. The published network learned for 6 epochs"
    )
    learned = InMemory(concatenate(list(HydroSource(n=train, seed=11, **given))), 500)
    case = Case(learned, InMemory(concatenate(tests), 500))
    part = Part({"all": case}, scorers, CLASSES, look=partial(look, learned), data=data)
    bounds = json.loads(resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8"))[which]
    checks = tuple(Check(metric, own.get("at_least"), own.get("at_most")) for metric, own in bounds.items())
    return Comparison("eos_meter", QUESTION, {"collisions": part}, checks)


def _named(source: HydroSource, name: str) -> Batch:
    batch = concatenate(list(source))
    return replace(batch, meta={**batch.meta, "setting": np.full(len(batch), name)})


def look(learned: InMemory, case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
    """How many collisions are named rightly by each setting, on how many together one decides, and whether the maps of
    where it looks are the same after another training."""
    settings = outcomes[0].test.meta["setting"]
    metrics, lines = named_rightly(outcomes, settings)
    others = settings != "held out"
    for outcome in outcomes:
        metrics[f"{outcome.name}.shifted.accuracy"] = float(rightly(outcome)[others].mean())
    decided = [["method", *(f"{many} collisions" for many in (1, 2, 4, 8))]]
    for outcome in outcomes:
        decided.append([outcome.name, *(f"{_together(outcome, many):.3f}" for many in (1, 2, 4, 8))])
    more, laid_out = _latent(concatenate(list(learned)), outcomes[0].test)
    lines_of_maps = [["method", "what differs", "trainings", "least correlation of two", "mean"]]
    for name, (options, anew) in _trainings().items():
        maps = importance(concatenate(list(learned)), outcomes[0].test, options, anew)
        least, mean = alike(maps)
        metrics[f"importance.{name}.correlation"] = least
        differs = "collisions drawn anew" if anew else "seed of the network"
        lines_of_maps.append([name, differs, f"{MAPS}", f"{least:.2f}", f"{mean:.2f}"])
        importance_figure(np.mean(maps, axis=0), folder / f"importance_{name}.svg")
    caption = "Where {} looks: mean size of the prediction differences, spectra turned to their event plane."
    return Findings(
        {f"importance_{name}.svg": caption.format(name) for name in _trainings()},
        metrics | more,
        {
            "Named rightly (90 % intervals)": lines,
            "Named rightly by the mean of several": decided,
            "Are maps of importance the same after another training?": lines_of_maps,
            "Do spectra of one kind lie together?": laid_out,
        },
    )


def _latent(learned: Batch, test: Batch) -> tuple[dict[str, float], list[list[str]]]:
    """Return how pure neighbours are in what `eos_meter` looks at, by transition and setting: as `lynkeus latent`."""
    scorer: Any = plugins.make_scorer("eos_meter", {}).fit(InMemory(learned))
    features = scorer.features(test)
    classes = {"transition": np.array(CLASSES)[test.truth], "setting": test.meta["setting"]}
    return purity_table(purities(features, latent_maps(features, LAID_OUT), classes))


def _trainings() -> Mapping[str, tuple[Mapping[str, Any], bool]]:
    """Return settings of trainings that are repeated, and whether on collisions drawn anew: of harmonics, whose fit has
    no random numbers, these are all that differs."""
    return {"harmonics": ({}, True), "published": (NETWORK, False)}


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
