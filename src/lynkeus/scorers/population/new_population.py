"""A new population: one more Gaussian, fitted to the events of a run beside the density of good ones.

Expectation and maximisation (Dempster, Laird & Rubin 1977) for many samples of equally many events at once: the log of
a Gaussian is linear in the events' monomials of degree 0, 1 and 2, and what its next mean and covariance need are means
of the same monomials, so that each step is two products of matrices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.scorers.population.density import Density
from lynkeus.scorers.population.gaussians import coefficients, degree_two, mean_and_covariance, monomials

ADDED = np.concatenate([[0.0], np.geomspace(1e-4, 0.5, 20)])  # shares of all events that are tried
FEWEST_NEW = 4.0  # events of a new population
MOST_NEW = 0.9  # of the events
FEWEST_BEGIN, BEGINNINGS = 3, 3  # events that a fit begins with; how many beginnings
EM_STEPS, CONVERGED = 30, 1e-3
NO_GAIN = -10.0
LARGEST = 50.0  # log of a ratio of densities
TOGETHER_IN_A_LOG = 8  # such ratios whose product a float holds
FEW_LEFT = 0.7  # of the samples, from which those that are done are left out
TOGETHER = 100_000  # monomials of the events that are fitted at once: they stay in the cache of a processor


class Samples(NamedTuple):
    """Samples of equally many events: `points` (d, n, c) in units in which good ones are uncorrelated, log densities
    `parts` (d, k, n) of each component there and `whole` (d, n) of all, and a mask `strange` (d, n) of those in nearly
    empty places."""

    points: Floats
    parts: Floats
    whole: Floats
    strange: Array


class GoodEvents(NamedTuple):
    """Good events that would gain, too: `points` (m, c) in units in which they are uncorrelated, log density `whole`
    (m,)."""

    points: Floats
    whole: Floats

    @classmethod
    def of(cls, density: Density, events: Floats) -> GoodEvents:
        """Return good events (m, c) with their density."""
        points = density.points(events)
        return cls(points, -density.mixture.score(points)[0])


class NewPopulation(NamedTuple):
    """The likeliest new population of each sample: `gain` (d,) in log likelihood, less what it chose and what as many
    good events gain; NO_GAIN where there is none. `own` (d, n): how likely each event is one of it; `share` (d,) of the
    events, and `usual` (d,) share of good ones that it would have."""

    gain: Floats
    own: Floats
    share: Floats
    usual: Floats


def likeliest(density: Density, samples: Samples, good: GoodEvents) -> NewPopulation:
    """Return the best of the new populations of each sample, fitted from several beginnings: its strange events, and
    those of the components with most excess."""
    draws, n, columns = samples.points.shape
    at_once = max(1, TOGETHER // (n * max(degree_two(columns), BEGINNINGS)))
    found = [
        _likeliest(density, Samples(*(part[first : first + at_once] for part in samples)), good)
        for first in range(0, draws, at_once)
    ]
    return NewPopulation(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _likeliest(density: Density, samples: Samples, good: GoodEvents) -> NewPopulation:
    draws, n, columns = samples.points.shape
    starts = _starts(density, samples)
    powers = monomials(samples.points)
    fitted = _fitted(density, samples, powers, starts)
    there = fitted.there
    theta = coefficients(fitted.mean[there], fitted.covariance[there])
    sample = np.nonzero(there)[0]
    ratio = (theta[:, None] @ powers[sample])[:, 0] - samples.whole[sample]
    added, _ = _most_added(ratio)
    beside, at = _most_added(theta @ monomials(good.points) - good.whole)
    # As AIC: about 1 for each fitted number, mean, covariance and share.
    price = 2.0 + columns + 0.5 * columns * (columns + 1)
    gains, usual = np.full(there.shape, -np.inf), np.zeros(there.shape)
    gains[there] = added - np.maximum(beside, 0.0) * (n / len(good.whole)) - price
    usual[there] = ADDED[at]
    best = (np.arange(draws), gains.argmax(axis=1))
    gain = np.where(there.any(axis=1), gains[best], NO_GAIN)
    return NewPopulation(gain, fitted.own[best], fitted.share[best], usual[best])


def _starts(density: Density, samples: Samples) -> Array:
    """Return masks (d, BEGINNINGS, n) of the events that each fit begins with."""
    inside, weight = np.exp(samples.parts - samples.whole[:, None]), np.exp(density.mixture.log_weight)
    n = samples.whole.shape[1]
    excess = np.where(weight * n > 1.0, inside.mean(axis=2) / weight, 0.0)
    starts = np.zeros((len(samples.whole), BEGINNINGS, n), bool)
    starts[:, 0] = samples.strange
    for row, order in enumerate(np.argsort(-excess, axis=1)[:, : BEGINNINGS - 1]):
        starts[row, 1 : 1 + len(order)] = inside[row, order] > 0.3
    return starts


class _Fitted(NamedTuple):
    """Of each sample and beginning (d, s): `mean` (c,), `covariance` (c, c), `own` (n,), `share`, and whether it is
    `there` still."""

    mean: Floats
    covariance: Floats
    own: Floats
    share: Floats
    there: Array


def _fitted(density: Density, samples: Samples, powers: Floats, starts: Array) -> _Fitted:
    """Fit a Gaussian from each beginning (d, s, n); it vanishes where it has too few events, or nearly all."""
    _, n, columns = samples.points.shape
    floor = np.eye(columns) * (0.3 * _narrowest(density)) ** 2
    there = starts.sum(axis=2) >= FEWEST_BEGIN
    share = np.clip(starts.mean(axis=2), 1e-9, 0.5)
    own = starts.astype(float)
    mean = np.zeros((*there.shape, columns))
    covariance = np.tile(np.eye(columns), (*there.shape, 1, 1))
    for d, s in zip(*np.nonzero(there), strict=True):
        mean[d, s], covariance[d, s] = _median_and_covariance(samples.points[d][starts[d, s]])
    covariance[there] += floor
    going, rows, some = there.copy(), np.arange(len(there)), powers
    for step in range(EM_STEPS):
        left = going[rows].any(axis=1)
        if not left.any():
            break
        if left.mean() < FEW_LEFT:  # what has converged or vanished is not computed again
            rows, some = rows[left], some[left]
        odds = coefficients(mean[rows], covariance[rows]) @ some
        odds += np.log(share[rows] / (1.0 - share[rows]))[:, :, None] - samples.whole[rows, None]
        found = _chance(odds)
        moments = found @ np.swapaxes(some, 1, 2)
        here, events = going[rows], moments[:, :, 0]
        there[rows] &= ~here | ((events >= FEWEST_NEW) & (events <= MOST_NEW * n))
        here &= there[rows]
        d, s = np.nonzero(here)
        at = rows[d], s
        mean[at], covariance[at] = mean_and_covariance(moments[here], columns)
        covariance[at] += floor
        before, share[at] = share[at], events[here] / n
        going[rows] = False
        going[at] = np.abs(share[at] - before) >= CONVERGED * share[at]
        ended = here & ~(going[rows] & (step + 1 < EM_STEPS))
        own[rows[np.nonzero(ended)[0]], np.nonzero(ended)[1]] = found[ended]
    return _Fitted(mean, covariance, own, share, there)


def _chance(odds: Floats) -> Floats:
    """Return the probabilities that these logs of odds stand for."""
    found = np.negative(odds, out=odds)
    np.exp(np.minimum(found, 700.0, out=found), out=found)
    found += 1.0
    return np.reciprocal(found, out=found)


def _median_and_covariance(points: Floats) -> tuple[Floats, Floats]:
    """Return median (c,) and covariance (c, c) of some events (n, c), in a third of the time that NumPy takes for a few
    of them."""
    n = len(points)
    rising = np.sort(points, axis=0)
    away = points - points.mean(axis=0)
    return 0.5 * (rising[(n - 1) // 2] + rising[n // 2]), away.T @ away / (n - 1)


def _most_added(log_ratio: Floats) -> tuple[Floats, Array]:
    """Return the largest log likelihood gain (...,) where a share of all events is of a density that is so much higher
    at each event (..., n), and the index of that share: the gain is concave in the share, so that halving finds it."""
    more = np.expm1(np.minimum(log_ratio, LARGEST))
    low, high = np.zeros(more.shape[:-1], int), np.full(more.shape[:-1], len(ADDED) - 1)
    while (low < high).any():
        middle = (low + high) // 2
        less, further = ADDED[middle][..., None], ADDED[np.minimum(middle + 1, len(ADDED) - 1)][..., None]
        rising = _sum_of_logs((1.0 + further * more) / (1.0 + less * more)) > 0.0
        low, high = np.where(rising & (low < high), middle + 1, low), np.where(rising, high, middle)
    return _sum_of_logs(1.0 + ADDED[low][..., None] * more), low


def _sum_of_logs(factors: Floats) -> Floats:
    """Return the sums (...,) of the logs of numbers (..., n) between e^-50 and e^50, by products of a few of them: a
    log takes as long as ten products."""
    each = factors.shape[-1] // TOGETHER_IN_A_LOG
    joined = factors[..., : each * TOGETHER_IN_A_LOG].reshape(*factors.shape[:-1], TOGETHER_IN_A_LOG, each)
    left = factors[..., each * TOGETHER_IN_A_LOG :]
    logs: Floats = np.log(np.multiply.reduce(joined, axis=-2)).sum(axis=-1) + np.log(left).sum(axis=-1)
    return logs


def _narrowest(density: Density) -> float:
    """Return the smallest width of any component of weight, in the units of the mixture."""
    heavy = np.exp(density.mixture.log_weight) > 0.02
    return float(1.0 / np.linalg.svd(density.mixture.whiten[heavy], compute_uv=False).max())
