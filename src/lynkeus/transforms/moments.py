"""Moments: mean and standard deviation of columns over batches, each sample by its weight, in one pass."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Floats


class Moments:
    """Sums over batches, about the mean of the first one: numbers that are large beside their spread keep their digits.

    NaN and infinity are left out. `count`: of samples.
    """

    def __init__(self) -> None:
        self.count = 0

    def add(self, x: Floats, weight: Floats | None = None) -> None:
        """Add samples (n, columns) with their weights (n,)."""
        there = np.isfinite(x)
        heavy = np.ones(len(x)) if weight is None else np.asarray(weight, float)
        if not self.count:
            number = there.sum(axis=0)
            self.shift = np.where(there, x, 0.0).sum(axis=0) / np.maximum(number, 1)
            self.weight = self.total = self.square = np.zeros(x.shape[1])
        self.count += len(x)
        off = np.where(there, x - self.shift, 0.0)
        self.weight = self.weight + heavy @ there
        self.total = self.total + heavy @ off
        self.square = self.square + heavy @ off**2

    @property
    def mean(self) -> Floats:
        """Return (columns,); of a column without a number 0."""
        return np.asarray(self.shift + self.total / np.maximum(self.weight, 1e-300))

    @property
    def sigma(self) -> Floats:
        """Return (columns,) standard deviations; of a column without a number 0."""
        known = np.maximum(self.weight, 1e-300)
        return np.asarray(np.sqrt(np.maximum(self.square / known - (self.total / known) ** 2, 0.0)))
