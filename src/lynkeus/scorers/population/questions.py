"""Three questions to the events of a run, each a family of tests with one p-value: shifted, of other shares, strange?

All tests are means over events of numbers that each event has by itself, so that runs of any size are compared: what
is usual, its spread from event to event and from run to run are learned; how large the largest of many tests is in a
good run of that size is drawn from the events of good runs. Nothing is counted twice, nothing is tried for free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtr

from lynkeus.core import Array, Floats
from lynkeus.scorers.population.density import Density
from lynkeus.scorers.population.gaussians import log_sum
from lynkeus.scorers.population.trials import (
    DRAWN_AT_ONCE,
    TINY,
    as_trials,
    drawn_means,
    joined_means,
    of_trials,
    pearson_tail,
)

STEPS = (0.1, 0.4, 1.6)  # of a shift, in widths of the narrowest component
LARGEST = 10.0  # log likelihood ratio that one event may contribute
_BOTH_WAYS = np.array([sign * size for size in STEPS for sign in (1.0, -1.0)])
AT_ONCE = 100_000  # densities: they stay in the cache of a processor
SIZES = (30, 100, 300, 1000, 3000)  # of the runs that are drawn from good events
OF_SQUARE = 5.4  # variance of the square of 1.4826 medians of |x| of a Gaussian, times their number
EFFICIENCY = 2.0 / OF_SQUARE  # of that estimate, beside the mean square of a Gaussian
SIZES_OF_GAINS, DRAWS_OF_GAINS, PASSED = (100, 300, 1000, 3000), 100, 0.4
MOST_EVENTS = 20_000  # of a run; more make its means no better, as runs differ among themselves
LEAST_SHARE = 0.02  # of a population that is asked for a shift of its own
FAR_SIGMA = 10.0  # of a run that is not learned from
MOST_SKEWED = 1.5  # a mean that is more skewed is that of a handful of events
BEYOND = 37.0  # normal deviate of TINY


@dataclass(frozen=True)
class FamilyOfTests:
    """Means of a run in sigmas: `usual` (m,), `spread` and `skewness` (m,) from event to event, `between` (m,) from run
    to run; `reference` (3,): events in all, events of a usual run, and runs.

    `trials`, `width` (sizes,): the largest of the tests in good runs of these sizes is that of so many independent
    normal deviates of this width.
    """

    usual: Floats
    spread: Floats
    skewness: Floats
    between: Floats
    reference: Floats
    trials: Floats
    width: Floats

    @classmethod
    def fit(
        cls,
        runs: Sequence[Floats],
        rng: np.random.Generator,
        others: Sequence[Floats] = (),
        whole: FamilyOfTests | None = None,
    ) -> Self:
        """Learn from the numbers (n, m) of the events of each good run; `others`, of which the density was learned, say
        how much runs differ, too. `whole`: the same tests of more runs, which say how many they amount to."""
        sizes = np.array([len(run) for run in runs])
        means = np.stack([run.mean(axis=0) for run in runs])
        usual, spread, skewness = _moments(runs, sizes @ means / sizes.sum())
        nothing = np.zeros(len(SIZES))
        away = [means - usual]
        if others:
            theirs = np.stack([run.mean(axis=0) for run in others])
            away.append(theirs - theirs.mean(axis=0))
        lengths = np.array([len(run) for run in (*runs, *others)])
        between = _between(np.concatenate(away), spread, lengths)
        reference = reference_of(sizes)
        reference[2] = len(lengths)
        family = cls(usual, spread, skewness, between, reference, nothing, nothing)
        if whole is not None:
            return replace(family, trials=whole.trials, width=whole.width)
        pooled = few = np.concatenate(runs)
        found = []
        for size in SIZES:
            drawn = drawn_means(pooled, size, rng) if size <= DRAWN_AT_ONCE else joined_means(few, size, rng)
            few = drawn if size <= DRAWN_AT_ONCE else few
            alone = replace(family, between=np.zeros(len(usual)))
            found.append(as_trials(np.abs(alone._normal(drawn, size)).max(axis=1)))
        trials, width = np.array(found).T
        return replace(family, trials=trials, width=width)

    def sigmas(self, numbers: Floats) -> Floats:
        """Return the deviations (m,) of a run in sigmas, from the numbers (n, m) of its events."""
        return self._normal(numbers.mean(axis=0), len(numbers))

    def _normal(self, means: Floats, size: int) -> Floats:
        """Return means (..., m) of so many events as normal deviates; 0 for what so few events cannot tell.

        A mean of skewed numbers, such as a count of rare events, is nearly of Pearson's third type.
        """
        chance = self.spread**2 * (1.0 / size + 1.0 / self.reference[0])
        sigma = np.sqrt(chance + self.between**2 + self.spread**2 * unseen(self.reference, size))
        skewness = self.skewness / np.sqrt(size) * (chance / sigma**2) ** 1.5
        away = (means - self.usual) / sigma
        known = np.abs(skewness) < MOST_SKEWED
        above = away > 0
        tail = pearson_tail(np.abs(away), np.where(above, skewness, -skewness))
        straight = np.abs(away) * np.exp(-np.abs(skewness))  # where the tail is beyond what a float holds
        deviate = np.where(tail > TINY, -ndtri(np.clip(tail, TINY, 0.5)), np.maximum(straight, BEYOND))
        deviate = self._by_runs(deviate, (self.between / sigma) ** 2)
        return np.where(known, np.where(above, deviate, -deviate), 0.0)

    def _by_runs(self, deviate: Floats, share: Floats) -> Floats:
        """Return deviates (..., m) as they are when that `share` (m,) of their variance is known from the runs alone:
        they follow Student's distribution, of degrees of freedom after Satterthwaite (1946)."""
        some = np.flatnonzero(share > 0)
        freedom = np.maximum(EFFICIENCY * (self.reference[2] - 1.0), 1.0) / share[some] ** 2
        found = deviate.copy()
        found[..., some] = -ndtri(np.maximum(stdtr(freedom, -deviate[..., some]), TINY))
        return found

    def p_value(self, sigmas: Floats, size: int) -> float:
        """Return the p-value of the largest of the deviations (m,) of a run of `size` events, corrected for the
        effective number of tests, as they are correlated (Sidak 1967)."""
        at = np.log(np.clip(size, SIZES[0], SIZES[-1]))
        width = float(np.interp(at, np.log(SIZES), self.width))
        trials = float(np.exp(np.interp(at, np.log(SIZES), np.log(self.trials))))
        return of_trials(float(2.0 * ndtr(-np.abs(sigmas).max() / width)), trials)


