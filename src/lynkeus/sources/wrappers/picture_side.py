"""Are the columns of a table the pixels of square images, written row after row?"""

from __future__ import annotations

from math import isqrt

import numpy as np

from lynkeus.core import Floats

FEWEST_PIXELS = 256
FEWEST_ROWS = 50
ALIKE = 0.4  # mean correlation of pixels beside and above one another, in images; digits: 0.65 to 0.78
MORE_ALIKE = 0.25  # than pixels half an image apart; digits: 0.6 to 0.8 more
STANDS_STILL = 0.05  # of the largest spread; what changes less is the edge of the image


def picture_side(rows: Floats) -> int:
    """Pixels on a side, 0 where the columns of rows (n, columns) are no square images.

    In an image a pixel is like the one beside it and like the one above it, and less like one half a line away; and
    the end of a line is not like the beginning of the next. In anything written along one axis (a waveform, a spectrum)
    half a line is nearer than a whole one, or the waves go on from line to line.
    """
    side = isqrt(rows.shape[1])
    if rows.shape[1] < FEWEST_PIXELS or side * side != rows.shape[1] or len(rows) < FEWEST_ROWS:
        return 0
    values = np.asarray(rows, np.float64)
    spread = values.std(axis=0)
    if not np.isfinite(spread).all() or not spread.any():
        return 0
    moves = spread > STANDS_STILL * spread.max()
    sigmas = (values - values.mean(axis=0)) / np.where(moves, spread, np.inf)

    def alike(step: int, start: int = 0, every: int = 1) -> float:
        first, second = np.s_[..., start:-step:every], np.s_[..., start + step :: every]
        both = moves[first] & moves[second]
        return float((sigmas[first] * sigmas[second]).mean(axis=0)[both].mean()) if both.any() else 0.0

    least = min(alike(1), alike(side))
    unlike = max(alike(side // 2), alike(1, side - 1, side))
    return side if least > ALIKE and least > unlike + MORE_ALIKE else 0
