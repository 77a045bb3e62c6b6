"""Covariance of a table from one pass over a stream, where no single row can say much."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Floats, Source
from lynkeus.transforms.robust_scale import RobustScale
from lynkeus.transforms.rows import rows_of

CLIP_SIGMA = 5.0


def clipped_covariance(source: Source, scale: RobustScale) -> tuple[Floats, int]:
    """(c, c) covariance of the deviations in sigmas around the centre, each clipped, and the number of rows.

    A missing value counts as the centre. Slow drift belongs to the covariance, unlike in `fit_conditional`.
    """
    channels = len(scale.centre)
    total, count = np.zeros((channels, channels)), 0
    for batch in source:
        rows = np.clip(np.nan_to_num(scale.apply(rows_of(batch)[0])), -CLIP_SIGMA, CLIP_SIGMA)
        total += rows.T @ rows
        count += len(rows)
    return total / max(count, 1), count
