"""A simple tracker: seeds of three hits, followed from row to row with a g-h-k filter, the longest tracks first.

It makes mistakes as trackers do: it takes up noise that lies on the way, loses hits where tracks cross, and misses
short and strongly bent tracks. What it says of a hit is a label with noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats

GAINS = (0.65, 0.35, 0.06)  # of position, slope and curvature
SPAN = 3  # rows that a seed reaches over
STEEP = (5.0, 4.0)  # pads, time bins a row, of seeds
APART = 4  # rows between those that seeds start from


@dataclass(frozen=True)
class TrackerSettings:
    """`window`: how far a hit may be from where it is expected, in pads and time bins; `fewest`: hits of a track;
    `gap`: rows in a row without a hit after which a track ends; `shared`: share of its hits that may belong to a longer
    one."""

    window: tuple[float, float] = (1.8, 2.8)
    fewest: int = 9
    gap: int = 3
    shared: float = 0.3


class _Rows(NamedTuple):
    """Hits by row, padded: `at` (rows, most, 2) pad and time, far away where there is none; `hit` (rows, most): their
    numbers, -1 for none."""

    at: Floats
    hit: Array


def find_tracks(row: Array, pad: Floats, time: Floats, settings: TrackerSettings | None = None) -> Array:
    """Return (n,) the number of the track that each hit of one event belongs to, -1 for none."""
    settings = settings or TrackerSettings()
    found = np.full(len(row), -1)
    if not len(row):
        return found
    first, last = int(row.min()), int(row.max())
    many = 0
    for start in range(last, first + SPAN, -APART):
        by_row = _by_row(row - first, pad, time, found < 0)
        seeds = _seeds(by_row, start - first)
        if not len(seeds):
            continue
        paths = _follow(by_row, seeds, start - first, settings)
        for path in _longest(paths, settings):
            found[path] = many
            many += 1
    return found


def _by_row(row: Array, pad: Floats, time: Floats, free: Array) -> _Rows:
    chosen = np.flatnonzero(free)
    order = chosen[np.argsort(row[chosen], kind="stable")]
    counts = np.bincount(row[order], minlength=int(row.max()) + 1)
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    most = max(1, int(counts.max()))
    at = np.full((len(counts), most, 2), 1e6)
    hit = np.full((len(counts), most), -1)
    at[row[order], place] = np.stack([pad[order], time[order]], axis=1)
    hit[row[order], place] = order
    return _Rows(at, hit)


def _seeds(by_row: _Rows, start: int) -> Floats:
    """Return (s, 2, 3) position, slope and curvature per row, in pads and times, at the row `start` of hits there that
    go on in the rows before it along a straight line."""
    rows = [start, start - 1, start - SPAN]
    one, two, three = (by_row.at[k][by_row.hit[k] >= 0] for k in rows)
    if min(map(len, (one, two, three))) == 0:
        return np.zeros((0, 2, 3))
    slope = (one[:, None, :] - three[None, :, :]) / SPAN
    a, c = np.nonzero((np.abs(slope) < STEEP).all(axis=2))
    slope = slope[a, c]
    expected = one[a] - slope
    away = np.abs(two[None, :, :] - expected[:, None, :]) / (1.0, 1.5)
    good = (away.max(axis=2).min(axis=1) < 1.0) if len(a) else np.zeros(0, bool)
    state = np.zeros((int(good.sum()), 2, 3))
    state[:, :, 0], state[:, :, 1] = one[a[good]], -slope[good]
    return state


def _follow(by_row: _Rows, seeds: Floats, start: int, settings: TrackerSettings) -> Array:
    """Return (s, rows) numbers of the hits of each seed, -1 where it has none; first down the rows, then up."""
    paths = np.full((len(seeds), len(by_row.at)), -1)
    end = _along(by_row, seeds, range(start, -1, -1), settings, paths)
    back = end.copy()  # not used where a track ended early: what is up is found from its own beginning
    back[:, :, :] = seeds
    back[:, :, 1] *= -1.0
    _along(by_row, back, range(start + 1, len(by_row.at)), settings, paths, moved=True)
    return paths


def _along(
    by_row: _Rows, seeds: Floats, rows: range, settings: TrackerSettings, paths: Array, moved: bool = False
) -> Floats:
    """Follow seeds along rows and write their hits into `paths`; return where they ended up. `moved`: the first of the
    rows is the one after that of the seeds."""
    state, missed = seeds.copy(), np.zeros(len(seeds), int)
    window = np.array(settings.window)
    for number, row in enumerate(rows):
        if number or moved:
            state[:, :, 0] += state[:, :, 1] + 0.5 * state[:, :, 2]
            state[:, :, 1] += state[:, :, 2]
        alive = np.flatnonzero(missed <= settings.gap)
        if not len(alive):
            break
        away = by_row.at[row][None, :, :] - state[alive, None, :, 0]
        far = (np.abs(away) / window).max(axis=2)
        best = far.argmin(axis=1)
        near = far[np.arange(len(alive)), best] < 1.0
        hit, miss = alive[near], alive[~near]
        paths[hit, row] = by_row.hit[row][best[near]]
        off = away[np.arange(len(alive)), best][near]
        for order, gain in enumerate(GAINS):
            state[hit, :, order] += gain * off
        missed[hit] = 0
        missed[miss] += 1
    return state


def _longest(paths: Array, settings: TrackerSettings) -> list[Array]:
    """Return the hits of tracks, the longest first, none of which shares too many with one before it."""
    length = (paths >= 0).sum(axis=1)
    taken: set[int] = set()
    found = []
    for k in np.argsort(-length, kind="stable"):
        if length[k] < settings.fewest:
            break
        own = paths[k][paths[k] >= 0]
        free = np.array([hit for hit in own.tolist() if hit not in taken], int)
        if len(free) >= max(settings.fewest, (1.0 - settings.shared) * len(own)):
            taken.update(free.tolist())
            found.append(free)
    return found
