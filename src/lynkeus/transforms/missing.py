"""What is not there speaks for nothing: missing values are filled by what all others say of them."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Batch, Floats, Scores


def fill_from_others(deviation: Floats, form: Floats) -> Floats:
    """Deviations (n, c) from the centre, with NaN replaced such that x' form x is least; `form` (c, c) is symmetric.

    With a precision matrix this is the expectation given the other channels, and x' form x the squared Mahalanobis
    distance of these alone. A row without any value becomes the centre.
    """
    missing = np.isnan(deviation)
    rows = np.flatnonzero(missing.any(axis=1))
    if not len(rows):
        return deviation
    filled = np.where(missing, 0.0, deviation)
    patterns, which = np.unique(missing[rows], axis=0, return_inverse=True)
    for number, gone in enumerate(patterns):
        here = rows[which.reshape(-1) == number]
        pull = filled[here] @ form[:, gone]
        filled[np.ix_(here, gone)] = -np.linalg.lstsq(form[np.ix_(gone, gone)], pull.T, rcond=None)[0].T
    return filled


def with_enough_data(batch: Batch, score: Floats) -> Scores:
    """One score per sample (n,) as a column (n, 1); NaN where more than half of the sample's values are missing."""
    missing = ~np.isfinite(batch.values)
    share = missing.mean(axis=tuple(range(1, missing.ndim)))
    return np.where(share > 0.5, np.nan, score)[:, None]
