"""The density of good events as a mixture of Gaussians, and its populations: the hills of that density."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from scipy.cluster.hierarchy import linkage

from lynkeus.core import Array, Floats
from lynkeus.scorers.population.gaussians import fitted_mixture, log_sum, monomials, of_precision
from lynkeus.transforms.mixture import Mixture

COMPONENTS = (1, 2, 4, 8, 16, 24)
COMPONENTS_OF_ONE = (1, 2, 4, 8)  # of a single column
MOST_FITTED = 30_000  # events; more make the fit slow, not better
SADDLE = 0.7  # two hills are one where the density between them stays above this share of the lower one
CORE = np.log(4.0)  # below the top of a hill its slope begins
EVENTS_PER_COMPONENT = 20
STEPS = 60  # uphill
LEAST_VARIANCE = 1e-8  # of what is left of a column when all others are known
FARTHEST = 3e4  # beyond, squares have no digits left for the width of a component
MOST_RATIO = 50.0  # log of a ratio of densities; beyond, it would overflow


@dataclass(frozen=True)
class Density:
    """`mixture` of events in units in which they are uncorrelated: scaled columns less `centre` (c,), times `units`
    (c, c); `population` (k,): the hill that each component belongs to, numbered by their size; `least`, `most` (c,):
    where good events are."""

    mixture: Mixture
    centre: Floats
    units: Floats
    population: Array
    least: Floats
    most: Floats

    @classmethod
    def fit(cls, scaled: Floats, seed: int) -> Self:
        """Learn from complete events (n, c)."""
        rng = np.random.default_rng(seed)
        drawn = scaled if len(scaled) <= MOST_FITTED else scaled[rng.choice(len(scaled), MOST_FITTED, replace=False)]
        centre = np.median(drawn, axis=0)
        units = _uncorrelated(drawn)
        mixture = _mixture((drawn - centre) @ units, seed)
        least, most = np.quantile(scaled, [0.001, 0.999], axis=0)
        return cls(mixture, centre, units, _hills(mixture), least, most)

    @cached_property
    def share(self) -> Floats:
        """Return the share (populations,) of good events that each population holds."""
        share: Floats = self.members @ np.exp(self.mixture.log_weight)
        return share

    @cached_property
    def members(self) -> Floats:
        """Return 0 or 1 (populations, k): the components of each population."""
        return (self.population == np.arange(self.population.max() + 1)[:, None]).astype(float)

    def moved(self, points: Floats, log_ratio: Floats, column: int, sizes: Floats) -> Floats:
        """Return the density (sizes, populations, n) of each population, moved by so much along a column, beside that
        of all at events `points` (n, c), where the log of that of each component is `log_ratio` (k, n)."""
        towards = self._precision @ self.units[column]
        pull = towards @ points.T - (self.mixture.centre * towards).sum(axis=1)[:, None]
        curve = towards @ self.units[column]
        log_parts = log_ratio + sizes[:, None, None] * pull - 0.5 * sizes[:, None, None] ** 2 * curve[:, None]
        moved: Floats = self.members @ np.exp(np.minimum(log_parts, MOST_RATIO, out=log_parts), out=log_parts)
        return moved

    def slopes(self, points: Floats, log_ratio: Floats) -> Floats:
        """Return by how much the log density at events `points` (n, c) rises as all of it is moved along each column,
        per unit of it (n, c); the log of the density of each component beside that of all is `log_ratio` (k, n)."""
        inside, columns = np.exp(log_ratio).T, points.shape[1]
        precision = (inside @ self._precision.reshape(-1, columns * columns)).reshape(-1, columns, columns)
        pulled = np.einsum("kij,kj->ki", self._precision, self.mixture.centre)
        towards = np.einsum("nij,nj->ni", precision, points) - inside @ pulled
        found: Floats = towards @ self.units.T
        return found

    @cached_property
    def _precision(self) -> Floats:
        whiten = self.mixture.whiten
        return whiten @ np.swapaxes(whiten, 1, 2)

    @cached_property
    def _coefficients(self) -> Floats:
        mixture = self.mixture
        return of_precision(mixture.centre, self._precision, mixture.log_weight + mixture.log_volume)

    def points(self, scaled: Floats) -> Floats:
        """Return scaled events (n, c) in units in which good ones are uncorrelated, no farther than FARTHEST."""
        return np.clip((scaled - self.centre) @ self.units, -FARTHEST, FARTHEST)

    def scaled(self, points: Floats) -> Floats:
        """Return the scaled columns (n, c) of events in units in which good ones are uncorrelated."""
        return self.centre + points @ np.linalg.inv(self.units)

    def log_parts(self, points: Floats) -> Floats:
        """Return the log density (k, n) of each component at events in units in which good ones are uncorrelated."""
        found: Floats = self._coefficients @ monomials(points)
        return found

    @cached_property
    def widths(self) -> Floats:
        """Return the standard deviation (c,) in scaled columns, given all other columns, of the narrowest component of
        weight."""
        along = np.einsum("ce,kef->kcf", self.units, self.mixture.whiten)
        heavy = np.exp(self.mixture.log_weight) > 0.02
        return 1.0 / np.sqrt((along[heavy] ** 2).sum(axis=2).max(axis=0))

    @cached_property
    def branches(self) -> Floats:
        """Return 0 or 1 (2 k - 2, k), or [[1]] of one component: the components in every branch but the root of the
        tree that joins those that overlap first."""
        k = len(self.mixture.centre)
        branches = np.eye(k)
        if k > 1:
            distance = _distances(self.mixture)
            for first, second, *_ in linkage(distance[np.triu_indices(k, 1)], "average"):
                branches = np.vstack([branches, branches[int(first)] + branches[int(second)]])
        return branches[:-1] if k > 1 else branches

    def region(self, weight: Floats) -> tuple[Floats, Floats]:
        """Return both ends (c,) in scaled columns of two sigmas around the components with these weights (k,), within
        the range of good events."""
        weight = weight / weight.sum()
        back = np.linalg.inv(self.units)
        centres = self.mixture.centre @ back
        mean = weight @ centres
        inverse = np.linalg.inv(self.mixture.whiten) @ back
        within = np.einsum("k,kij,kij->j", weight, inverse, inverse)
        sigma = np.sqrt(within + weight @ (centres - mean) ** 2)
        low, high = self.centre + mean - 2 * sigma, self.centre + mean + 2 * sigma
        return np.maximum(low, self.least), np.minimum(high, self.most)

    def top(self, number: int) -> Floats:
        """Return the centre (c,) in scaled columns of the highest component of a population."""
        own = np.flatnonzero(self.population == number)
        height = -self.mixture.score(self.mixture.centre[own])[0]
        return self.centre + self.mixture.centre[own[height.argmax()]] @ np.linalg.inv(self.units)


def _uncorrelated(scaled: Floats) -> Floats:
    """Return the matrix (c, c) that makes columns uncorrelated, of unit variance, by PCA: columns that nearly say the
    same keep their difference."""
    covariance = np.atleast_2d(np.cov(scaled.T))
    sigma = np.sqrt(np.diag(covariance))
    sigma = np.where(sigma > 0, sigma, 1.0)
    value, vector = np.linalg.eigh(covariance / np.outer(sigma, sigma))
    return (vector / np.sqrt(np.maximum(value, LEAST_VARIANCE))) / sigma[:, None]


def _mixture(points: Floats, seed: int) -> Mixture:
    """Return a Gaussian mixture of as many components as make a held-out quarter of the events the likeliest; narrow
    ones stay narrow."""
    drawn = np.random.default_rng(seed).permutation(len(points))
    learn, held = points[drawn[len(points) // 4 :]], points[drawn[: len(points) // 4]]
    powers, best = monomials(learn), None
    likelihood, worse = -np.inf, 0
    for count in COMPONENTS if points.shape[1] > 1 else COMPONENTS_OF_ONE:
        if count > 1 and len(learn) < EVENTS_PER_COMPONENT * count:
            break
        wider = min(1.0, max(1e-4, 0.05 * points.shape[1] * count / len(learn)))
        fitted = fitted_mixture(learn, powers, count, wider, seed)
        reached = float(-fitted.score(held)[0].mean())
        if reached > likelihood:
            best, likelihood, worse = fitted, reached, 0
        elif worse:
            break
        else:
            worse = 1
    assert best is not None
    return best


def _hills(mixture: Mixture) -> Array:
    """Return the hill (k,) of each component: where its centre climbs to (modal EM, Li, Ray & Lindsay 2007), largest
    first."""
    precision = mixture.whiten @ np.swapaxes(mixture.whiten, 1, 2)
    at = mixture.centre.copy()
    for _ in range(STEPS):
        parts = mixture.log_parts(at)
        share = np.exp(parts - log_sum(parts)).T
        left = np.einsum("nk,kij->nij", share, precision)
        right = np.einsum("nk,kij,kj->ni", share, precision, mixture.centre)
        at = np.linalg.solve(left, right[:, :, None])[:, :, 0]
    height = -mixture.score(at)[0]
    hill = np.full(len(at), -1)
    tops: list[int] = []
    for k in np.argsort(-height):
        joined = [n for n, top in enumerate(tops) if _saddle(mixture, at[k], at[top]) > height[k] + np.log(SADDLE)]
        if not joined:
            tops.append(int(k))
        hill[k] = joined[0] if joined else len(tops) - 1
    hill = _without_slopes(mixture, hill)
    size = np.bincount(hill, np.exp(mixture.log_weight), minlength=len(tops))
    rank = np.empty(len(tops), int)
    rank[np.argsort(-size)] = np.arange(len(tops))
    return rank[hill]


def _without_slopes(mixture: Mixture, hill: Array) -> Array:
    """Return the hills (k,), but that each keeps only its core: a component on its slope, far below its top, goes to
    the nearest component of another hill that is about as high. A line on a broad hill then does not own the hill."""
    height = -mixture.score(mixture.centre)[0]
    top = np.array([height[hill == n].max() for n in range(hill.max() + 1)])
    distance, moved = _distances(mixture), hill.copy()
    for k in np.flatnonzero(height < top[hill] - CORE):
        others = np.flatnonzero((hill != hill[k]) & (np.abs(height - height[k]) < CORE))
        if len(others):
            moved[k] = hill[others[distance[k, others].argmin()]]
    return moved


def _saddle(mixture: Mixture, a: Floats, b: Floats) -> float:
    """Return the lowest log density on the straight way from one point (c,) to another."""
    path = a + np.linspace(0.0, 1.0, 41)[:, None] * (b - a)
    return float((-mixture.score(path)[0]).min())


def _distances(mixture: Mixture) -> Floats:
    """Return the Bhattacharyya distances (k, k) between the components."""
    covariance = np.linalg.inv(mixture.whiten @ np.swapaxes(mixture.whiten, 1, 2))
    between = 0.5 * (covariance[:, None] + covariance[None])
    away = mixture.centre[:, None] - mixture.centre[None]
    square = np.einsum("kli,klij,klj->kl", away, np.linalg.inv(between), away)
    volume = np.linalg.slogdet(between)[1] + (mixture.log_volume[:, None] + mixture.log_volume[None])
    distance = square / 8 + 0.5 * np.maximum(volume, 0.0)
    return 0.5 * (distance + distance.T)
