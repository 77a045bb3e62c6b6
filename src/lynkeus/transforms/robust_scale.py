"""Robust standardising: median and MAD of every column of a sample that nobody has cleaned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from lynkeus.core import Floats
from lynkeus.core.weights import weighted_mean, weighted_median

MAD_TO_SIGMA = 1.4826  # of a Gaussian


@dataclass(frozen=True)
class RobustScale:
    """`centre` (c,) and `sigma` (c,) of each column; infinite for a constant column, which thus never deviates."""

    centre: Floats
    sigma: Floats

    @classmethod
    def fit(cls, sample: Floats, weight: Floats | None = None) -> Self:
        """Learn from (n, c), NaN left out. Where more than half of a column is one value, sigma is the plain one.

        `weight` (n,), positive: how much each row counts.
        """
        sample = np.where(np.isnan(sample).all(axis=0), 0.0, sample)
        centre = weighted_median(sample, weight)
        sigma = MAD_TO_SIGMA * weighted_median(np.abs(sample - centre), weight)
        plain = np.sqrt(weighted_mean((sample - weighted_mean(sample, weight)) ** 2, weight))
        sigma = np.where(sigma > 0, sigma, plain)
        constant = np.nanmin(sample, axis=0) == np.nanmax(sample, axis=0)
        return cls(centre, np.where(constant, np.inf, sigma))

    def apply(self, rows: Floats) -> Floats:
        """Return (n, c) deviations in sigmas, float64; NaN where a value is missing."""
        return (np.where(np.isfinite(rows), rows, np.nan) - self.centre) / self.sigma
