"""Neighbourhood of hits: how many others lie around one, whether they lie on a line with it, and what is hot.

A track leaves a hit in row after row along a line; noise does not. Columns that a file does not have are computed from
event, row, pad and time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.transforms.hits.pairs import ROWS, Hits, InOrder, lines_of, pairs_of

NEAR = (
    "near/before", "near/behind", "near/between", "near/beyond", "near/aligned", "near/rows", "near/hits",
    "near/same_row", "near/same_time", "near/same_place", "near/event",
)  # fmt: skip
BESIDE = (0.5, 25.0, 10.0)  # rows, and resolutions in pads and times, around a hit that are its own row
BLOCK = (6.0, 100.0, 5.0)  # the same in which a burst of a card is seen
CHANCE = 6.0  # neighbours of a hit by chance
NEXT = np.array([10.0, 0.0, 0.0])  # how far the next row is where the scales are looked for
SAMPLE = 30_000  # hits by which the scales are found
APART = 1e4  # between events, so that none is near another


class Scales(NamedTuple):
    """`u`, `v`: resolution of the positions across the rows (pads, times); `reach_u`, `reach_v`: how far neighbours are
    looked for over all rows, in the same units as the positions."""

    u: float = 0.3
    v: float = 0.3
    reach_u: float = 12.0
    reach_v: float = 12.0


def find_scales(group: Array, row: Floats, u: Floats, v: Floats) -> Scales:
    """Return the scales of positions whose units are not known.

    The resolution is that of hits in three rows one behind the other: how far the middle one is off the line through
    the others. Neighbours are looked for so far that not more than CHANCE hits are expected there by chance.
    """
    some = np.isin(group, np.unique(group)[:50]) & np.isfinite(row) & np.isfinite(u) & np.isfinite(v)
    group, row, u, v = (column[some][:SAMPLE] for column in (group, row, u, v))
    if len(row) < 100:
        return Scales()
    spans = [max(float(np.ptp(column)), 1e-9) for column in (u, v)]
    place = np.stack([group * APART + row * 10.0, u / spans[0], v / spans[1]], axis=1)
    from scipy.spatial import cKDTree  # here: it takes a third of a second, and all that score import this

    tree = cKDTree(place)
    away, behind = tree.query(place + NEXT, distance_upper_bound=0.2)
    before = tree.query(place - NEXT, distance_upper_bound=0.2)[1]
    both = np.flatnonzero((behind < len(row)) & (before < len(row)))
    volumes = len(np.unique(group)) * max(float(np.ptp(row)) + 1.0, 1.0) * spans[0] * spans[1]
    area = CHANCE * volumes / (len(row) * 2 * ROWS)  # of a window in one row
    if len(both) < 50:
        steps, off = [span / 100.0 for span in spans], [span / 500.0 for span in spans]
    else:
        close = both[away[both] <= np.median(away[both])]
        steps = [float(np.median(np.abs(own[behind[close]] - own[close]))) for own in (u, v)]
        off = [float(np.median(np.abs(own[behind[close]] + own[before[close]] - 2 * own[close]))) for own in (u, v)]
    steps = [max(step, span / 2000.0) for step, span in zip(steps, spans, strict=True)]
    ratio = float(np.clip(steps[0] / steps[1], 0.1 * spans[0] / spans[1], 10.0 * spans[0] / spans[1]))
    reach = [float(np.sqrt(area * ratio) / 2.0), float(np.sqrt(area / ratio) / 2.0)]
    reach = [float(np.clip(own, 4 * step, span / 3.0)) for own, step, span in zip(reach, steps, spans, strict=True)]
    found = [max(0.7 * own, span / 3000.0) for own, span in zip(off, spans, strict=True)]
    return Scales(*found, *reach)


def neighbourhood(group: Array, row: Floats, u: Floats, v: Floats, scales: Scales) -> Floats:
    """Return (n, len(NEAR)) of hits whose events are whole: `group` is a number for event and sector, `row` that of
    the pad row, `u`, `v` the positions across it; NaN where a position is not known."""
    count = len(row)
    whole = np.unique(group, return_inverse=True)[1].reshape(-1)
    reach = (scales.reach_u / scales.u, scales.reach_v / scales.v)
    hits = Hits(whole, row, u / scales.u, v / scales.v, reach)
    found = np.zeros((count, len(NEAR)), np.float32)
    if not count:
        return found
    order = InOrder.of(hits, BLOCK[0], max(reach[1], BLOCK[2], BESIDE[2]))
    pairs = pairs_of(hits, order)
    away = np.hypot(pairs.u / reach[0], pairs.v / reach[1])
    for column, side in enumerate((-1.0, 1.0)):
        nearest = np.full(count, 2.0)
        own = pairs.rows == side
        np.minimum.at(nearest, pairs.one[own], away[own])
        found[:, column] = nearest
    found[:, 2:5] = np.stack(lines_of(pairs, count), axis=1)
    seen = np.zeros((count, 2 * ROWS + 1), bool)
    seen[pairs.one, (np.rint(pairs.rows) + ROWS).astype(int)] = True
    found[:, 5] = seen.sum(axis=1)
    found[:, 6] = np.bincount(pairs.one, minlength=count)
    found[:, 7:9] = _beside(order, count)
    place = np.stack([whole, np.rint(row), np.floor(hits.u / 4.0)], axis=1)
    found[:, 9] = _alike(place)
    found[:, 10] = np.log1p(_alike(whole[:, None]))
    found[~np.isfinite(hits.row + hits.u + hits.v)] = np.nan
    return found


def _beside(order: InOrder, count: int) -> Floats:
    """Return (n, 2) how many others are in the same row nearby, and at the same time in the rows and pads around."""
    counted = np.zeros((count, 2))
    for column, (rows, pads, times) in enumerate((BESIDE, BLOCK)):
        many = np.zeros(len(order.number))
        for pair in order.near(rows, pads, times):
            for side in pair:
                many += np.bincount(side, minlength=len(many))
        counted[order.number, column] = many
    return np.log1p(counted)


def _alike(rows: Array) -> Floats:
    """Return (n,) how often each row of an array is there."""
    order = np.lexsort(rows.T)
    changes = np.any(np.diff(rows[order], axis=0) != 0, axis=1)
    number = np.concatenate([[0], np.cumsum(changes)])
    found = np.empty(len(rows))
    found[order] = np.bincount(number)[number]
    return found
