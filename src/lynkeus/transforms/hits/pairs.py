"""Pairs of hits that are near each other in neighbouring rows, and lines through them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from lynkeus.core.batch import Array, Floats

ROWS = 3  # how many rows before and behind are looked at
FAR = 20.0  # the largest distance from a line that is told, in resolutions
ON_LINE = 3.5  # resolutions within which a hit is on a line
MOST = 10  # neighbours of a hit that are looked at: the nearest
APART = 1e4  # between events, so that none is near another


class Hits(NamedTuple):
    """(n,) of each hit: `group`, a number for the event and the sector; `row`; positions `u`, `v` across the rows, such
    as pad and time, in units of their resolution; `reach`: how far in `u` and `v` neighbours are looked for, over all
    ROWS."""

    group: Array
    row: Floats
    u: Floats
    v: Floats
    reach: tuple[float, float]


class Pairs(NamedTuple):
    """(p,) of each ordered pair, sorted by `one`: the numbers of the hits, how many `rows` the other is behind, and how
    far away in `u` and `v`."""

    one: Array
    rows: Floats
    u: Floats
    v: Floats


def pairs_of(hits: Hits) -> Pairs:
    """Return all pairs of hits of one group that are at most ROWS rows and the reach apart, of each hit the MOST whose
    lines are least inclined."""
    place = np.stack([hits.group * APART, hits.row / ROWS, hits.u / hits.reach[0], hits.v / hits.reach[1]], axis=1)
    known = np.flatnonzero(np.isfinite(place).all(axis=1))
    tree = cKDTree(place[known], balanced_tree=False, compact_nodes=False)
    found = known[tree.query_pairs(1.0 + 1e-9, p=np.inf, output_type="ndarray")]
    one, other = np.concatenate([found, found[:, ::-1]]).T
    rows, u, v = (column[other] - column[one] for column in (hits.row, hits.u, hits.v))
    apart = rows != 0
    one, rows, u, v = one[apart], rows[apart], u[apart], v[apart]
    away = np.hypot(u / hits.reach[0], v / hits.reach[1]) + 1e-4 * np.abs(rows)
    order = np.lexsort((away / np.abs(rows), one))
    one = one[order]
    counts = np.bincount(one, minlength=len(hits.row))
    rank = np.arange(len(one)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = order[rank < MOST]
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
    between, beyond, aligned = np.full(count, FAR), np.full(count, FAR), np.zeros(count)
    many = np.bincount(pairs.one, minlength=count)
    start = np.cumsum(many) - many
    # Each pair (i, j) with each other pair (i, k) of the same hit.
    times = many[pairs.one]
    first = np.repeat(np.arange(len(pairs.one)), times)
    if not len(first):
        return Lines(between, beyond, aligned)
    second = start[pairs.one[first]] + np.arange(len(first)) - np.repeat(np.cumsum(times) - times, times)
    a, b = pairs.rows[first], pairs.rows[second]
    differs = a != b
    first, second, a, b = first[differs], second[differs], a[differs], b[differs]
    away = np.hypot(
        (pairs.u[first] * b - pairs.u[second] * a) / (b - a), (pairs.v[first] * b - pairs.v[second] * a) / (b - a)
    )
    hit = pairs.one[first]
    opposite = a * b < 0
    np.minimum.at(between, hit[opposite], away[opposite])
    np.minimum.at(beyond, hit[~opposite], away[~opposite])
    # On a line with j: rows of hits k whose line with j passes the hit nearby.
    near = away < ON_LINE
    bits = np.zeros(len(pairs.one), np.int64)
    np.bitwise_or.at(bits, first[near], 1 << (b[near].astype(np.int64) + ROWS))
    rows_on_line = _ones(bits) + 1.0
    np.maximum.at(aligned, pairs.one, np.where(bits > 0, rows_on_line, 0.0))
    return Lines(between, beyond, aligned)


def _ones(bits: Array) -> Floats:
    found = np.zeros(len(bits))
    for bit in range(2 * ROWS + 1):
        found += (bits >> bit) & 1
    return found
