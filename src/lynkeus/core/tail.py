"""Tail: how rare scores beyond the body of a reference are, as far as the peaks of its clusters say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lynkeus.core.batch import Floats


@dataclass(frozen=True)
class Tail:
    """Generalised Pareto tail of cluster peaks: P(peak - threshold > y) = (1 + shape y / scale)^(-1/shape)."""

    threshold: float
    scale: float
    shape: float
    clusters_per_hour: float  # above the threshold; per sample instead where the reference has no duration

    def rate(self, scores: Floats) -> Floats:
        """Clusters per hour that peak above each score, for scores above the threshold."""
        y = np.maximum(np.asarray(scores, float) - self.threshold, 0.0) / self.scale
        if self.shape < 1e-6:
            return self.clusters_per_hour * np.exp(-y)
        return self.clusters_per_hour * np.power(1.0 + self.shape * y, -1.0 / self.shape)

    def score_at(self, rate: float) -> float:
        """Return the score at which the tail has a rate: the inverse of `rate`."""
        ratio = max(self.clusters_per_hour / rate, 1.0)
        if self.shape < 1e-6:
            return self.threshold + self.scale * float(np.log(ratio))
        return self.threshold + self.scale / self.shape * float(ratio**self.shape - 1.0)


def fit_pareto(excesses: Floats, worth: Floats | None = None, least: float = 0.0) -> tuple[float, float]:
    """Return (scale, shape) of a generalised Pareto distribution by probability-weighted moments (Hosking & Wallis
    1987).

    `worth` (n,): how much each excess counts (None: all alike). The shape is kept in [`least`, 0.5]: a score has no
    sharpest possible value, and a heavier tail than that is an unclean reference, not a tail.
    """
    order = np.argsort(excesses, kind="stable")
    y, w = np.asarray(excesses, float)[order], np.ones(len(order)) if worth is None else worth[order]
    rarer = 1.0 - (np.cumsum(w) - 0.35 * w) / w.sum()
    a0, a1 = float(np.average(y, weights=w)), float(np.average(rarer * y, weights=w))
    shape = 2.0 - a0 / max(a0 - 2.0 * a1, 1e-12)
    shape = float(np.clip(shape, least, 0.5))
    return max(a0 * (1.0 - shape), 1e-9), shape
