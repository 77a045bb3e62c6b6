"""The two parts of the scorer `table`, and the common currency in which they are added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from lynkeus.core import Array, Floats

CHUNK_NUMBERS = 2_000_000
TAIL = 0.1
FLOOR, TINY, LEAST_RATIO = 1.0, 1e-12, 0.01


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
        """Learn from reference points, and return also the score of each among the others."""
        distance, index = nearest(points, points, max(neighbours, region), apart=True)
        own = distance[:, :neighbours].mean(axis=1)
        made = cls(points, own[index].mean(axis=1) + FLOOR * own.mean() + TINY)
        return made, made._score(distance[:, :neighbours], index[:, :neighbours])

    def score(self, points: Floats, neighbours: int) -> tuple[Floats, Array]:
        """Return the scores (n,), and the indices (n, neighbours) of the nearest reference points."""
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
