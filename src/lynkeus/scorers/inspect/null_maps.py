"""Fuse the views of an image into one map and one score, in sigmas of the null distribution: good images at that place.

NumPy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.ndimage import convolve1d, gaussian_filter

from lynkeus.core import Floats
from lynkeus.scorers.inspect.grid import between_places, middle_of_places

BLUR = 0.7  # places over which these are averaged
SMOOTH = 0.3  # cells
# The views: log odds by features and by novelty, logarithms of the distances to memory bank, place, nearest images.
# Sigmas are at least this: where good images hardly differ, a small deviation must not become many sigmas.
LEAST_SIGMA = (0.25, 0.25, 0.03, 0.03, 0.03)
MAP_WEIGHTS = (1.0, 0.5, 0.25, 0.5, 0.25)  # their weights in the map
SCORE_WEIGHTS = (1.0, 1.0, 0.0, 0.5, 1.0)  # and in the height
SPLINE = (1 / 6, 4 / 6, 1 / 6)  # what the map of pixels is of that of cells, in the middle of a cell


@dataclass(frozen=True)
class NullMaps:
    """The null distribution of good images: `view_mean`, `view_sigma` (views, PLACES, PLACES) of each view at each
    place, and `fused_sigma` (2,), the root mean squares of the fused map and of the map whose maximum is the score."""

    view_mean: Floats
    view_sigma: Floats
    fused_sigma: Floats

    @classmethod
    def fit(cls, views: Sequence[Floats]) -> Self:
        """Learn the null distribution from the views (5, rows, columns) of good images, each by networks that have not
        seen it."""
        sampled = [middle_of_places(one) for one in views]
        wide = (0, BLUR, BLUR)
        mean = gaussian_filter(np.mean(sampled, axis=0), wide)
        variance = gaussian_filter(np.mean((np.stack(sampled) - mean) ** 2, axis=0), wide)
        sigma = np.maximum(np.sqrt(variance), np.reshape(LEAST_SIGMA, (-1, 1, 1)))
        first = cls(mean, sigma, np.ones(2))
        spread = [
            [np.mean(_splined(first._fused(one, MAP_WEIGHTS)) ** 2) for one in views],
            [np.mean(first._fused(one, SCORE_WEIGHTS) ** 2) for one in views],
        ]
        return cls(mean, sigma, np.maximum(np.sqrt(np.mean(spread, axis=1)), 1e-3))

    def map(self, views: Floats) -> Floats:
        """Return the anomaly map of cells (rows, columns), in sigmas of the map of pixels that is interpolated from
        it."""
        return self._fused(views, MAP_WEIGHTS) / self.fused_sigma[0]

    def height(self, views: Floats) -> float:
        """Return the image score: the maximum of the weighted map, in standard deviations of good images."""
        return float(self._fused(views, SCORE_WEIGHTS).max() / self.fused_sigma[1])

    def _fused(self, views: Floats, weights: Sequence[float]) -> Floats:
        """Return the weighted sum (rows, columns) of all views, each as its deviation from good images at that place in
        sigmas, blurred by SMOOTH cells."""
        rows, columns = views.shape[1:]
        found = np.zeros((rows, columns))
        for weight, one, mean, sigma in zip(weights, views, self.view_mean, self.view_sigma, strict=True):
            if weight:
                off = one - between_places(mean, rows, columns)
                found += weight * off / between_places(sigma, rows, columns)
        return np.asarray(gaussian_filter(found, SMOOTH))


def _splined(grid: Floats) -> Floats:
    """Return the values that the cubic B-spline of `to_pixels` takes at the centres of cells."""
    for axis in (0, 1):
        grid = convolve1d(grid, SPLINE, axis, mode="nearest")
    return grid
