"""Runs of CMS in 2022: from test scores of 64 trigger plots to a run that is flagged, and what run size alone does."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import Array, Case, Check, Comparison, Floats, Part
from lynkeus.sources import InMemory
from lynkeus.studies.cms_run_flags.look import RunLook, Way
from lynkeus.studies.cms_run_flags.methods import (
    BestCombination,
    BoostedTrees,
    ColumnScorer,
    Combine,
    Joined,
    Logistic,
    Size,
    flagged,
)
from lynkeus.studies.cms_run_flags.table import BAD, PCA, UNKNOWN, RunTable, read_runs, simulated_runs

EARLY = 0.6  # share of the runs, in time, that is learned from
PULL, CHI2 = "beta-binomial pull, 8 references", "beta-binomial chi2, 1 reference"
LEARNED = ("beta-binomial pull, 8 references", "beta-binomial chi2, 8 references", "beta-binomial pull, 1 reference",
           "beta-binomial chi2, 1 reference")  # fmt: skip
SCORERS: Mapping[str, Mapping[str, Any]] = {"isolation_forest": {}, "one_class_svm": {}, "nearest_neighbours": {}}
SMOKE_SCORERS = {**SCORERS, "isolation_forest": {"trees": 30}}
SEEDS = 3


def cms_run_flags(smoke: bool = False) -> Comparison:
    """Which way from many plots to one run finds bad runs, and how much of it is the size of the run?"""
    folder = Path(os.environ.get("LYNKEUS_DATA", "")) / "cms_dqm_runs"
    real = not smoke and bool(os.environ.get("LYNKEUS_DATA")) and folder.is_dir()
    table = read_runs(folder) if real else simulated_runs()
    labelled = np.flatnonzero(table.label != UNKNOWN)
    early = labelled[: int(EARLY * len(labelled))]
    late = labelled[len(early) :]
    names = table.batch(early).schema.names
    scorers = SMOKE_SCORERS if smoke else SCORERS
    part = Part(
        {"2022": Case(InMemory(table.batch(early)), InMemory(table.batch(late)))},
        scorers,
        ("good", "bad"),
        {"few entries": lambda good, test: few_entries(test, names), "flags of PCA chi2prime": Flags(names)},
        look=RunLook(table, _ways(table, scorers, trees=real), SEEDS if real else 1),
        data=_words(table, real, int((table.label[late] == BAD).sum())),
    )
    return Comparison("cms_run_flags", QUESTION, {"runs": part}, _checks("cms" if real else "simulated"))


QUESTION = (
    "Each of 64 plots of the Level-1 trigger has test scores for every run. Which runs are bad? How are many plots "
    "made into one verdict, what do labels of other runs add, and how much of it does the number of entries say by "
    "itself? **Much of it: bad runs are short, and few entries alone reach what is asked here (bad runs flagged eight "
    "times as often as good ones, AUROC 0.80).** What plots know beyond that is the column *among runs of like "
    "size*, where each bad run is compared with the 15 good ones nearest in size. The PCA behind *PCA chi2prime* was "
    "fitted, by those who made the table, on the very runs that are called good here; no cross-validation can undo "
    "that, so all numbers with it are optimistic, and those without it stand beside them. Thresholds, strengths and "
    "choices are made inside the runs that are learned from. Which ways are listed was decided after many had been "
    "seen on these same runs, which is optimistic too; and 43 bad runs are few."
)


def _ways(table: RunTable, scorers: Mapping[str, Mapping[str, Any]], trees: bool) -> dict[str, Way]:
    without = tuple(test for test in LEARNED if test in table.scores)
    return {
        "few entries (trivial)": Way(Size(), "none"),
        "flags, PCA (cheap)": Way(Combine(PCA, "flags"), "none", pca=True),
        "flags, pull of 8 (cheap)": Way(Combine(PULL, "flags"), "none"),
        "flags, chi2 of 1 (cheap)": Way(Combine(CHI2, "flags"), "none"),
        "mean, PCA": Way(Combine(PCA, "mean"), "none", pca=True),
        "Fisher, PCA": Way(Combine(PCA, "Fisher"), "none", pca=True),
        "higher criticism, PCA": Way(Combine(PCA, "higher criticism"), "none", pca=True),
        "mean, PCA without size": Way(Combine(PCA, "mean", size_taken_out=True), "none", pca=True),
        "joined with entries, PCA": Way(Joined((PCA,)), "none", pca=True),
        "joined with entries, pull of 8": Way(Joined((PULL,)), "none"),
        **{name: Way(ColumnScorer(name, options), "none", pca=True) for name, options in scorers.items()},
        "best combination": Way(BestCombination(without), "to choose"),
        "best combination, with PCA": Way(BestCombination((PCA, *without)), "to choose", pca=True),
        "logistic": Way(Logistic(without), "to learn"),
        "logistic, with PCA": Way(Logistic((PCA, *without)), "to learn", pca=True),
        **({"boosted trees, with PCA": Way(BoostedTrees((PCA, PULL)), "to learn", pca=True)} if trees else {}),
    }


def _words(table: RunTable, real: bool, late: int) -> str:
    counts = ", ".join(
        f"{(table.label == label).sum()} {name}" for label, name in ((0, "good"), (1, "bad"), (-1, "unknown"))
    )
    what = (
        f"{len(table.run)} runs of 2022 from AutoDQM_ML: {counts}; {len(table.plots)} plots, 62 of them in each test, "
        "and of each plot its entries. -99 is missing: in the first runs, which have no earlier runs to be compared "
        "with"
        if real
        else f"a **simulated table, not the runs of CMS**: {counts}; {len(table.plots)} plots"
    )
    return (
        f"{what}. In this first table a scorer has learned from the good ones among the first 60 % of the labelled "
        f"runs, in the order in which they were taken, and judges those after ({late} of them bad); in all others "
        "every labelled run is judged by what the others teach. A plot or a run is flagged where its p-value among the "
        "good runs learned from is at most 2 %, which keeps what it promises; the plain 98 % quantile of some 170 runs "
        "flags 2.5 % of good ones. A way without a score of each plot counts runs instead of plots"
    )


def few_entries(test: Floats, names: tuple[str, ...]) -> Floats:
    """Return (n,) how few entries, all plots together."""
    own = [number for number, name in enumerate(names) if name.endswith(" entries")]
    return np.asarray(-np.nansum(np.exp(test[:, own]), axis=1))


class Flags:
    """How many plots are rarer than 2 % of good runs, by the chi2prime of the PCA."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.own = [number for number, name in enumerate(names) if name.endswith(f" {PCA}")]

    def __call__(self, good: Floats, test: Floats) -> Array:
        """Return (n,) counts."""
        joined = np.concatenate([good, test])[:, self.own]
        return flagged(joined, np.arange(len(good))).sum(axis=1)[len(good) :]


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
