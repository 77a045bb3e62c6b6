"""Ridge: linear regression with the penalty that predicts left-out samples best; and moments of maps to regress on."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Floats

PENALTIES = np.geomspace(1e-10, 1e2, 25)  # of the mean square of a standardised column


class Ridge(NamedTuple):
    """Estimates `start` + (x - `centre`) / `sigma` @ `slope`; `slope` (columns, outputs)."""

    centre: Floats
    sigma: Floats
    slope: Floats
    start: Floats

    @classmethod
    def fit(cls, x: Floats, y: Floats) -> Self:
        """Learn from columns (n, columns) without gaps and numbers (n, outputs), of each the penalty with the least
        error of generalised cross-validation (Golub, Heath & Wahba 1979)."""
        centre, sigma = x.mean(axis=0), x.std(axis=0)
        sigma = np.where(sigma > 1e-12 * (1e-300 + np.abs(centre)), sigma, 1.0)
        start = y.mean(axis=0)
        left, size, right = np.linalg.svd((x - centre) / sigma, full_matrices=False)
        n, along = len(x), left.T @ (y - start)
        rest = ((y - start) ** 2).sum(axis=0) - (along**2).sum(axis=0)
        errors = []
        for penalty in PENALTIES:
            shrunk = size**2 / (size**2 + n * penalty)
            error = np.maximum(rest, 0) + ((1 - shrunk[:, None]) ** 2 * along**2).sum(axis=0)
            errors.append(error / max(n - 1 - shrunk.sum(), 1e-3 * n) ** 2)
        best = PENALTIES[np.argmin(errors, axis=0)]
        weight = size[:, None] / (size[:, None] ** 2 + n * best)
        return cls(centre, sigma, right.T @ (weight * along), start)

    def of(self, x: Floats) -> Floats:
        """Return estimates (n, outputs)."""
        found: Floats = self.start + (x - self.centre) / self.sigma @ self.slope
        return found


def moments_of(values: Array) -> Floats:
    """Return columns to regress on: of each channel of samples (n, channel, ...) the mean over all places, of sizes and
    of squares; of tables (n, column) the columns themselves. Missing values count as 0."""
    found = np.nan_to_num(np.asarray(values, float))
    if found.ndim == 2:
        return found
    flat = found.reshape(*found.shape[:2], -1)
    return np.concatenate([flat.mean(axis=2), np.abs(flat).mean(axis=2), (flat**2).mean(axis=2)], axis=1)
