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
    theta = coefficients(fitted.mean, fitted.covariance)
    ratio = theta @ powers - samples.whole[:, None]
    usual = theta @ monomials(good.points) - good.whole
    gains, _ = _most_added(ratio)
    beside, at = _most_added(usual)
    # As AIC: about 1 for each fitted number, mean, covariance and share.
    price = 2.0 + columns + 0.5 * columns * (columns + 1)
    gains = gains - np.maximum(beside, 0.0) * (n / len(good.whole)) - price
    gains = np.where(fitted.there, gains, -np.inf)
    best = (np.arange(draws), gains.argmax(axis=1))
    none = ~fitted.there.any(axis=1)
    return NewPopulation(np.where(none, NO_GAIN, gains[best]), fitted.own[best], fitted.share[best], ADDED[at[best]])


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
    going = there.copy()
    for _ in range(EM_STEPS):
        if not going.any():
            break
        log_ratio = coefficients(mean, covariance) @ powers
        log_ratio += np.log(share / (1.0 - share))[:, :, None] - samples.whole[:, None]
        found = 1.0 / (1.0 + np.exp(-np.maximum(log_ratio, -700.0)))
        moments = found @ np.swapaxes(powers, 1, 2)
        events = moments[:, :, 0]
        there &= ~going | ((events >= FEWEST_NEW) & (events <= MOST_NEW * n))
        going &= there
        own[going] = found[going]
        mean[going], covariance[going] = mean_and_covariance(moments[going], columns)
        covariance[going] += floor
        before, share = share, np.where(going, events / n, share)
        going &= np.abs(share - before) >= CONVERGED * share
    return _Fitted(mean, covariance, own, share, there)


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
    ratio = np.exp(np.minimum(log_ratio, LARGEST))
    low, high = np.zeros(ratio.shape[:-1], int), np.full(ratio.shape[:-1], len(ADDED) - 1)
    while (low < high).any():
        middle = (low + high) // 2
        less, more = ADDED[middle][..., None], ADDED[np.minimum(middle + 1, len(ADDED) - 1)][..., None]
        rising = np.log((1.0 - more + more * ratio) / (1.0 - less + less * ratio)).sum(axis=-1) > 0.0
        low, high = np.where(rising & (low < high), middle + 1, low), np.where(rising, high, middle)
    share = ADDED[low][..., None]
    return np.log1p(share * (ratio - 1.0)).sum(axis=-1), low


def _narrowest(density: Density) -> float:
    """Return the smallest width of any component of weight, in the units of the mixture."""
    heavy = np.exp(density.mixture.log_weight) > 0.02
    return float(1.0 / np.linalg.svd(density.mixture.whiten[heavy], compute_uv=False).max())
