"""What one window says of each channel: mean, spread, repeats and gaps of its conditional residual."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Batch, Floats
from lynkeus.scorers.orbit.thin import Thin, product_of
from lynkeus.transforms.rows import fill_missing, fold, rows_of

CHUNK_BYTES = 500_000  # a chunk of residuals stays in the cache


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


def window_statistics(batch: Batch, centre: Floats, to_residual: Floats | Thin) -> WindowStatistics:
    """Return the statistics of every window of a batch; `centre` (c,), `to_residual` (c, c) float32."""
    raw, length = rows_of(batch)
    found = _moments(raw, length, centre, to_residual)
    gaps = None
    if not np.isfinite(found[0].sum()):  # a gap anywhere is a gap in all residuals: asked of the means, that are fewer
        rows, missing = fill_missing(raw, centre)
        found = _moments(rows, length, centre, to_residual)
        gaps = None if missing is None else fold(missing, length).sum(axis=1, dtype=np.float32)
    return WindowStatistics(*found, _repeats(fold(raw, length)), gaps, length)


def _moments(rows: Floats, length: int, centre: Floats, to_residual: Floats | Thin) -> tuple[Floats, Floats]:
    """Return mean and spread (n, c) of every window of rows; a NaN where the first gap is, and nothing after it."""
    n, channels = len(rows) // length, rows.shape[1]
    mean, spread = np.full((n, channels), np.nan, np.float32), np.empty((n, channels), np.float32)
    offset = (centre @ to_residual).astype(np.float32)
    step = max(1, CHUNK_BYTES // (4 * channels * length))
    product = product_of(to_residual, offset, step * length)
    for first in range(0, n, step):
        part = slice(first, min(first + step, n))
        shots = fold(product(rows[first * length : part.stop * length]), length)
        total = np.add.reduce(shots, axis=1, out=mean[part])
        total *= np.float32(1.0 / length)
        if not np.isfinite(total.sum()):
            break
        np.einsum("wtc,wtc->wc", shots, shots, out=spread[part])
        spread[part] -= np.float32(length) * (total * total)
    np.maximum(spread, 1e-3, out=spread)
    return mean, spread


def residuals(window: Batch, centre: Floats, to_residual: Floats | Thin) -> Floats:
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
    window, channel = np.divmod(np.flatnonzero(shots[:, middle - 1] == shots[:, middle]), channels)
    held = shots[window, :, channel]
    repeats[window, channel] = np.add.reduce((held[:, 1:] == held[:, :-1]).view(np.int8), axis=1, dtype=np.int8)
    return repeats
