"""Reliability: are samples that are given a probability of 70 % of that class in 70 % of cases?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Floats

BINS = 15


class Reliability(NamedTuple):
    """Of bins with equally many samples each: mean probability `stated`, share `found` that is of the class, and by
    weight the share of all samples in the bin, `heavy`; `samples` in it."""

    stated: Floats
    found: Floats
    heavy: Floats
    samples: Array

    @property
    def error(self) -> float:
        """Return the mean distance of what is stated from what is found (expected calibration error)."""
        return float((self.heavy * np.abs(self.stated - self.found)).sum())


def reliability(probability: Floats, hit: Array, weight: Floats | None = None, bins: int = BINS) -> Reliability:
    """Compare probabilities (n,) with whether they came true (n,), in bins of equally many samples; NaN left out."""
    known = np.isfinite(probability)
    p, hit = probability[known], np.asarray(hit)[known].astype(float)
    heavy = np.ones(len(p)) if weight is None else np.asarray(weight, float)[known]
    order = np.argsort(p, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, max(len(p), 1))) if len(part) and heavy[part].sum() > 0]
    total = sum(heavy[part].sum() for part in parts) or 1.0
    rows = [
        (np.average(p[part], weights=heavy[part]), np.average(hit[part], weights=heavy[part]),
         heavy[part].sum() / total, len(part))
        for part in parts
    ]  # fmt: skip
    columns = np.array(rows, float).reshape(-1, 4).T
    return Reliability(columns[0], columns[1], columns[2], columns[3].astype(int))


def calibration_error(probability: Floats, truth: Array, weight: Floats | None = None) -> float:
    """Return the expected calibration error of probabilities (n, classes): of all classes, the mean (class-wise).

    Kull et al. 2019, arXiv:1910.12656.
    """
    each = [reliability(probability[:, k], np.asarray(truth) == k, weight).error for k in range(probability.shape[1])]
    return float(np.mean(each))
