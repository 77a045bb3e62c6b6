"""From log odds to a map in sigmas of good images at that place, and from a map to its spots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from scipy.ndimage import gaussian_filter, label, map_coordinates, maximum_filter

from lynkeus.core import Array, Floats, Spot
from lynkeus.scorers.inspect_grid import CENTRE, STRIDE

PLACES = 12  # along each side, of which the usual odds are known
BLUR = 0.7  # places over which these are averaged
LEAST_SIGMA = 0.25  # of log odds
SMOOTH = 0.3  # cells
SPOTS = 3
NOVELTY = 2.0  # weight of the second view in the height: it says whether, the first one where
FAINTEST = 3.0  # sigmas of a spot
APART = 2  # cells: what is nearer belongs to the same spot


@dataclass(frozen=True)
class Usual:
    """`odds_mean`, `odds_sigma` (views, PLACES, PLACES) of good images; `fused_sigma` (2,) of what map and height are
    made of."""

    odds_mean: Floats
    odds_sigma: Floats
    fused_sigma: Floats

    @classmethod
    def fit(cls, odds: Sequence[Floats]) -> Self:
        """From the odds (views, rows, columns) of good images, each by networks that have not seen it."""
        at = [[((np.arange(PLACES) + 0.5) / PLACES * n).astype(int) for n in one.shape[1:]] for one in odds]
        sampled = [one[:, rows][:, :, columns] for one, (rows, columns) in zip(odds, at, strict=True)]
        wide = (0, BLUR, BLUR)
        mean = gaussian_filter(np.mean(sampled, axis=0), wide)
        variance = gaussian_filter(np.mean((np.stack(sampled) - mean) ** 2, axis=0), wide)
        sigma = np.maximum(np.sqrt(variance), LEAST_SIGMA)
        first = cls(mean, sigma, np.ones(2))
        spread = [[np.mean(first._fused(one, weight) ** 2) for one in odds] for weight in (1.0, NOVELTY)]
        return cls(mean, sigma, np.maximum(np.sqrt(np.mean(spread, axis=1)), 1e-3))

    def map(self, odds: Floats) -> Floats:
        """(rows, columns) in sigmas: where."""
        return self._fused(odds, 1.0) / self.fused_sigma[0]

    def height(self, odds: Floats) -> float:
        """In sigmas: whether."""
        return float(self._fused(odds, NOVELTY).max() / self.fused_sigma[1])

    def _fused(self, odds: Floats, novelty: float) -> Floats:
        """Deviations from what is usual at that place, the sum of both views, over about a cell."""
        shape = odds.shape[1:]
        at = np.meshgrid(*((np.arange(n) + 0.5) / n * PLACES - 0.5 for n in shape), indexing="ij")
        sigmas = [
            (one - map_coordinates(mean, at, order=1, mode="nearest"))
            / map_coordinates(sigma, at, order=1, mode="nearest")
            for one, mean, sigma in zip(odds, self.odds_mean, self.odds_sigma, strict=True)
        ]
        return np.asarray(gaussian_filter(sigmas[0] + novelty * sigmas[1], SMOOTH))

    def to_arrays(self) -> dict[str, Array]:
        """For a model folder."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Inverse of `to_arrays`."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def find_spots(grid: Floats, rows: int, columns: int) -> tuple[Spot, ...]:
    """The highest points of a map of cells, at most SPOTS of them, each the highest of its neighbourhood, highest
    first; their areas are what lies above half of their height around them."""
    tops = (maximum_filter(grid, 2 * APART + 1) == grid) & (grid >= FAINTEST)
    places = np.argwhere(tops)
    order = np.argsort(-grid[tops], kind="stable")[:SPOTS]
    found = []
    for row, column in places[order]:
        height = grid[row, column]
        regions, _ = label(grid > height / 2)
        area = int((regions == regions[row, column]).sum()) * STRIDE**2
        y, x = row + _between(grid[:, column], row), column + _between(grid[row], column)
        at = [min(STRIDE * place + CENTRE, length - 1.0) for place, length in ((x, columns), (y, rows))]
        found.append(Spot(at[0], at[1], float(height), float(min(area, rows * columns))))
    return tuple(found)


def _between(line: Floats, top: int) -> float:
    """Where between cells a parabola through three points is highest."""
    if not 0 < top < len(line) - 1:
        return 0.0
    before, here, after = line[top - 1 : top + 2]
    bend = before - 2 * here + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0
