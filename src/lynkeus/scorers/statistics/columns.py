"""The columns of a table in comparable units, whatever they are: skewed, whole numbers, flags, constant, with gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from lynkeus.core import Floats
from lynkeus.transforms.missing import fill_from_others

FAR_SIGMA = 20.0  # beyond, the logarithm: no column is all that counts, and nothing overflows
WOKEN_SIGMA = 3.0  # how far a column has gone that was constant and now changes
CONSTANT = 1e-9  # changes below this share of the value are rounding


@dataclass(frozen=True)
class TableColumns:
    """Learned from the reference (n, c): `mean` (c,); `sigma` (c,), 0 for a constant column and NaN for one without any
    value; `reach` (c,) the whole range in sigmas; `precision` (c, c) of the deviations in sigmas."""

    mean: Floats
    sigma: Floats
    reach: Floats
    precision: Floats

    @classmethod
    def fit(cls, rows: Floats) -> Self:
        """Learn from (n, c), NaN where a value is missing."""
        empty = np.isnan(rows).all(axis=0)
        known = np.where(empty, 0.0, rows)
        mean, span = np.nanmean(known, axis=0), np.nanmax(known, axis=0) - np.nanmin(known, axis=0)
        constant = span <= CONSTANT * np.nanmax(np.abs(known), axis=0)
        sigma = np.where(constant, 0.0, np.nanstd(known, axis=0))
        usual = np.where(constant, 1.0, sigma)
        reach = np.where(constant, WOKEN_SIGMA, span / usual)
        precision = _precision(np.nan_to_num((known - mean) / usual))
        return cls(mean, np.where(empty, np.nan, sigma), reach, precision)

    def fill(self, rows: Floats) -> Floats:
        """Return (n, c) float64 with missing and infinite values replaced by what the others let expect."""
        finite = np.isfinite(rows)
        if finite.all():
            return rows.astype(np.float64, copy=False)
        usual = np.where(self.sigma > 0, self.sigma, 1.0)
        deviation = (np.where(finite, rows, np.nan) - self.mean) / usual
        return np.where(finite, rows, self.mean + usual * fill_from_others(deviation, self.precision))

    def sigmas(self, rows: Floats) -> Floats:
        """Return (n, c) deviations from the mean in standard deviations."""
        away = rows - self.mean
        deviation = FAR_SIGMA * np.arcsinh(away / np.where(self.sigma > 0, self.sigma, np.inf) / FAR_SIGMA)
        changed = (self.sigma == 0) & (np.abs(away) > CONSTANT * np.abs(self.mean))
        return np.where(changed, WOKEN_SIGMA * np.sign(away), deviation)


def _precision(deviation: Floats) -> Floats:
    """Inverse of the covariance (c, c), shrunk towards sigmas of 1 by columns / rows."""
    rows, columns = deviation.shape
    shrink = min(columns / rows, 0.9) + 1e-6
    return np.linalg.inv((1.0 - shrink) * (deviation.T @ deviation) / rows + shrink * np.eye(columns))
