"""Cells: the grid on which an image is judged, how it lies on the pixels, and places of which what is usual is kept.

NumPy only.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from lynkeus.core import Array, Floats

STRIDE = 8  # pixels from cell to cell; the centre of cell k is at pixel STRIDE * k + CENTRE
CENTRE = 3.5
STRIDES = (STRIDE, 4, 2)  # of small images, which are enlarged first, it is fewer of their pixels
FEWEST_CELLS = 12  # along the shorter side: with fewer, a blemish that is plain to see is a part of one cell
PLACES = 12  # along each side of an image, of which it is known what is usual


def as_bytes(pixels: Array) -> Array:
    """Return pixels rounded and clipped to 8 bits."""
    return pixels if pixels.dtype == np.uint8 else np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def stride_for(rows: int, columns: int) -> int:
    """Return how many pixels of images of this size are from cell to cell: so few that there are FEWEST_CELLS."""
    return next((stride for stride in STRIDES if min(rows, columns) >= FEWEST_CELLS * stride), STRIDES[-1])


def centre_of(cell: float, stride: int) -> float:
    """Return the pixel, along an axis, at which the centre of a cell is."""
    return stride * cell + (stride - 1) / 2


def to_pixels(grid: Floats, rows: int, columns: int, side: int = 1, stride: int = STRIDE) -> Floats:
    """Return a map of cells, `stride` pixels from one to the next, at every pixel, or in the middle of every square of
    `side` pixels, float32, by cubic B-splines: smooth, without seams, at any size."""
    sizes = zip(grid.shape, (rows, columns), strict=True)
    down, across = (_weights(count, length, side, stride) for count, length in sizes)
    return np.ascontiguousarray((across @ (down @ grid.astype(np.float32)).T).T)


def middle_of_places(image: Floats) -> Floats:
    """Return the values (..., PLACES, PLACES) of a map (..., rows, columns) in the middle of each place."""
    rows, columns = (((np.arange(PLACES) + 0.5) / PLACES * length).astype(int) for length in image.shape[-2:])
    return image[..., rows, :][..., columns]


def between_places(usual: Floats, rows: int, columns: int) -> Floats:
    """Return the values of places (PLACES, PLACES) interpolated linearly to (rows, columns)."""
    down, across = (_linear(length, count) for length, count in zip((rows, columns), usual.shape, strict=True))
    return np.asarray(down @ usual @ across.T)


@lru_cache(maxsize=64)
def _linear(length: int, count: int) -> Floats:
    """Return the weights (length, count) by which values in the middle of `count` parts of an axis are interpolated
    linearly to its `length` points; beyond the outer ones they stay as they are."""
    at = np.clip((np.arange(length) + 0.5) / length * count - 0.5, 0, count - 1)
    return np.maximum(1 - np.abs(at[:, None] - np.arange(count)), 0)


@lru_cache(maxsize=64)
def _weights(count: int, length: int, side: int, stride: int) -> csr_array:
    """Return the B-spline weights (pixels, cells), sparse: four cells count at each pixel or square."""
    pixels = np.arange(0, length, side) + (side - 1) / 2
    at = np.clip((pixels - centre_of(0, stride)) / stride, -0.5, count - 0.5)
    cells = np.floor(at).astype(int)[:, None] + np.arange(-1, 3)
    far = np.abs(at[:, None] - cells)
    weights = np.where(far < 1, 4 - 6 * far**2 + 3 * far**3, np.clip(2 - far, 0, None) ** 3) / 6
    rows = np.repeat(np.arange(len(at)), 4)
    places = rows, np.clip(cells, 0, count - 1).ravel()
    return csr_array((weights.astype(np.float32).ravel(), places), shape=(len(at), count))
