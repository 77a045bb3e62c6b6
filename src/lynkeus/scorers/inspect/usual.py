"""From views of an image to one map in sigmas of good images at that place. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from scipy.ndimage import convolve1d, gaussian_filter

from lynkeus.core import Array, Floats
from lynkeus.scorers.inspect.grid import between_places, middle_of_places

BLUR = 0.7  # places over which these are averaged
SMOOTH = 0.3  # cells
# The views: log odds by features and by novelty, logarithms of the distances to bank, place, alike images.
LEAST_SIGMA = (0.25, 0.25, 0.03, 0.03, 0.03)
WHERE = (1.0, 0.5, 0.25, 0.5, 0.25)  # their weights in the map
WHETHER = (1.0, 1.0, 0.0, 0.5, 1.0)  # and in the height
SPLINE = (1 / 6, 4 / 6, 1 / 6)  # what the map of pixels is of that of cells, in the middle of a cell


@dataclass(frozen=True)
class Usual:
    """`view_mean`, `view_sigma` (views, PLACES, PLACES) of good images; `fused_sigma` (2,) of what map and height are
    made of."""

    view_mean: Floats
    view_sigma: Floats
    fused_sigma: Floats

    @classmethod
    def fit(cls, views: Sequence[Floats]) -> Self:
        """From the views (5, rows, columns) of good images, each by networks that have not seen it."""
        sampled = [middle_of_places(one) for one in views]
        wide = (0, BLUR, BLUR)
        mean = gaussian_filter(np.mean(sampled, axis=0), wide)
        variance = gaussian_filter(np.mean((np.stack(sampled) - mean) ** 2, axis=0), wide)
        sigma = np.maximum(np.sqrt(variance), np.reshape(LEAST_SIGMA, (-1, 1, 1)))
        first = cls(mean, sigma, np.ones(2))
        spread = [
            [np.mean(_splined(first._fused(one, WHERE)) ** 2) for one in views],
            [np.mean(first._fused(one, WHETHER) ** 2) for one in views],
        ]
        return cls(mean, sigma, np.maximum(np.sqrt(np.mean(spread, axis=1)), 1e-3))

    def map(self, views: Floats) -> Floats:
        """(rows, columns) where; at pixels, between the cells, in sigmas."""
        return self._fused(views, WHERE) / self.fused_sigma[0]

    def height(self, views: Floats) -> float:
        """Whether, in sigmas."""
        return float(self._fused(views, WHETHER).max() / self.fused_sigma[1])

    def _fused(self, views: Floats, weights: Sequence[float]) -> Floats:
        """Deviations from what is usual at that place, the weighted sum of all views, over about a cell."""
        rows, columns = views.shape[1:]
        found = np.zeros((rows, columns))
        for weight, one, mean, sigma in zip(weights, views, self.view_mean, self.view_sigma, strict=True):
            if weight:
                off = one - between_places(mean, rows, columns)
                found += weight * off / between_places(sigma, rows, columns)
        return np.asarray(gaussian_filter(found, SMOOTH))

    def to_arrays(self) -> dict[str, Array]:
        """For a model folder."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Inverse of `to_arrays`."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def _splined(grid: Floats) -> Floats:
    """At the middles of cells, what the map of pixels will be."""
    for axis in (0, 1):
        grid = convolve1d(grid, SPLINE, axis, mode="nearest")
    return grid
