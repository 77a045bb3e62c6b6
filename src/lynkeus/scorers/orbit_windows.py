"""What one window says of each channel: mean, spread, repeats and gaps of its conditional residual."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Batch, Floats
from lynkeus.transforms.rows import fill_missing, fold, rows_of

CHUNK_ROWS = 2000  # a chunk of residuals stays in the cache


class WindowStatistics(NamedTuple):
    """All (n, channel) float32: `mean` of the residual in conditional sigmas, `spread` (sum of squares around the mean),
    `repeats` (neighbouring shots with equal values), `missing` (shots without a value); `length`: shots per window."""

    mean: Floats
    spread: Floats
    repeats: Floats
    missing: Floats
    length: int

    def row(self, index: int) -> WindowStatistics:
        """One window."""
        one = slice(index, index + 1)
        return self._replace(
            mean=self.mean[one], spread=self.spread[one], repeats=self.repeats[one], missing=self.missing[one]
        )


def window_statistics(batch: Batch, centre: Floats, to_residual: Floats) -> WindowStatistics:
    """Statistics of every window of a batch; `centre` (c,), `to_residual` (c, c) float32."""
    raw, length = rows_of(batch)
    rows, missing = fill_missing(raw, centre)
    n, channels = len(rows) // length, rows.shape[1]
    mean, spread = np.empty((n, channels), np.float32), np.zeros((n, channels), np.float32)
    offset = centre @ to_residual
    step = max(1, CHUNK_ROWS // length)
    for first in range(0, n, step):
        part = rows[first * length : (first + step) * length]
        residual = fold(np.matmul(part, to_residual, dtype=np.float32), length)
        total = residual[:, 0] - offset
        square = total * total
        for shot in range(1, length):
            value = residual[:, shot] - offset
            total += value
            value *= value
            square += value
        total /= length
        mean[first : first + step] = total
        total *= total
        total *= length
        square -= total
        spread[first : first + step] = square
    np.maximum(spread, 1e-3, out=spread)
    gaps = np.zeros((1, channels), np.float32) if missing is None else fold(missing, length).sum(axis=1, dtype=np.float32)
    return WindowStatistics(mean, spread, _repeats(fold(raw, length)), np.broadcast_to(gaps, (n, channels)), length)


def _repeats(shots: Floats) -> Floats:
    """Equal neighbours per window and channel, counted only where the two middle shots are equal.

    A value that is held for more than half of the window always covers the middle, and few channels repeat by chance.
    """
    n, length, channels = shots.shape
    repeats = np.zeros((n, channels), np.float32)
    if length < 4:
        return repeats
    middle = length // 2
    window, channel = np.nonzero(shots[:, middle - 1] == shots[:, middle])
    held = shots[window, :, channel]
    repeats[window, channel] = (held[:, 1:] == held[:, :-1]).sum(axis=1)
    return repeats
