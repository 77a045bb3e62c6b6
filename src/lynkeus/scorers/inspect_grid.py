"""Cells: the grid on which an image is judged, and how it lies on the pixels. NumPy only."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Floats

STRIDE = 8  # pixels from cell to cell; the centre of cell k is at pixel STRIDE * k + CENTRE
CENTRE = 3.5


def as_bytes(pixels: Array) -> Array:
    """Pixels as 8 bits, whatever they were."""
    return pixels if pixels.dtype == np.uint8 else np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def to_pixels(grid: Floats, rows: int, columns: int, side: int = 1) -> Floats:
    """A map (cells) at every pixel, or in the middle of every square of `side` pixels, float32, by cubic B-splines:
    smooth, no seams, at any size."""
    down, across = (_weights(count, length, side) for count, length in zip(grid.shape, (rows, columns), strict=True))
    return np.asarray(down @ grid.astype(np.float32) @ across.T, np.float32)


def _weights(count: int, length: int, side: int) -> Floats:
    """(places, cells) how much each cell has to say at each place."""
    pixels = np.arange(0, length, side) + (side - 1) / 2
    at = np.clip((pixels - CENTRE) / STRIDE, -0.5, count - 0.5)
    found = np.zeros((len(at), count), np.float32)
    for step in (-1, 0, 1, 2):
        cell = np.floor(at).astype(int) + step
        far = np.abs(at - cell)
        weight = np.where(far < 1, 4 - 6 * far**2 + 3 * far**3, np.clip(2 - far, 0, None) ** 3) / 6
        found[np.arange(len(at)), np.clip(cell, 0, count - 1)] += weight
    return found
