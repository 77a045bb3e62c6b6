"""From a map to its spots. NumPy only."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import label, maximum_filter

from lynkeus.core import Floats, Spot

SIDE = 2  # pixels of the squares on which spots are looked for
SPOTS = 3
FAINTEST = 3.0  # sigmas of a spot
APART = 20  # pixels: what is nearer belongs to the same spot


def find_spots(squares: Floats, rows: int, columns: int) -> tuple[Spot, ...]:
    """The highest points of a map of squares of SIDE pixels, at most SPOTS of them, each the highest of its
    neighbourhood, highest first; their areas are what lies above half of their height around them."""
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
    """Where between squares a parabola through three points is highest."""
    if not 0 < top < len(line) - 1:
        return 0.0
    before, here, after = line[top - 1 : top + 2]
    bend = before - 2 * here + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0
