"""From a map to its spots. NumPy only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import label, maximum_filter

from lynkeus.core import Finding, Floats, GoodPatch, Spot

SIDE = 2  # pixels of the squares on which spots are looked for
SPOTS = 3
FAINTEST = 3.0  # sigmas of a spot
APART = 20  # pixels: what is nearer belongs to the same spot


class Inspected(NamedTuple):
    """An image as it was inspected: `map` (row, column) float32 of its size, in sigmas of good images;
    `good_patches`: those most like each of the spots, nearest first, where they are known."""

    score: float
    map: Floats
    spots: tuple[Spot, ...]
    good_patches: tuple[tuple[GoodPatch, ...], ...] = ()


def spot_findings(one: Inspected) -> tuple[Finding, ...]:
    """Return the spots of an image as findings, at a pixel each, their areas in square pixels."""
    patches = (*one.good_patches, *[()] * (len(one.spots) - len(one.good_patches)))
    return tuple(
        Finding(
            where=f"x {spot.x:.0f}, y {spot.y:.0f}",
            size=spot.area,
            unit="px",
            sigma=spot.sigma,
            region={"x": (spot.x, spot.x), "y": (spot.y, spot.y)},
            like=like,
        )
        for spot, like in zip(one.spots, patches, strict=True)
    )


def find_spots(squares: Floats, rows: int, columns: int) -> tuple[Spot, ...]:
    """Return at most SPOTS local maxima of a map of squares of SIDE pixels, highest first: of FAINTEST sigmas or more,
    with nothing higher within APART pixels. The area of each is the connected region above half of its height."""
    tops = (maximum_filter(squares, 2 * APART // SIDE + 1) == squares) & (squares >= FAINTEST)
    places = np.argwhere(tops)
    order = np.argsort(-squares[tops], kind="stable")[:SPOTS]
    found = []
    for row, column in places[order]:
        height = squares[row, column]
        regions, _ = label(squares > height / 2)
        area = int((regions == regions[row, column]).sum()) * SIDE**2
        y, x = row + _between(squares[:, column], row), column + _between(squares[row], column)
        at = [min(SIDE * place + (SIDE - 1) / 2, length - 1.0) for place, length in ((x, columns), (y, rows))]
        found.append(Spot(at[0], at[1], float(height), float(min(area, rows * columns))))
    return tuple(found)


def _between(line: Floats, top: int) -> float:
    """Return where the parabola through a point and its two neighbours peaks: -0.5 to 0.5 squares from the point, 0 at
    an end."""
    if not 0 < top < len(line) - 1:
        return 0.0
    before, here, after = line[top - 1 : top + 2]
    bend = before - 2 * here + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0
