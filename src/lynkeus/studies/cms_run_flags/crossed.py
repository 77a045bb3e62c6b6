"""Every run judged by what was learned from others, in several partitions; and what comes out, with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from lynkeus.core import Array, Floats
from lynkeus.metrics.rates import COVERAGE, auroc, bootstrap_auroc, placements
from lynkeus.studies.cms_run_flags.methods import FOLDS, Method, beyond_quantile, flagged
from lynkeus.studies.cms_run_flags.table import BAD, GOOD, UNKNOWN, RunTable

IN_A_ROW = 10  # runs that are held out together in a partition by time
ALIKE = 15  # good runs nearest in size that a bad run is compared with
COPIES = 1000


@dataclass(frozen=True)
class Held:
    """What a method said of the labelled runs, (partitions, runs) each: score of the run, whether it was flagged, and
    its plots that were, (p: by p-values; q: by the quantile); without plots the run itself counts."""

    bad: Array
    log_size: Floats
    run: Floats
    flagged: Floats
    plots_p: Floats
    plots_q: Floats

    def numbers(self) -> dict[str, float]:
        """AUROC of the run, flags per good and bad run and their ratio, with intervals: runs drawn again."""
        found = {"auroc": float(np.mean([auroc(self.bad, run) for run in self.run]))}
        copies = np.mean([bootstrap_auroc(self.bad, run, copies=COPIES) for run in self.run], axis=0)
        found["auroc.low"], found["auroc.high"] = np.nanquantile(copies, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
        found["like_size"] = float(np.mean([_among_alike(self.bad, run, self.log_size) for run in self.run]))
        for name, counts in (("", self.plots_p), ("quantile.", self.plots_q), ("run.", self.flagged)):
            mean = counts.mean(axis=0)
            good, bad = mean[~self.bad], mean[self.bad]
            found |= {f"{name}good": good.mean(), f"{name}bad": bad.mean(), f"{name}ratio": _ratio(good, bad)}
            found[f"{name}ratio.low"], found[f"{name}ratio.high"] = _ratio_interval(good, bad)
        return {name: float(value) for name, value in found.items()}


def partitions(table: RunTable, seeds: int, by_time: bool) -> Iterator[list[tuple[Array, Array]]]:
    """Rows to learn from and rows to judge, five times; `by_time`: ten labelled runs in a row are held out together, as
    what goes wrong lasts for several runs."""
    rows = np.flatnonzero(table.label != UNKNOWN)
    bad, groups = table.label[rows] == BAD, np.arange(len(rows)) // IN_A_ROW
    for seed in range(seeds):
        kind = StratifiedGroupKFold if by_time else StratifiedKFold
        folds = kind(FOLDS, shuffle=True, random_state=seed).split(rows, bad, groups if by_time else None)
        yield [(rows[train], rows[test]) for train, test in folds]


def crossed(method: Method, table: RunTable, folds: list[list[tuple[Array, Array]]]) -> Held:
    """Judge every labelled run in each of the partitions."""
    found = np.full((4, len(folds), len(table.run)), np.nan)
    for number, partition in enumerate(folds):
        for train, test in partition:
            judged = method(table, train)
            good = train[table.label[train] == GOOD]
            plots = judged.run[:, None] if judged.plots is None else judged.plots
            plots = plots[:, np.isfinite(plots[good]).any(axis=0)]
            of_run = flagged(judged.run[:, None], good)[:, 0]
            by_p, by_quantile = (rule(plots, good).sum(axis=1) for rule in (flagged, beyond_quantile))
            found[:, number, test] = np.stack([judged.run, of_run, by_p, by_quantile])[:, test]
    rows = np.flatnonzero(table.label != UNKNOWN)
    return Held(table.label[rows] == BAD, table.log_size[rows], *found[..., rows])


def unknown_runs(method: Method, table: RunTable) -> dict[str, float]:
    """Measure, on runs that nobody labelled, scored by what all labelled runs teach, the share flagged and how often
    they score higher than a good run, than a good run of their size, than a bad run."""
    labelled, unknown = np.flatnonzero(table.label != UNKNOWN), table.label == UNKNOWN
    run = method(table, labelled).run
    good, bad = table.label == GOOD, table.label == BAD
    either = unknown | good
    return {
        "flagged": float(flagged(run[:, None], np.flatnonzero(good))[unknown].mean()),
        "above good": float(placements(run[unknown], run[good]).mean()),
        "above good of its size": _among_alike(unknown[either], run[either], table.log_size[either]),
        "above bad": float(placements(run[unknown], run[bad]).mean()),
    }


def _among_alike(bad: Array, scores: Floats, log_size: Floats) -> float:
    """AUROC where each bad run is compared with the good runs nearest in size only."""
    size, good = log_size[~bad], scores[~bad]
    nearest = [np.argsort(np.abs(size - own), kind="stable")[:ALIKE] for own in log_size[bad]]
    shares = [placements([score], good[alike])[0] for score, alike in zip(scores[bad], nearest, strict=True)]
    return float(np.mean(shares))


def _ratio(good: Floats, bad: Floats) -> float:
    return float(bad.mean() / max(good.mean(), 1e-9))


def _ratio_interval(good: Floats, bad: Floats) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    means = [own[rng.integers(len(own), size=(COPIES, len(own)))].mean(axis=1) for own in (good, bad)]
    low, high = np.quantile(means[1] / np.maximum(means[0], 1e-9), [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)
