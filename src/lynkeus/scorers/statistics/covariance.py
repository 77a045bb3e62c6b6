"""Mean and covariance of a table from a stream, where no single row can say much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from lynkeus.core import Floats, Source
from lynkeus.transforms.reservoir import row_weights, weighted_rows
from lynkeus.transforms.robust_scale import RobustScale
from lynkeus.transforms.rows import rows_of

CLIP_SIGMA = 5.0


@dataclass(frozen=True)
class Correlated:
    """`scale`: mean and sigma of each channel; `covariance` (c, c) of the deviations in sigmas, over `count` rows; of
    rows with weights their effective number."""

    scale: RobustScale
    covariance: Floats
    count: float

    @classmethod
    def fit(cls, source: Source, sample: int, seed: int) -> Self:
        """Median and MAD from at most `sample` rows; then mean and covariance of all rows, each deviation clipped.

        A missing value counts as the median. Medians alone would not do as a centre: their errors do not share the
        correlations of the channels. Slow drift is part of this covariance, unlike that of `fit_conditional`.
        """
        rough = RobustScale.fit(*weighted_rows(source, sample, seed))
        channels = len(rough.centre)
        first, second, total, squares = np.zeros(channels), np.zeros((channels, channels)), 0.0, 0.0
        for batch in source:
            shots, length = rows_of(batch)
            rows = np.clip(np.nan_to_num(rough.apply(shots)), -CLIP_SIGMA, CLIP_SIGMA)
            weight = row_weights(batch, length)
            counted = rows if weight is None else rows * weight[:, None]
            first += counted.sum(axis=0)
            second += counted.T @ rows
            total += len(rows) if weight is None else float(weight.sum())
            squares += len(rows) if weight is None else float((weight**2).sum())
        mean = first / total
        centre = rough.centre + mean * np.nan_to_num(rough.sigma, posinf=0.0)
        return cls(RobustScale(centre, rough.sigma), second / total - np.outer(mean, mean), total**2 / squares)
