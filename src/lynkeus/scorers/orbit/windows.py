"""What one window says of each channel: mean, spread, repeats and gaps of its conditional residual."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Batch, Floats
from lynkeus.transforms.rows import fill_missing, fold, rows_of

CHUNK_ROWS = 600  # a chunk of residuals stays in the cache


class WindowStatistics(NamedTuple):
    """All (n, channel) float32: `mean` of the residual in conditional sigmas, `spread` (squares around it, summed),
    `repeats` (neighbouring shots with equal values), `missing` (shots without a value; None: nowhere any); `length`:
    shots per window."""

    mean: Floats
    spread: Floats
    repeats: Floats
    missing: Floats | None
    length: int

    def rows(self, index: Array) -> WindowStatistics:
        """Return the statistics of some windows, by index."""
        missing = None if self.missing is None else self.missing[index]
        return WindowStatistics(self.mean[index], self.spread[index], self.repeats[index], missing, self.length)

    def mostly_missing(self) -> Array:
        """Return a mask (n,) of the windows that lack more than half of their values."""
        if self.missing is None:
            return np.zeros(len(self.mean), bool)
        return self.missing.mean(axis=1) > 0.5 * self.length


def window_statistics(batch: Batch, centre: Floats, to_residual: Floats) -> WindowStatistics:
    """Return the statistics of every window of a batch; `centre` (c,), `to_residual` (c, c) float32."""
    raw, length = rows_of(batch)
    rows, missing = fill_missing(raw, centre)
    n, channels = len(rows) // length, rows.shape[1]
    mean, spread = np.empty((n, channels), np.float32), np.empty((n, channels), np.float32)
    offset = centre @ to_residual
    step = max(1, CHUNK_ROWS // length)
    for first in range(0, n, step):
        part = slice(first, first + step)
        residual = np.matmul(rows[first * length : (first + step) * length], to_residual, dtype=np.float32)
        residual -= offset  # before squaring: the offset is thousands of sigmas, single precision has seven digits
        shots = fold(residual, length)
        np.add.reduce(shots, axis=1, out=mean[part])
        mean[part] /= length
        np.einsum("wtc,wtc->wc", shots, shots, out=spread[part])
        spread[part] -= length * mean[part] ** 2
    np.maximum(spread, 1e-3, out=spread)
    gaps = None if missing is None else fold(missing, length).sum(axis=1, dtype=np.float32)
    return WindowStatistics(mean, spread, _repeats(fold(raw, length)), gaps, length)


def residuals(window: Batch, centre: Floats, to_residual: Floats) -> Floats:
    """Return the residual (shots, c) of each shot of a batch of one window, in conditional sigmas."""
    rows, _ = fill_missing(rows_of(window)[0], centre)
    return np.asarray((rows - centre) @ to_residual, np.float32)


def _repeats(shots: Floats) -> Floats:
    """Return the number of equal neighbours (n, channel), counted only where the two middle shots are equal.

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
