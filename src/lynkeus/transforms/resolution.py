"""Resolution: images made coarser by a whole factor, and finer again by what is linear: bicubic, or least squares."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Floats

KEYS = -0.5  # of the bicubic kernel (Keys 1981)
REACH = 2  # coarse pixels around one that a linear filter looks at
PULL = 1e-4  # of the variance of a pixel: keeps the filter from what is hardly there
MOST_ROWS = 400_000  # coarse pixels that it is learned from


def coarser(images: Array, factor: int) -> Floats:
    """Return images (n, c, row, column) of `factor` so many fewer rows and columns: means of squares of pixels; what
    is left over at the lower and right edge is cut off."""
    rows, columns = images.shape[2] // factor * factor, images.shape[3] // factor * factor
    blocks = np.asarray(images[:, :, :rows, :columns], float)
    blocks = blocks.reshape(*images.shape[:2], rows // factor, factor, columns // factor, factor)
    found: Floats = blocks.mean(axis=(3, 5))
    return found


def to_depth(images: Array, factor: int) -> Array:
    """Return (n, c factor^2, row, column) the pixels of each square as channels; `from_depth` is the inverse."""
    n, c, rows, columns = images.shape
    blocks = images.reshape(n, c, rows // factor, factor, columns // factor, factor)
    return blocks.transpose(0, 1, 3, 5, 2, 4).reshape(n, c * factor**2, rows // factor, columns // factor)


def from_depth(depth: Array, factor: int) -> Array:
    """Return images (n, c, row, column) of what `to_depth` returned."""
    n, many, rows, columns = depth.shape
    blocks = depth.reshape(n, many // factor**2, factor, factor, rows, columns)
    return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(n, many // factor**2, rows * factor, columns * factor)


def bicubic(images: Array, factor: int) -> Floats:
    """Return images (n, c, row, column) with `factor` so many more rows and columns, by Keys' cubic convolution; beyond
    the edges they go on as they end."""
    found: Floats = np.einsum("ri,ncij,sj->ncrs", _cubic(images.shape[2], factor), np.asarray(images, float),
                              _cubic(images.shape[3], factor), optimize=True)  # fmt: skip
    return found


def _cubic(length: int, factor: int) -> Floats:
    """Return the matrix (length factor, length) of the interpolation along an axis."""
    place = (np.arange(length * factor) + 0.5) / factor - 0.5
    first = np.floor(place).astype(int)
    matrix = np.zeros((len(place), length))
    for offset in (-1, 0, 1, 2):
        far = np.abs(place - (first + offset))
        near = (KEYS + 2) * far**3 - (KEYS + 3) * far**2 + 1
        tail = KEYS * (far**3 - 5 * far**2 + 8 * far - 4)
        weight = np.where(far <= 1, near, np.where(far < 2, tail, 0.0))
        np.add.at(matrix, (np.arange(len(place)), np.clip(first + offset, 0, length - 1)), weight)
    return matrix


class LinearFilter(NamedTuple):
    """The best linear guess of the pixels of a square from coarse pixels around it: (x - `centre`) @ `slope` +
    `start`."""

    centre: Floats
    slope: Floats
    start: Floats

    @classmethod
    def fit(cls, low: Floats, high: Floats, factor: int, seed: int = 0) -> Self:
        """Learn from coarse images (n, c, row, column) and fine ones."""
        x = _around(low)
        y = to_depth(high, factor).transpose(0, 2, 3, 1).reshape(len(x), -1)
        if len(x) > MOST_ROWS:
            rows = np.random.default_rng(seed).choice(len(x), MOST_ROWS, replace=False)
            x, y = x[rows], y[rows]
        centre, start = x.mean(axis=0), y.mean(axis=0)
        moved = x - centre
        square = moved.T @ moved / len(x)
        square += PULL * np.trace(square) / len(square) * np.eye(len(square))
        return cls(centre, np.linalg.solve(square, moved.T @ (y - start) / len(x)), start)

    def of(self, low: Floats, factor: int) -> Floats:
        """Return fine images (n, c, row, column)."""
        n, _, rows, columns = low.shape
        found = (_around(low) - self.centre) @ self.slope + self.start
        return from_depth(found.reshape(n, rows, columns, -1).transpose(0, 3, 1, 2), factor)


def _around(low: Floats) -> Floats:
    """Return (places, c (2 REACH + 1)^2) the coarse pixels around each; edges go on as they end."""
    edges = ((0, 0), (0, 0), (REACH, REACH), (REACH, REACH))
    wide = np.pad(np.asarray(low, float), edges, mode="edge")
    side = 2 * REACH + 1
    windows = np.lib.stride_tricks.sliding_window_view(wide, (side, side), axis=(2, 3))
    found: Floats = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, low.shape[1] * side**2)
    return found
