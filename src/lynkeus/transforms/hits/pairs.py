"""Pairs of hits that are near each other in neighbouring rows, and lines through them.

Hits are sorted by event, row and one position; what lies near one is then a few stretches of them. This is many times
faster than a tree of points, and a block of pairs at a time bounds the memory also where a file is one event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np

from lynkeus.core.batch import Array, Floats

ROWS = 3  # how many rows before and behind are looked at
FAR = 20.0  # the largest distance from a line that is told, in resolutions
ON_LINE = 3.5  # resolutions within which a hit is on a line
MOST = 10  # neighbours of a hit that are looked at: the nearest
BLOCK_PAIRS = 1_000_000  # candidates at a time
BLOCK_HITS = 4096  # whose lines are computed at a time, so that they stay in the cache
POPULATION = np.array([bin(k).count("1") for k in range(256)], np.float64)


class Hits(NamedTuple):
    """(n,) of each hit: `group`, a number for the event and the sector; `row`; positions `u`, `v` across the rows, such
    as pad and time, in units of their resolution; `reach`: how far in `u` and `v` neighbours are looked for, over all
    ROWS."""

    group: Array
    row: Floats
    u: Floats
    v: Floats
    reach: tuple[float, float]


class InOrder(NamedTuple):
    """Hits whose places are known, sorted by group, row and `v`: `number` among all hits, `row`, `u`, `v`, and `key`
    (rising: cells of group and row lie `step` apart, and `v` counts within one)."""

    number: Array
    row: Floats
    u: Floats
    v: Floats
    key: Floats
    step: float

    @classmethod
    def of(cls, hits: Hits, rows: float, reach: float) -> Self:
        """Sort hits, for pairs that are at most so many `rows` and `reach` of v apart."""
        known = np.flatnonzero(np.isfinite(hits.row + hits.u + hits.v))
        row, v = hits.row[known], hits.v[known]
        low, lowest = (float(own.min(initial=np.inf)) if len(known) else 0.0 for own in (v, row))
        line = np.floor(row) - np.floor(lowest)
        cell = hits.group[known] * (float(line.max(initial=0.0)) + np.ceil(rows) + 2) + line
        step = float(np.ptp(v)) + 2 * reach + 1.0 if len(known) else 1.0
        key = cell * step + (v - low)
        order = np.argsort(key, kind="stable")
        return cls(known[order], row[order], hits.u[known][order], v[order], key[order], step)

    def near(self, rows: float, u: float, v: float) -> Iterator[tuple[Array, Array]]:
        """Yield pairs of places in this order, each once, at most so many `rows`, `u` and `v` apart: some at a time."""
        count = len(self.key)
        row = self.row / rows
        for below in range(int(np.ceil(rows)) + 1):
            at = self.key + below * self.step
            first = np.arange(1, count + 1) if not below else np.searchsorted(self.key, at - v, side="left")
            last = np.searchsorted(self.key, at + v, side="right")
            many = np.maximum(last - first, 0)
            until = np.cumsum(many)
            start = 0
            while start < count:
                done = int(until[start - 1]) if start else 0
                end = max(start + 1, int(np.searchsorted(until, done + BLOCK_PAIRS, side="right")))
                own = many[start:end]
                one = np.repeat(np.arange(start, end), own)
                other = np.repeat(first[start:end] - (until[start:end] - own), own) + np.arange(done, done + len(one))
                start = end
                good = np.abs(self.u[other] - self.u[one]) <= u
                one, other = one[good], other[good]
                good = (np.abs(row[other] - row[one]) <= 1) & (np.abs(self.v[other] - self.v[one]) <= v)
                yield one[good], other[good]


class Pairs(NamedTuple):
    """(p,) of each ordered pair, sorted by `one`: the numbers of the hits, how many `rows` the other is behind, and how
    far away in `u` and `v`."""

    one: Array
    rows: Floats
    u: Floats
    v: Floats


def pairs_of(hits: Hits, order: InOrder | None = None) -> Pairs:
    """Return all pairs of hits of one group that are at most ROWS rows and the reach apart, of each hit the MOST whose
    lines are least inclined; `order`: of these hits, where it is there already."""
    order = order or InOrder.of(hits, ROWS, hits.reach[1])
    close = 1.0 + 1e-9
    found = list(order.near(ROWS * close, hits.reach[0] * close, hits.reach[1] * close))
    a, b = (np.concatenate([pair[side] for pair in found]) for side in (0, 1))
    rows, u, v = (column[b] - column[a] for column in (order.row, order.u, order.v))
    apart = rows != 0
    a, b, rows, u, v = a[apart], b[apart], rows[apart], u[apart], v[apart]
    away = np.hypot(u / hits.reach[0], v / hits.reach[1]) / np.abs(rows) + 1e-4
    one = np.concatenate([order.number[a], order.number[b]])
    rows, u, v = (np.concatenate([column, -column]) for column in (rows, u, v))
    inclined = away / (1.001 * float(away.max(initial=1.0)))
    sorted_by = np.argsort(one + np.concatenate([inclined, inclined]))  # by the hit, and then by how inclined
    one = one[sorted_by]
    counts = np.bincount(one, minlength=len(hits.row))
    rank = np.arange(len(one)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = sorted_by[rank < MOST]
    return Pairs(one[rank < MOST], rows[kept], u[kept], v[kept])


class Lines(NamedTuple):
    """(n,) of each hit: `between`: how far it is from the nearest line through a hit before and one behind it,
    `beyond`: through two on one side, in resolutions (FAR: there is none); `aligned`: rows around it that have a hit
    on the best line through it."""

    between: Floats
    beyond: Floats
    aligned: Floats


def lines_of(pairs: Pairs, count: int) -> Lines:
    """Return the lines through the neighbours of each of `count` hits."""
    found = Lines(np.full(count, FAR), np.full(count, FAR), np.zeros(count))
    many = np.bincount(pairs.one, minlength=count)
    first = np.cumsum(many) - many
    # Hits with the most neighbours first: those that have a k-th one are the first so many.
    hits = np.argsort(-many, kind="stable")[: int((many > 1).sum())]
    for start in range(0, len(hits), BLOCK_HITS):
        own = hits[start : start + BLOCK_HITS]
        most = int(many[own[0]])
        place = np.minimum(first[own] + np.arange(most)[:, None], len(pairs.one) - 1)
        lengths = np.searchsorted(-many[own], -np.arange(most), side="left")
        for whole, part in zip(
            found, _lines((pairs.rows[place], pairs.u[place], pairs.v[place]), lengths), strict=True
        ):
            whole[own] = part
    return found


def _lines(neighbours: tuple[Floats, Floats, Floats], lengths: Array) -> Lines:
    """Return the lines of hits whose k-th neighbours are the first `lengths[k]` of row k of rows, u, v."""
    rows, u, v = neighbours
    most, count = rows.shape
    between, beyond = np.full(count, FAR**2), np.full(count, FAR**2)
    bits = np.zeros((most, count), np.uint8)  # of a hit and its neighbour: which rows have a hit on the line of both
    bit = np.left_shift(np.uint8(1), (rows.astype(np.int64) + ROWS).clip(0, 2 * ROWS).astype(np.uint8))
    for second in range(1, most):
        n = int(lengths[second])
        if not n:
            break
        b, bu, bv = rows[second, :n], u[second, :n], v[second, :n]
        for one in range(second):
            a = rows[one, :n]
            apart = b - a
            same = apart == 0
            apart[same] = 1.0
            away = ((u[one, :n] * b - bu * a) / apart) ** 2 + ((v[one, :n] * b - bv * a) / apart) ** 2
            away[same] = np.inf
            opposite = a * b < 0
            np.minimum(between[:n], np.where(opposite, away, np.inf), out=between[:n])
            np.minimum(beyond[:n], np.where(opposite, np.inf, away), out=beyond[:n])
            near = away < ON_LINE**2
            bits[one, :n] |= np.where(near, bit[second, :n], np.uint8(0))
            bits[second, :n] |= np.where(near, bit[one, :n], np.uint8(0))
    best = POPULATION[bits].max(axis=0)
    return Lines(np.sqrt(between), np.sqrt(beyond), np.where(best > 0, best + 1.0, 0.0))
