"""What one window says of each channel: mean, spread, repeats and gaps of its conditional residual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Batch, Floats
from lynkeus.scorers.orbit.gaps import Gap, fill
from lynkeus.scorers.orbit.geometry import Geometry
from lynkeus.scorers.orbit.loops import compiled
from lynkeus.scorers.orbit.thin import Thin
from lynkeus.transforms.rows import fold, rows_of

LEAST_SPREAD = np.float32(1e-3)  # spread
LONG = 4  # shots of a window in which repeats are counted
CHUNK_BYTES = 500_000  # a chunk of residuals stays in the cache


class WindowStatistics(NamedTuple):
    """All (n, channel) float32: `mean` of the residual in conditional sigmas, `spread` (squares around it, summed),
    `repeats` (neighbouring shots with equal values), `missing` (shots without a value; None: nowhere any); `length`:
    shots per window; `raw`: the mean of the rows themselves, away from the centre. Where values are missing the mean is
    that without them: `gaps` says of such windows how it moves with what is expected of them. `gone`: where no value is
    there, and who gives the samples says so."""

    mean: Floats
    spread: Floats
    repeats: Floats
    missing: Floats | None
    length: int
    raw: Floats
    gaps: Mapping[int, Gap] = {}
    gone: npt.NDArray[np.bool_] | None = None

    def rows(self, index: Array) -> WindowStatistics:
        """Return the statistics of some windows, by index."""
        missing = None if self.missing is None else self.missing[index]
        few = self.mean[index], self.spread[index], self.repeats[index]
        return WindowStatistics(*few, missing, self.length, self.raw[index])

    def without_missing(self, said: Array) -> WindowStatistics:
        """Return them with what is missing no evidence where it is `said` (n,) by who gives the samples."""
        if self.missing is None:
            return self
        kept = self.mostly_missing() | ~said
        missing = np.where(kept[:, None], self.missing, np.float32(0.0))
        return self._replace(missing=missing, gone=(self.missing >= self.length) & ~kept[:, None])

    def mostly_missing(self) -> Array:
        """Return a mask (n,) of the windows that lack more than half of their values."""
        if self.missing is None:
            return np.zeros(len(self.mean), bool)
        return _most(self.missing, self.length)


def window_statistics(batch: Batch, geometry: Geometry) -> WindowStatistics:
    """Return the statistics of every window of a batch. Means are of the full residuals, computed from those of the
    rows; spreads of the rows one by one, by what is nearly as good and costs less."""
    rows, length = rows_of(batch)
    loops = compiled(rows) if rows.dtype == np.float32 else None
    found = Moments.of(len(rows) // length, rows.shape[1], length)
    step = max(1, CHUNK_BYTES // (4 * rows.shape[1] * length))
    product = Product(geometry.to_spread, step * length)
    away = np.empty((step * length, rows.shape[1]), np.float32)
    gaps: dict[int, Gap] = {}
    for first in range(0, len(found.mean), step):
        part = found.part(slice(first, first + step))
        some = np.ascontiguousarray(rows[first * length : (first + len(part.mean)) * length])
        if loops is None:
            centred(some, geometry.centre, length, away, part)
        else:
            loops.centred(some, geometry.centre, length, away, tuple(part))
        filled = _fill_gaps(some, away, part, length, geometry) if part.missing.any() else None
        if filled is not None:
            gaps.update(zip((first + filled[0]).tolist(), filled[2], strict=True))
        if length > 2:
            (loops.spread_of if loops else spread_of)(*product.of(away[: len(some)]), length, part.spread)
            if filled is not None:
                part.spread[filled[0]] += filled[1]
    mean = np.asarray(found.mean @ geometry.to_residual, np.float32)
    missing = found.missing if found.missing.any() else None
    return WindowStatistics(mean, found.spread, found.repeats, missing, length, found.mean, gaps)


class Moments(NamedTuple):
    """Of windows and channels (n, c), float32: the `mean` away from the centre of the values that are there, 0 where
    none is; how many are `missing`; `repeats`, and the `spread`."""

    mean: Floats
    repeats: Floats
    missing: Floats
    spread: Floats

    @classmethod
    def of(cls, windows: int, channels: int, length: int) -> Self:
        """Return room for the moments of so many windows of some length."""
        shape = windows, channels
        repeats = np.empty(shape, np.float32) if length >= LONG else np.zeros(shape, np.float32)
        spread = np.empty(shape, np.float32) if length > 2 else np.full(shape, LEAST_SPREAD, np.float32)
        return cls(np.empty(shape, np.float32), repeats, np.zeros(shape, np.float32), spread)

    def part(self, windows: slice) -> Moments:
        """Return those of some windows."""
        return Moments(*(each[windows] for each in self))


def centred(rows: Floats, centre: Floats, length: int, away: Floats, found: Moments) -> None:
    """Write how far rows (n * length, c) are `away` from the mean of their window, that mean less the `centre`, and how
    many values repeat the one before or are missing; these are at the mean of the others."""
    mean = found.mean
    shots = fold(np.subtract(rows, centre, out=away[: len(rows)], casting="same_kind"), length)
    np.add.reduce(shots, axis=1, out=mean)
    gaps = None if np.isfinite(mean.sum()) else ~np.isfinite(shots)
    if gaps is None:
        mean *= np.float32(1.0 / length)
    else:
        np.copyto(shots, np.float32(0.0), where=gaps)
        found.missing[:] = gaps.sum(axis=1)
        np.add.reduce(shots, axis=1, out=mean)
        mean /= np.maximum(np.float32(length) - found.missing, np.float32(1.0))
    shots -= mean[:, None]
    if gaps is not None:
        np.copyto(shots, np.float32(0.0), where=gaps)
    found.repeats[:] = _repeats(fold(rows, length))


def _fill_gaps(
    rows: Floats, away: Floats, found: Moments, length: int, geometry: Geometry
) -> tuple[npt.NDArray[np.intp], Floats, list[Gap]]:  # fmt: skip
    """Fill what is missing in rows `away` from the mean of their window, and in that mean, unless most is missing.
    Return in which windows (m,) something is; how much less (m, c) their sums of squares are for it; and what is."""
    some = np.flatnonzero(found.missing.any(axis=1) & ~_most(found.missing, length))
    if not len(some):
        return some, found.spread[some], []
    own = fold(rows, length)[some].reshape(-1, rows.shape[1])
    missing = ~np.isfinite(own)
    filled = np.where(missing, np.float32(0.0), own - geometry.centre).astype(np.float32)
    missing &= geometry.used
    mean, gaps, less = fill(filled, missing, length, geometry.sigma.astype(np.float32), geometry.correlation)
    found.mean[some] = mean
    fold(away[: len(rows)], length)[some] = fold(filled, length)
    return some, less, gaps


def _most(missing: Floats, length: int) -> Array:
    """Return a mask (n,) of the windows that lack more than half of their values."""
    return np.asarray(missing.mean(axis=1) > 0.5 * length)


def spread_of(product: Floats, away: Floats, scale: Floats, length: int, spread: Floats) -> None:
    """Write the sums of squares (n, c) over windows of `product + away * scale`, of rows that are away from the mean of
    their window."""
    if scale.any():
        product += np.multiply(away, scale, out=away)
    shots = fold(product, length)
    np.einsum("wtc,wtc->wc", shots, shots, out=spread)
    np.maximum(spread, LEAST_SPREAD, out=spread)


class Product:
    """Products of up to `most` rows with a matrix: what is given is overwritten by the next one."""

    def __init__(self, matrix: Floats | Thin, most: int) -> None:
        self.first: Floats
        self.second: Floats | None
        if isinstance(matrix, Thin):
            self.first, self.second, self.scale = matrix.left, matrix.right, matrix.scale
        else:
            self.first, self.second, self.scale = matrix, None, np.zeros(len(matrix), np.float32)
        self.few = np.empty((most, self.first.shape[1]), np.float32)
        self.out = np.empty((most, len(self.scale)), np.float32)

    def of(self, rows: Floats) -> tuple[Floats, Floats, Floats]:
        """Return a product, the rows and a `scale` (c,): the product with the matrix is `product + rows * scale`."""
        product = np.matmul(rows, self.first, out=self.few[: len(rows)])
        if self.second is not None:
            product = np.matmul(product, self.second, out=self.out[: len(rows)])
        return product, rows, self.scale


def residuals(window: Batch, geometry: Geometry) -> Floats:
    """Return the residual (shots, c) of each shot of a batch of one window, in conditional sigmas, away from their
    mean; 0 where a value is missing."""
    rows, length = rows_of(window)
    missing = ~np.isfinite(rows)
    away = np.where(missing, np.float32(0.0), rows - geometry.centre).astype(np.float32)
    fill(away, missing & geometry.used, length, geometry.sigma.astype(np.float32), geometry.correlation)
    return np.asarray(away @ geometry.to_residual, np.float32)


def _repeats(shots: Floats) -> Floats:
    """Return the number of equal neighbours (n, channel), counted only where the two middle shots are equal.

    A value that is held for more than half of the window always covers the middle, and few channels repeat by chance.
    """
    n, length, channels = shots.shape
    repeats = np.zeros((n, channels), np.float32)
    if length < LONG:
        return repeats
    middle = length // 2
    window, channel = np.divmod(np.flatnonzero(shots[:, middle - 1] == shots[:, middle]), channels)
    held = shots[window, :, channel]
    repeats[window, channel] = np.add.reduce((held[:, 1:] == held[:, :-1]).view(np.int8), axis=1, dtype=np.int8)
    return repeats
