"""Rows of a window: how far they are from its mean, and how far they spread."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from lynkeus.scorers.orbit.compiled.signatures import COUNT, FAST, FASTEST, NOTHING, R1, R2, W2

CACHED = 256  # channels of a window of ten rows, and twice that, are in the first cache


@njit(fastmath=FAST)
def _sum_up(rows, centre, away, mean, missing, begin, end):
    share, gaps = np.float32(1.0 / len(rows)), np.float32(0.0)
    for channel in range(begin, end):
        mean[channel] = np.float32(0.0)
    for shot in range(len(rows)):
        given, far = rows[shot], away[shot]
        for channel in range(begin, end):
            value = np.float32(given[channel] - centre[channel])
            far[channel] = value
            mean[channel] += value
    for channel in range(begin, end):
        gaps += np.float32(0.0) if abs(mean[channel]) < np.inf else np.float32(1.0)
        mean[channel] *= share
    if gaps > 0.0:
        for channel in range(begin, end):
            mean[channel] = 0.0
            for shot in range(len(rows)):
                if np.isfinite(away[shot, channel]):
                    mean[channel] += away[shot, channel]
                else:
                    missing[channel] += np.float32(1.0)
            mean[channel] /= max(np.float32(len(rows)) - missing[channel], np.float32(1.0))
            for shot in range(len(rows) if missing[channel] > 0.0 else 0):
                if not np.isfinite(away[shot, channel]):
                    away[shot, channel] = mean[channel]
    for shot in range(len(rows)):
        far = away[shot]
        for channel in range(begin, end):
            far[channel] -= mean[channel]


@njit(fastmath=FAST)
def _repeats(rows, held, begin, end):
    for channel in range(begin, end):
        held[channel] = np.float32(0.0)
    for shot in range(1, len(rows)):
        now, before = rows[shot], rows[shot - 1]
        for channel in range(begin, end):
            held[channel] += np.float32(1.0) if now[channel] == before[channel] else np.float32(0.0)
    now, before = rows[len(rows) // 2], rows[len(rows) // 2 - 1]
    for channel in range(begin, end):
        held[channel] = held[channel] if now[channel] == before[channel] else np.float32(0.0)


@njit([NOTHING(R2, R1, COUNT, W2, types.UniTuple(W2, 4))], cache=True, fastmath=FAST)
def centred(rows, centre, length, away, found):
    """Write how far rows are away from the mean of their window, that mean, and what repeats or misses."""
    mean, repeats, missing, _ = found
    for window in range(len(mean)):
        some = slice(window * length, (window + 1) * length)
        for begin in range(0, rows.shape[1], CACHED):
            part = np.uint64(begin), np.uint64(min(begin + CACHED, rows.shape[1]))  # without a sign: none is negative
            _sum_up(rows[some], centre, away[some], mean[window], missing[window], *part)
            if length >= 4:
                _repeats(rows[some], repeats[window], *part)


@njit([NOTHING(R2, R2, R1, COUNT, W2)], cache=True, fastmath=FASTEST)
def spread_of(product, away, scale, length, spread):
    """Write the sums of squares over windows of `product + away * scale`."""
    for window in range(len(spread)):
        own = spread[window]
        own[:] = np.float32(0.0)
        for shot in range(window * length, (window + 1) * length):
            few, far = product[shot], away[shot]
            for channel in range(len(own)):
                value = few[channel] + far[channel] * scale[channel]
                own[channel] += value * value
        for channel in range(len(own)):
            own[channel] = max(own[channel], np.float32(1e-3))
