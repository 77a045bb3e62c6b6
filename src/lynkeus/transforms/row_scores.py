"""From windows back to rows: what a series scores sample by sample."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Floats


def row_scores(scores: Floats, first_row: Array, length: int, rows: int) -> Floats:
    """Return (rows,) mean score of all windows that hold a row; NaN where none does.

    `scores` (windows,), NaN left out, of windows of `length` rows that begin at `first_row` (windows,).
    """
    counted = np.isfinite(scores)
    begin = first_row[counted]
    total, count = (
        np.cumsum(np.bincount(begin, weight, rows + 1) - np.bincount(begin + length, weight, rows + 1))[:rows]
        for weight in (scores[counted], np.ones(len(begin)))
    )
    return np.where(count > 0.5, total / np.maximum(count, 1.0), np.nan)
