"""The worst spots of a cavity in order, and whether the place where it quenched is among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.stats import hypergeom

from lynkeus.core import Array, Floats
from lynkeus.scans.image_scores import SPOTS, ImageScores, as_text

WITHIN_DEG = 10.0
CELL, ANGLE = "quench_cell", "quench_angle_deg"
OF_IMAGE = ("cavity", "cell", "angle_deg", "scan", "file")
REGIONS = ("cavity", "quench cell", "quench place")
Joined = Callable[[Floats], Any]


@dataclass(frozen=True)
class QuenchRank:
    """At which `rank` of the `listed` spots of a cavity one at the place of its quench comes (NaN: none is there).

    `at_place` spots are there; in a list without order the first of them is `expected` to have rank (listed + 1) /
    (at_place + 1), and with `p_value` a rank as low as it has. `images_at_place` were taken there.
    """

    cavity: str
    images_at_place: int
    listed: int
    at_place: int
    rank: float
    expected: float
    p_value: float

    def by_chance(self, first: int) -> float:
        """Chance that one of the spots at the place is among the `first` ones of a list without order."""
        if not self.at_place:
            return 0.0
        return float(1 - hypergeom.pmf(0, self.listed, self.at_place, min(first, self.listed)))


def ranked_spots(scores: ImageScores) -> pa.Table:
    """Every spot: cavity, cell, angle_deg, scan, file (where known), x, y, sigma, area, rank; 1 is the worst of its
    cavity. A spot that two images show is in the list twice."""
    sigma = scores.spots("sigma").ravel()
    cavity = np.repeat(as_text(scores.column("cavity")), SPOTS)
    there = np.flatnonzero(np.isfinite(sigma))
    there = there[np.lexsort((-sigma[there], cavity[there]))]
    columns: dict[str, Array] = {
        name: scores.columns[name][there // SPOTS] for name in OF_IMAGE if name in scores.columns
    }
    columns |= {name: scores.spots(name).ravel()[there] for name in ("x", "y", "sigma", "area")}
    _, first, number = np.unique(cavity[there], return_index=True, return_inverse=True)
    columns["rank"] = np.arange(len(there)) - first[number] + 1 if len(there) else np.empty(0, np.int64)
    return pa.table(columns)


def near_quench(
    cells: Array, angles_deg: Array, quench: tuple[float, float], region: str, within_deg: float = WITHIN_DEG
) -> Array:
    """Return (n,) bool: in the region of REGIONS; a `quench` of unknown cell or angle (NaN) is near to nothing.

    On the equator angles are counted the short way round, between the middle of the image and the quench.
    """
    if region == REGIONS[0]:
        return np.ones(len(cells), bool)
    in_cell = np.asarray(cells, float) == quench[0]
    if region == REGIONS[1]:
        return in_cell
    away = np.abs((np.asarray(angles_deg, float) - quench[1] + 180) % 360 - 180)
    return np.asarray(in_cell & (away <= within_deg))


def quench_ranks(
    scores: ImageScores, quenches: Mapping[str, tuple[float, float]], within_deg: float = WITHIN_DEG
) -> tuple[QuenchRank, ...]:
    """Rank the places of each cavity whose quench was located: `quenches` is cavity -> (cell, angle in degrees)."""
    spots, found = ranked_spots(scores), []
    of_spot, of_image = as_text(np.array(spots["cavity"])), as_text(scores.column("cavity"))
    for cavity, quench in quenches.items():
        own, images = of_spot == cavity, of_image == cavity
        if np.isnan(quench).any() or not images.any():
            continue
        place = [np.array(spots[name])[own] for name in ("cell", "angle_deg")]
        there = near_quench(place[0], place[1], quench, REGIONS[2], within_deg)
        seen = near_quench(scores.column("cell"), scores.column("angle_deg"), quench, REGIONS[2], within_deg) & images
        found.append(QuenchRank(cavity, int(seen.sum()), *_first(there)))
    return tuple(found)


def _first(there: Array) -> tuple[int, int, float, float, float]:
    """Spots, those there, rank of the first of them, the rank expected by chance, and the chance of one as low."""
    listed, at_place = len(there), int(there.sum())
    if not at_place:
        return listed, 0, np.nan, np.nan, np.nan
    rank = int(np.argmax(there)) + 1
    chance = float(hypergeom.sf(0, listed, at_place, rank))
    return listed, at_place, float(rank), (listed + 1) / (at_place + 1), chance


def scores_near_quench(
    scores: ImageScores,
    values: Floats,
    quenches: Mapping[str, tuple[float, float]],
    region: str,
    joined: Joined = np.max,
) -> Floats:
    """Return (cavities,) `joined` of the `values` (n,) of the images in the region, by default the largest, in the
    order of `quenches`; NaN where no image is there."""
    cavity = as_text(scores.column("cavity"))
    cell, angle_deg = (
        (np.zeros(len(scores)),) * 2 if region == REGIONS[0] else (scores.column("cell"), scores.column("angle_deg"))
    )
    found = []
    for name, quench in quenches.items():
        rows = (cavity == name) & near_quench(cell, angle_deg, quench, region)
        found.append(float(joined(values[rows])) if rows.any() else np.nan)
    return np.array(found)


def worst_sigma(scores: ImageScores) -> Floats:
    """Return (n,) sigma of the worst spot of each image, 0 where it has none."""
    return np.asarray(np.nan_to_num(scores.spots("sigma")).max(axis=1))
