"""Compare by likelihood three hypotheses on each population of a run: it shifted, it is gone, or a new one is there.

Shifted: the events are those of good data, moved along a column. Gone: a share of one population is missing. New: a
further population, whose place and width are fitted. Each hypothesis pays for what it may choose, and for what it would
gain of good events: no density is perfect.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.scorers.population.density import Density
from lynkeus.scorers.population.gaussians import log_sum
from lynkeus.scorers.population.new_population import FEWEST_NEW, NO_GAIN, GoodEvents, Samples, likeliest

MOST_EVENTS = 5000  # of a run that the hypotheses are fitted to
LARGEST = 10.0  # log likelihood ratio that one event may contribute
WIDTHS = 0.1 * 1.7 ** np.arange(9)  # of shifts that are tried, in widths of the narrowest component
MISSING = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0])
LEAST_SHARE, MOST_SHARE = 0.01, 0.95  # of a population that may be gone or shifted
MEMBER = 0.5  # probability from which an event is one of it


class Hypothesis(NamedTuple):
    """A hypothesis of what changed: `kind` shifted, gone or new; `gain` in log likelihood over good data, less what it
    chose; `population` number (-1: all, or a new one); shifted: `column` and `size` in scaled columns; gone: `size` the
    missing share; new: `size` in events; `low`, `high` (c,) of the place in scaled columns."""

    kind: str
    gain: float
    population: int
    column: int
    size: float
    low: Floats
    high: Floats


class Compared(NamedTuple):
    """What hypotheses are tested on: the `events` (n, c) of a run, a mask `strange` (n,) of those in nearly empty
    places, and `good` events (m, c)."""

    events: Floats
    strange: Array
    good: Floats


class _Seen(NamedTuple):
    """Events, as they are and as `points` in units in which good ones are uncorrelated, with their log densities:
    `parts` (k, n) of each component, `whole` (n,); `inside` (populations, n): how likely each is one of them; each
    stands for `factor`."""

    events: Floats
    points: Floats
    parts: Floats
    whole: Floats
    inside: Floats
    factor: float

    @classmethod
    def of(cls, density: Density, events: Floats, factor: float) -> _Seen:
        points = density.points(events)
        parts = density.log_parts(points)
        whole = log_sum(parts)
        return cls(events, points, parts, whole, density.members @ np.exp(parts - whole), factor)


def hypotheses(density: Density, compared: Compared, rng: np.random.Generator) -> list[Hypothesis]:
    """Return all hypotheses on the events of a run, the most likely first."""
    run, good, strange = _seen(density, compared, rng)
    found = [*_shifted(density, run, good), *_gone(density, run, good), *_new(density, run, good, strange)]
    return sorted(found, key=lambda hypothesis: -hypothesis.gain)


def _seen(density: Density, compared: Compared, rng: np.random.Generator) -> tuple[_Seen, _Seen, Array]:
    """Return the events of the run and the good ones with their densities, and a mask of those of the run that are
    strange."""
    events, strange = compared.events, compared.strange
    if len(events) > MOST_EVENTS:
        chosen = rng.choice(len(events), MOST_EVENTS, replace=False)
        events, strange = events[chosen], strange[chosen]
    run = _Seen.of(density, events, len(compared.events) / len(events))
    return run, _Seen.of(density, compared.good, len(events) / len(compared.good)), strange


def _populations(density: Density) -> Array:
    """Return the numbers of the populations that hold at least LEAST_SHARE of the good events."""
    return np.flatnonzero(density.share >= LEAST_SHARE)


def _shifted(density: Density, run: _Seen, good: _Seen) -> Iterator[Hypothesis]:
    """Yield the best shift of everything, and of each population alone, along each column."""
    populations = [-1, *_populations(density)] if len(_populations(density)) > 1 else [-1]
    weight = np.exp(density.mixture.log_weight)
    for column, width in enumerate(density.widths):
        sizes = np.concatenate([-width * WIDTHS[::-1], width * WIDTHS])
        own, usual = (_moved(density, seen, column, sizes) for seen in (run, good))
        gains = (own - np.maximum(usual, 0.0) * good.factor)[populations]
        for row, p in enumerate(populations):
            size, gain = _peak(sizes, gains[row])
            # 1 for the fitted size (as AIC), logarithms for the choice of column, direction and population.
            price = 1.0 + np.log(2 * run.events.shape[1]) + (np.log(len(populations)) if p >= 0 else 0.0)
            mask = density.population == p if p >= 0 else np.ones(len(weight), bool)
            yield Hypothesis("shifted", gain - price, int(p), column, size, *density.region(weight * mask))


def _moved(density: Density, seen: _Seen, column: int, sizes: Floats) -> Floats:
    """Return the log likelihood gain (populations + 1, sizes) of a shift of each of them, and, the last, of all."""
    gain = np.empty((len(seen.inside) + 1, len(sizes)))
    for at in range(len(sizes)):
        (moved,) = density.moved(seen.points, seen.parts - seen.whole, column, sizes[at : at + 1])
        ratio = np.vstack([1.0 - seen.inside + moved, moved.sum(axis=0)])
        gain[:, at] = np.clip(np.log(np.maximum(ratio, 1e-30)), -LARGEST, LARGEST).sum(axis=1)
    return gain


def _peak(sizes: Floats, gains: Floats) -> tuple[float, float]:
    """Return where a parabola through the highest point and its neighbours peaks, and how high the highest point is."""
    at = int(gains.argmax())
    if 0 < at < len(sizes) - 1:
        a, b, _ = np.polyfit(sizes[at - 1 : at + 2] - sizes[at], gains[at - 1 : at + 2], 2)
        if a < 0:
            low, high = sizes[at - 1], sizes[at + 1]
            return float(np.clip(sizes[at] - b / (2 * a), low, high)), float(gains[at])
    return float(sizes[at]), float(gains[at])


def _gone(density: Density, run: _Seen, good: _Seen) -> list[Hypothesis]:
    """Return the most likely missing share of each population, or of a branch of its tree: a line may lie on others."""
    weight = np.exp(density.mixture.log_weight)
    populations = [density.population == p for p in _populations(density)]
    masks = [*populations, *(density.branches > 0)]
    masks = [mask for mask in masks if LEAST_SHARE <= weight[mask].sum() < MOST_SHARE]
    inside = [np.exp(seen.parts - seen.whole) for seen in (run, good)]
    best: dict[int, Hypothesis] = {}
    for mask in masks:
        own, usual = (_lost(part[mask].sum(axis=0), float(weight[mask].sum())) for part in inside)
        gains = own - np.maximum(usual, 0.0) * good.factor
        at = int(gains.argmax())
        p = int(np.bincount(density.population[mask], weight[mask]).argmax())
        gain = float(gains[at]) - 1.0 - np.log(len(masks))
        if p not in best or gain > best[p].gain:
            best[p] = Hypothesis("gone", gain, p, -1, float(MISSING[at]), *density.region(weight * mask))
    return list(best.values())


def _lost(inside: Floats, weight: float) -> Floats:
    """Return the log likelihood gain (missing shares,) where so much of a population is missing, of which each event is
    with some probability."""
    left = np.log(np.maximum(1.0 - MISSING[:, None] * inside, 1e-6)).sum(axis=1)
    return left - len(inside) * np.log(1.0 - MISSING * weight)


def _new(density: Density, run: _Seen, good: _Seen, strange: Array) -> list[Hypothesis]:
    """Return the best of the new populations, one more Gaussian, fitted from several beginnings; none where all
    vanish."""
    samples = Samples(run.points[None], run.parts[None], run.whole[None], strange[None])
    best = likeliest(density, samples, GoodEvents(good.points, good.whole))
    gain, own = float(best.gain[0]), best.own[0]
    if gain == NO_GAIN:
        return []
    excess = max(float(best.share[0] - best.usual[0]), 0.0) * len(own) * run.factor
    members = own > MEMBER if (own > MEMBER).sum() >= FEWEST_NEW else own >= np.sort(own)[-int(FEWEST_NEW)]
    low, high = np.quantile(run.events[members], [0.05, 0.95], axis=0)
    return [Hypothesis("new", gain, -1, -1, excess, low, high)]
