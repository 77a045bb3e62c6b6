"""Where inside its cells: contrast that is finer than a cell draws the map to what is seen there. NumPy only.

A cell knows that something is wrong within some ten pixels. A pit or a crack is narrower, and has edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter

from lynkeus.core import Array, Floats, Spot
from lynkeus.scorers.inspect.grid import PLACES, STRIDE, between_places, middle_of_places, to_pixels
from lynkeus.scorers.inspect.spots import SIDE, find_spots

FINE, WIDE, BLUR = 1.0, 3.0, 0.5  # squares of SIDE pixels: widths of the two means that are compared, and of the result
LEAST = 0.5  # grey levels
GAIN = 0.75  # by which the map is higher at most
MIDDLE = 8.0  # times the usual contrast: half of that


@dataclass(frozen=True)
class Contrast:
    """`usual_contrast` (PLACES, PLACES): root mean square in good images, in grey levels."""

    usual_contrast: Floats

    @classmethod
    def fit(cls, squares: Sequence[Floats]) -> Self:
        """Learn the root mean square contrast at each place from the `mean_squares` (PLACES, PLACES) of good images."""
        return cls(np.maximum(np.sqrt(gaussian_filter(np.mean(squares, axis=0), 0.7)), LEAST))

    def show(self, grid: Floats, pixels: Array, stride: int = STRIDE) -> tuple[Floats, tuple[Spot, ...]]:
        """Return the map of an image at its pixels, float32, and its spots: the map of cells `grid`, `stride` pixels
        apart, raised the more, the more contrast `pixels` (channel, row, column) have there beside good images."""
        rows, columns = pixels.shape[1:]
        raised = to_pixels(grid, rows, columns, SIDE, stride)
        units = self._in_units(pixels)
        raised *= 1 + GAIN * units / (units + MIDDLE)
        return _at_pixels(raised, rows, columns), find_spots(raised, rows, columns)

    def _in_units(self, pixels: Array) -> Floats:
        """Return the contrast (squares) in units of that of good images at the same place."""
        found = contrast(pixels)
        usual = between_places(self.usual_contrast, *found.shape).astype(np.float32)
        return np.asarray(gaussian_filter(found / usual, BLUR))


def contrast(pixels: Array) -> Floats:
    """Return the contrast (squares) of an image (channel, row, column), float32: how far its grey levels, blurred a
    little, are from their wider surroundings (a difference of Gaussians)."""
    grey = pixels[0].astype(np.float32)  # one after the other: NumPy's mean over a short axis takes ten times as long
    for other in pixels[1:]:
        grey += other
    grey = np.pad(grey, [(0, length % SIDE) for length in grey.shape], mode="edge")
    corners = [grey[down::SIDE, across::SIDE] for down in range(SIDE) for across in range(SIDE)]
    grey = np.add.reduce(corners) / np.float32(len(corners) * len(pixels))
    return np.abs(gaussian_filter(grey, FINE) - gaussian_filter(grey, WIDE))


def mean_squares(pixels: Array) -> Floats:
    """Return the mean squared contrast (PLACES, PLACES) of an image around the middle of each place."""
    square = contrast(pixels) ** 2
    return middle_of_places(uniform_filter(square, [max(1, length // PLACES) for length in square.shape]))


def _at_pixels(squares: Floats, rows: int, columns: int) -> Floats:
    """Return a map of squares of 2 x 2 pixels at every pixel, linear between the centres of the squares."""
    for axis, length in enumerate((rows, columns)):
        lines = np.moveaxis(squares, axis, 0)
        double = np.empty((2 * len(lines), *lines.shape[1:]), np.float32)
        before, after = np.concatenate([lines[:1], lines[:-1]]), np.concatenate([lines[1:], lines[-1:]])
        double[0::2], double[1::2] = 0.75 * lines + 0.25 * before, 0.75 * lines + 0.25 * after
        squares = np.moveaxis(double[:length], 0, axis)
    return np.ascontiguousarray(squares)
