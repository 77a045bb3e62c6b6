"""Corrections around any score map: what is usual at a place, and what persists from section to section of a run.

After the autoencoder of the CMS electromagnetic calorimeter (arXiv 2309.10157): a loss map is divided by the average
one of good data, as regions with more hits have larger losses by nature; and maps of consecutive lumisections are
multiplied, as an anomaly stays where it is and a fluctuation does not. Maps are scores >= 0, (section, row, column) in
the order in which the sections were taken, or with more axes before these two; NaN: no data there (a dead section, a
masked tower).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.ndimage import gaussian_filter

from lynkeus.core import Array, Floats, SettingsError

LEAST = 1e-3  # of the mean usual score: a place that is always perfect must not divide by nothing


@dataclass(frozen=True)
class SpatialCorrection:
    """`usual` (row, column): the average score of good maps at each place, NaN where there never is one.

    `neighbours`: sigma in cells of the Gaussian over which a corrected map is averaged (0: not at all), for faults that
    are larger than a cell.
    """

    usual: Floats
    neighbours: float = 0.0

    @classmethod
    def fit(cls, maps: Floats, neighbours: float = 0.0, weight: Floats | None = None) -> Self:
        """Learn from good maps (section, row, column); `weight` (section,): livetime of the sections.

        Raises SettingsError where no map has a score anywhere, or scores are negative.
        """
        known = np.isfinite(maps)
        if not known.any() or neighbours < 0 or (maps[known] < 0).any():
            raise SettingsError("a spatial correction needs good maps with scores >= 0, and neighbours >= 0 cells")
        weights = known * _along(np.ones(len(maps)) if weight is None else weight, maps)
        total = weights.sum(axis=0)
        usual = (np.where(known, maps, 0.0) * weights).sum(axis=0) / np.where(total > 0, total, 1.0)
        least = LEAST * usual[total > 0].mean()
        return cls(np.where(total > 0, np.maximum(usual, max(least, 1e-300)), np.nan), neighbours)

    def apply(self, maps: Floats) -> Floats:
        """Return (section, row, column) in units of what is usual at the place: about 1 in good data, everywhere."""
        corrected = maps / self.usual
        return smoothed(corrected, self.neighbours) if self.neighbours else corrected


def smoothed(maps: Floats, sigma_cells: float) -> Floats:
    """Maps averaged over neighbours by a Gaussian. Cells without data, and those beyond the edge, do not count; a cell
    without data stays without."""
    known = np.isfinite(maps)
    sigmas = (0.0,) * (maps.ndim - 2) + (sigma_cells, sigma_cells)
    total = gaussian_filter(np.where(known, maps, 0.0), sigmas, mode="constant")
    weight = gaussian_filter(known.astype(float), sigmas, mode="constant")
    return np.where(known, total / np.where(weight > 0, weight, 1.0), np.nan)


@dataclass(frozen=True)
class TimeCorrection:
    """Each map joined with those just before it, `sections` in all, of the same run: their mean, or `how` "product",
    which is published, in the units of one map (a geometric mean).

    A product lets one section in which a fault does not show speak against all others; the mean finds faults that
    are dead, hot or half dead with fewer false discoveries, and a section earlier. Sections count by their livetime.
    """

    sections: int = 3
    how: str = "mean"

    def __post_init__(self) -> None:
        if self.sections < 1 or self.how not in ("mean", "product"):
            raise SettingsError(
                'a time correction joins one section or more by "mean" or "product", '
                f"not {self.sections} by {self.how!r}"
            )

    def apply(self, maps: Floats, run: Array | None = None, livetime: Floats | None = None) -> Floats:
        """Return (section, row, column) of maps in the order of time; `run` (section,): names of the runs, which are
        not mixed (None: one run); `livetime` (section,) in any unit, 0 for a dead section.

        The first section of a run stands alone. A place without data now stays so; where it had none before, what is
        there counts.
        """
        time = np.ones(len(maps)) if livetime is None else livetime
        known = np.isfinite(maps) & _along(time > 0, maps)
        values = np.where(known, maps, 1.0)
        if self.how == "product":
            smallest = np.min(values, initial=1.0, where=values > 0)
            values = np.log(np.maximum(values, smallest))
        total, weight = np.zeros(maps.shape), np.zeros(maps.shape)
        for back in range(min(self.sections, len(maps))):
            now, then = slice(back, None), slice(0, len(maps) - back)
            same = np.ones(len(maps) - back, bool) if run is None else run[now] == run[then]
            counts = known[then] * _along(time[then] * same, maps)
            total[now] += values[then] * counts
            weight[now] += counts
        joined = total / np.where(weight > 0, weight, 1.0)
        return np.where(known, np.exp(joined) if self.how == "product" else joined, np.nan)


def _along(of_sections: Array, maps: Floats) -> Array:
    """Return (section,) to be multiplied with maps."""
    return of_sections.reshape(-1, *[1] * (maps.ndim - 1))
