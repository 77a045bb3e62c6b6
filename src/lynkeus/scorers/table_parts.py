"""The two parts of the scorer `table`, and the common currency in which they are added."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from lynkeus.core import Array, Floats

CHUNK_NUMBERS = 2_000_000
COMPONENTS = (1, 2, 4, 8, 16)
ROWS_PER_COMPONENT = 10
MOST_NUMBERS = 250_000  # in the covariances of all components; a wider table has one component
TAIL = 0.1
FLOOR, TINY, LEAST_RATIO = 1.0, 1e-12, 0.01
MAX_STEPS = 50


@dataclass(frozen=True)
class Surprise:
    """-log of the share of reference scores at or above a score, in nats; beyond the last tenth, an exponential tail.

    `ordered` (n,) the scores of good samples, none of which the part that gave them had learned from.
    """

    ordered: Floats

    @classmethod
    def fit(cls, scores: Floats) -> Self:
        return cls(np.sort(scores))

    def __call__(self, scores: Floats) -> Floats:
        n = len(self.ordered)
        edge = np.quantile(self.ordered, 1.0 - TAIL)
        tail = self.ordered[self.ordered > edge] - edge
        width = max(tail.mean() if len(tail) else 0.0, 0.1 * self.ordered.std(), 1e-9)
        above = n - np.searchsorted(self.ordered, scores, "left")
        return np.where(scores > edge, (scores - edge) / width - np.log(TAIL), -np.log((above + 1) / (n + 1)))


@dataclass(frozen=True)
class LocalDistance:
    """The log of how far a point is from its nearest reference points, in units of how far these are from theirs.

    `points` (n, features); `spacing` (n,): the usual distance around each of them, plus FLOOR times the usual one
    anywhere, or nothing would be near to duplicates. After the local outlier factor (Breunig et al. 2000).
    """

    points: Floats
    spacing: Floats

    @classmethod
    def fit(cls, points: Floats, neighbours: int, region: int) -> tuple[Self, Floats]:
        """Also the score of each reference point among the others."""
        distance, index = nearest(points, points, max(neighbours, region), apart=True)
        own = distance[:, :neighbours].mean(axis=1)
        made = cls(points, own[index].mean(axis=1) + FLOOR * own.mean() + TINY)
        return made, made._score(distance[:, :neighbours], index[:, :neighbours])

    def score(self, points: Floats, neighbours: int) -> tuple[Floats, Array]:
        """(n,), and the indices (n, neighbours) of the nearest reference points."""
        distance, index = nearest(points, self.points, neighbours)
        return self._score(distance, index), index

    def _score(self, distance: Floats, index: Array) -> Floats:
        return np.log(LEAST_RATIO + distance.mean(axis=1) / self.spacing[index].mean(axis=1))


def nearest(points: Floats, reference: Floats, count: int, apart: bool = False) -> tuple[Floats, Array]:
    """Distances and indices (n, count) of the nearest reference points, ascending, other than the point itself.

    `apart`: `points` are the reference, and only a row itself is left out, not its duplicate. Single precision finds
    them, double precision measures them; in tens of dimensions a tree would be slower.
    """
    count = min(count, len(reference) - 1)
    distance, index = np.empty((len(points), count)), np.empty((len(points), count), np.intp)
    middle = reference.mean(axis=0)
    single = (reference - middle).astype(np.float32)
    half = 0.5 * (single * single).sum(axis=1)
    step = max(1, CHUNK_NUMBERS // len(reference))
    for first in range(0, len(points), step):
        part = points[first : first + step]
        order = half - (part - middle).astype(np.float32) @ single.T
        if apart:
            order[np.arange(len(part)), first + np.arange(len(part))] = np.inf
        found = _smallest(order, count if apart else count + 1)
        away = np.sqrt(((part[:, None] - reference[found]) ** 2).sum(axis=2))
        sort = np.argsort(away, axis=1, kind="stable")
        itself = (away.min(axis=1, keepdims=True) == 0.0) & (not apart)
        sort = np.take_along_axis(sort, np.arange(count) + itself, axis=1)
        distance[first : first + step] = np.take_along_axis(away, sort, axis=1)
        index[first : first + step] = np.take_along_axis(found, sort, axis=1)
    return distance, index


def _smallest(order: Floats, count: int) -> Array:
    """Column indices (n, count) of the smallest entries of `order`, which is spoilt; a few are found one by one."""
    if count > 8:
        return np.argpartition(order, count - 1, axis=1)[:, :count]
    rows, found = np.arange(len(order)), np.empty((len(order), count), np.intp)
    for column in range(count):
        found[:, column] = order.argmin(axis=1)
        order[rows, found[:, column]] = np.inf
    return found


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians: `log_weight` (k,), `centre` (k, c), `whiten` (k, c, c), `log_volume` (k,)."""

    log_weight: Floats
    centre: Floats
    whiten: Floats
    log_volume: Floats

    @classmethod
    def fit(cls, points: Floats, seed: int, components: Sequence[int] = COMPONENTS) -> tuple[Self, Floats]:
        """Also the scores of the quarter of the points that was held out, which chose the number of components.

        Each covariance is widened by columns / rows per component: many columns known from few rows are not trusted.
        """
        n, columns = points.shape
        drawn = np.random.default_rng(seed).permutation(n)
        learn, held = points[drawn[n // 4 :]], points[drawn[: n // 4]]
        best, likelihood = None, -np.inf
        for count in components:
            if count > 1 and (len(learn) < ROWS_PER_COMPONENT * count or count * columns**2 > MOST_NUMBERS):
                break
            wider = min(1.0, max(1e-3, columns * count / len(learn)))
            mixture = GaussianMixture(count, reg_covar=wider, max_iter=MAX_STEPS, random_state=seed)
            with warnings.catch_warnings():  # converged or not, the held-out likelihood judges
                warnings.simplefilter("ignore", ConvergenceWarning)
                mixture.fit(learn)
            reached = mixture.score(held)
            if reached <= likelihood:
                break
            best, likelihood = mixture, reached
        assert best is not None
        whiten = best.precisions_cholesky_
        volume = np.log(np.diagonal(whiten, axis1=1, axis2=2)).sum(axis=1)
        made = cls(np.log(best.weights_), best.means_, whiten, volume)
        return made, made.score(held)[0]

    def score(self, points: Floats) -> tuple[Floats, Array]:
        """-log of the density (n,), but for a constant, and the component that each point is most likely of."""
        log_density = self.log_parts(points)
        return -logsumexp(log_density, axis=0), log_density.argmax(axis=0)

    def log_parts(self, points: Floats) -> Floats:
        """(k, n) log of the density of each component at each point, but for the constant that `score` leaves out."""
        log_density = np.empty((len(self.centre), len(points)))
        for k, (centre, whiten) in enumerate(zip(self.centre, self.whiten, strict=True)):
            white = (points - centre) @ whiten
            log_density[k] = self.log_weight[k] + self.log_volume[k] - 0.5 * (white * white).sum(axis=1)
        return log_density

    def parts(self, points: Floats, component: Array) -> Floats:
        """(n, c) by how much the squared distance to its component falls when a column is left out."""
        parts = np.empty(points.shape)
        for k, (centre, whiten) in enumerate(zip(self.centre, self.whiten, strict=True)):
            precision = whiten @ whiten.T
            pull = (points[component == k] - centre) @ precision
            parts[component == k] = pull**2 / np.diag(precision)
        return parts