def _moments(runs: Sequence[Floats], usual: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean, standard deviation and skewness (m,) of all events, of which the mean is known; run by run, which
    stay in the cache of a processor."""
    square, cube, events = np.zeros(len(usual)), np.zeros(len(usual)), sum(map(len, runs))
    for run in runs:
        away = run - usual
        squared = away * away
        square += squared.sum(axis=0)
        cube += np.einsum("nm,nm->m", squared, away)
    spread = np.maximum(np.sqrt(square / events), 1e-9)
    return usual, spread, cube / events / spread**3


def near_the_median(runs: Sequence[Floats]) -> npt.NDArray[np.bool_]:
    """Return a mask (runs,) of those whose means of the numbers (n, m) of their events are not far from the median of
    all runs."""
    spread = np.maximum(np.concatenate(runs).std(axis=0), 1e-9)
    means = np.stack([run.mean(axis=0) for run in runs])
    away = np.abs(means - np.median(means, axis=0)) / (spread / np.sqrt([[len(run)] for run in runs]))
    usual = np.maximum(1.4826 * np.median(away, axis=0), 1.0)
    return (away / usual).max(axis=1) < FAR_SIGMA


def _between(away: Floats, spread: Floats, sizes: Array) -> Floats:
    """Return how much more the means of runs differ (m,) than their events explain, as a standard deviation; 0 where
    that may be chance.

    By the median, so that a few bad runs in the reference do not count.
    """
    if len(sizes) < 5:
        return np.zeros(len(spread))
    square = (1.4826 * np.median(np.abs(away / (spread / np.sqrt(sizes)[:, None])), axis=0)) ** 2
    chance = 1.0 + 2.0 * np.sqrt(OF_SQUARE / len(sizes))  # two sigmas
    return np.where(square > chance, np.sqrt(np.maximum(square - 1.0, 0.0)) * spread / np.sqrt(np.median(sizes)), 0.0)


def reference_of(sizes: Array) -> Floats:
    """Return the number of events in all, of the median run, and of runs (3,)."""
    return np.array([sizes.sum(), np.median(sizes), len(sizes)], float)


def unseen(reference: Floats, size: int) -> float:
    """Return the variance between runs, in units of that of one event, that would not have been seen in the shorter
    good runs.

    A long run shows differences that the reference is too short to know: they are not held against it.
    """
    _, usual, runs = reference
    return float(np.sqrt(2.7 / runs) * max(1.0 - usual / size, 0.0) / usual)


@dataclass(frozen=True)
class Gains:
    """What the likeliest new population gains in good runs of `sizes` events: `edge` is passed by a share of PASSED of
    them, and beyond it is `scale` more on average (an exponential tail, as of any likelihood ratio)."""

    sizes: Floats
    edge: Floats
    scale: Floats

    @classmethod
    def fit(cls, drawn: Mapping[int, Floats]) -> Self:
        """Learn from the gains of good runs of each size."""
        edge = np.array([np.quantile(gains, 1.0 - PASSED) for gains in drawn.values()])
        scale = [np.mean(gains[gains >= at] - at) for gains, at in zip(drawn.values(), edge, strict=True)]
        return cls(np.array(list(drawn), float), edge, np.maximum(scale, 1.0))

    def p_value(self, gain: float, size: int) -> float:
        """Return the chance that a good run of `size` events gains as much, by the exponential tail between the sizes
        drawn."""
        at, known = np.log(size), np.log(self.sizes)
        edge, scale = np.interp(at, known, self.edge), np.interp(at, known, self.scale)
        return float(np.clip(PASSED * np.exp(-(gain - edge) / scale), TINY, 1.0))


def shift_numbers(density: Density, points: Floats, parts: Floats) -> Floats:
    """Return log likelihood ratios (n, m) of each event for a shift of the whole run, and of each population, along
    each column, by each step either way; `parts` (k, n) are its log densities where it is."""
    several = np.flatnonzero(density.share >= LEAST_SHARE)
    several = several if len(several) > 1 else several[:0]
    columns, tests = len(density.widths), 2 * len(STEPS)
    numbers = np.empty((len(points), columns, tests, 1 + len(several)))
    at_once = max(1, AT_ONCE // (tests * len(parts)))
    for first in range(0, len(points), at_once):
        some = slice(first, first + at_once)
        log_ratio = parts[:, some] - log_sum(parts[:, some])
        apart = 1.0 - (density.members @ np.exp(log_ratio))[several]
        for column, width in enumerate(density.widths):
            moved = density.moved(points[some], log_ratio, column, width * _BOTH_WAYS)
            numbers[some, column, :, 0] = moved.sum(axis=1).T
            numbers[some, column, :, 1:] = np.moveaxis(apart + moved[:, several], 2, 0)
    flat = numbers.reshape(len(points), -1)
    return np.minimum(np.log(np.maximum(flat, np.exp(-LARGEST), out=flat), out=flat), LARGEST, out=flat)


def share_numbers(branches: Floats, parts: Floats) -> Floats:
    """Return how much of each event belongs to each branch of the tree of components (n, m), from its log densities
    `parts` (k, n)."""
    return np.exp(parts - log_sum(parts)).T @ branches.T
