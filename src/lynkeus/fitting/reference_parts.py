"""Is a reference itself good? Runs that are far from all others, and runs of two kinds, by the counts of their plots.

Every plot is counted in a few bins of about equal content. The deviations of the runs from their mean are looked at
along the direction in which they differ most, their first principal component.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lynkeus.core import Array, Floats

FEWEST_RUNS = 12
BINS = 8  # of each plot
FEWEST = 80.0  # events of a plot in an average run, or it says nothing
FAR = 6.0  # sigmas, by the spread of most runs
APART = 1.7  # times the sigmas of the next one that a far run has
MOST_FAR = 0.1  # of the runs; more are a kind of their own, or how good runs differ
SMALLEST = 0.1  # share of the runs that are a kind; fewer are far runs
# Share of the variance that a cut into two explains: 0.64 for a Gaussian, 0.75 for a steady drift, 1 for two kinds.
SPLIT, SPLIT_OF_FEW = 0.83, 2.0
ONE_SIGMA, MEDIAN_OF_SQUARE = 0.6827, 0.4549  # of a Gaussian


def far_runs(counts: Floats, events: Floats, plots: Sequence[slice]) -> Array:
    """Return (runs,) True for those far from most others in a plot, by their (runs, bins) counts; none where they are
    more than a tenth.

    They may hide each other, so they are taken out step by step.
    """
    near, far = events > 0, np.zeros(len(events), bool)
    while near.sum() >= FEWEST_RUNS:
        sigmas = np.zeros(int(near.sum()))
        for few in _few_bins(counts[near], plots).values():
            along = _chief(_deviations(few, events[near], usual_spread=True))
            along = np.abs(along - np.median(along))
            sigmas = np.maximum(sigmas, along / max(float(np.quantile(along, ONE_SIGMA)), 1e-12))
        new = np.flatnonzero(near)[_apart(sigmas)]
        if not len(new):
            break
        if far.sum() + len(new) > MOST_FAR * len(events):
            return np.zeros(len(events), bool)
        near[new], far[new] = False, True
    return far


def _apart(sigmas: Floats) -> Array:
    """Return (runs,) True for those beyond FAR that are apart from all others, as runs are not that differ by a wide
    tail: of these the next one is never far."""
    rising = np.sort(sigmas)
    apart = np.flatnonzero((rising[1:] > FAR) & (rising[1:] > APART * rising[:-1]))
    return sigmas >= rising[apart[0] + 1] if len(apart) else np.zeros(len(sigmas), bool)


def two_kinds(counts: Floats, events: Floats, plots: Sequence[slice]) -> tuple[Array, int] | None:
    """Return (runs,) True for the smaller of two kinds of runs, and the plot in which they differ most; None where all
    are one kind. One of two may not be good, and no statistic can tell which."""
    known = events > 0
    bins = _few_bins(counts[known], plots)
    if known.sum() < FEWEST_RUNS or not bins:
        return None
    found = {plot: _deviations(few, events[known]) for plot, few in bins.items()}
    along = _chief(np.concatenate(list(found.values()), axis=1))
    cut, share = _best_cut(along)
    if share < SPLIT + SPLIT_OF_FEW / len(along):
        return None
    smaller = np.zeros(len(along), bool)
    smaller[np.argsort(along)[:cut] if 2 * cut <= len(along) else np.argsort(along)[cut:]] = True
    apart = {plot: np.abs(a[smaller].mean(axis=0) - a[~smaller].mean(axis=0)).max() for plot, a in found.items()}
    every = np.zeros(len(counts), bool)
    every[known] = smaller
    return every, max(apart, key=lambda plot: apart[plot])


def _few_bins(counts: Floats, plots: Sequence[slice]) -> dict[int, Floats]:
    """Return, for each plot with enough events, (runs, few bins) of about equal content."""
    enough = {k: counts[:, where] for k, where in enumerate(plots) if counts[:, where].sum() >= FEWEST * len(counts)}
    return {plot: _coarse(own) for plot, own in enough.items()}


def _chief(away: Floats) -> Floats:
    """Return (runs,) where they are in the direction in which they differ most."""
    values, vectors = np.linalg.eigh(away @ away.T)
    return np.asarray(vectors[:, -1] * np.sqrt(max(values[-1], 0.0)))


def _coarse(counts: Floats) -> Floats:
    below = np.cumsum(counts.sum(axis=0))
    starts = np.unique(np.searchsorted(below, below[-1] * np.arange(BINS) / BINS, side="right"))
    return np.add.reduceat(counts, np.minimum(starts, counts.shape[1] - 1), axis=1)


def _deviations(counts: Floats, events: Floats, usual_spread: bool = False) -> Floats:
    """Return (runs, bins) in sigmas of counting; with `usual_spread` also of how much most runs differ by more than
    that."""
    expected = np.maximum(counts.sum(axis=0) / events.sum() * events[:, None], 1.0)
    variance = expected
    if usual_spread:
        excess = ((counts - expected) / expected) ** 2 / MEDIAN_OF_SQUARE - 1.0 / expected
        variance = expected + np.maximum(np.median(excess, axis=0), 0.0) * expected**2
    return np.asarray((counts - expected) / np.sqrt(variance))


def _best_cut(along: Floats) -> tuple[int, float]:
    """Return how many lie below the cut into two that explains most of the variance, and the share that it explains."""
    count, centred = len(along), np.sort(along) - along.mean()
    least = max(2, int(np.ceil(SMALLEST * count)))
    below = np.arange(least, count - least + 1)
    away = np.cumsum(centred)[below - 1]
    between = away**2 / below + away**2 / (count - below)
    best = int(between.argmax())
    return int(below[best]), float(between[best] / max((centred**2).sum(), 1e-300))
