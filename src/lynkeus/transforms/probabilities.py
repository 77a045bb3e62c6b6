"""Probabilities that hold: log odds of a tagger made those of jets that it has not learned from (temperature scaling).

Guo et al. 2017, arXiv:1706.04599; with a bias of each class (Alexandari et al. 2020, arXiv:1901.06852), since classes
are as frequent in the training as it wants them, not as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.metrics.reliability import calibration_error

LEAST_SLOPE, MOST_SLOPE = 0.02, 50.0
PULL = 1e-4  # towards as it was, so that few jets that are told apart without error give no infinite slope


@dataclass(frozen=True)
class Probabilities:
    """Probability of class k is softmax(`slope` logit + `bias`[k]); `bias` (classes,)."""

    slope: float
    bias: Floats

    @classmethod
    def as_they_are(cls, classes: int) -> Self:
        """Return those that the tagger states itself."""
        return cls(1.0, np.zeros(classes))

    def of(self, logits: Floats) -> Floats:
        """Return (n, classes) probabilities; NaN stays NaN."""
        # Class by class: sums over a short last axis take ten times as long.
        found: Floats = np.multiply(self.slope, logits.T, order="C", dtype=float)
        found += self.bias[:, None]
        found -= found.max(axis=0)
        np.exp(found, out=found)
        found /= found.sum(axis=0)
        return found.T

    @classmethod
    def fit(cls, logits: Floats, truth: Array, weight: Floats | None = None, only: int | None = None) -> Self:
        """Learn from logits (n, classes) and the classes (n,) of jets that were kept from the training; `only`: nothing
        but the bias of one class, so that the order of its probabilities stays what it is."""
        from scipy.optimize import minimize  # here: to score without them starts sooner
        from scipy.special import log_softmax

        heavy = np.ones(len(truth)) if weight is None else np.asarray(weight, float)
        heavy = heavy / heavy.sum()
        classes = logits.shape[1]
        own = np.eye(classes)[truth]

        def loss(x: Floats) -> tuple[float, Floats]:
            slope, bias = np.exp(x[0]), x[1:]
            logs = log_softmax(slope * logits + bias, axis=1)
            error = heavy[:, None] * (np.exp(logs) - own)
            by_slope = slope * (error * logits).sum()
            value = -(heavy * logs[np.arange(len(truth)), truth]).sum() + PULL * (x**2).sum()
            return float(value), np.concatenate([[by_slope], error.sum(axis=0)]) + 2 * PULL * x

        free = [only is None or k == only for k in range(classes)]
        bounds = [(np.log(LEAST_SLOPE), np.log(MOST_SLOPE)), *[(-20.0, 20.0)] * classes]
        if only is not None:
            bounds = [(0.0, 0.0), *((-20.0, 20.0) if own else (0.0, 0.0) for own in free)]
        found = minimize(loss, np.zeros(1 + classes), jac=True, method="L-BFGS-B", bounds=bounds).x
        return cls(float(np.exp(found[0])), found[1:] - found[1:].mean())


def calibrated(
    logits: Floats, truth: Array, weight: Floats | None, only: int | None = None
) -> tuple[Probabilities, dict[str, Any]]:
    """Return what was learned from held-out jets (see `Probabilities.fit`), and the expected calibration error before
    and after, in words and numbers for the lineage; the one after is measured on halves that were not learned from."""
    known = np.isfinite(logits).all(axis=1)
    logits, truth = logits[known], truth[known]
    heavy = None if weight is None else np.asarray(weight, float)[known]
    found = Probabilities.fit(logits, truth, heavy, only)
    after = np.empty_like(logits)
    half = np.arange(len(truth)) % 2 == 0
    for part in (half, ~half):
        own = Probabilities.fit(logits[part], truth[part], None if heavy is None else heavy[part], only)
        after[~part] = own.of(logits[~part])
    before = Probabilities.as_they_are(logits.shape[1]).of(logits)
    said = {
        "method": "temperature and bias of each class" if only is None else "bias of the class of the signal",
        "temperature": 1.0 / found.slope,
        "jets": len(truth),
        "expected_calibration_error_before": calibration_error(before, truth, heavy),
        "expected_calibration_error": calibration_error(after, truth, heavy),
    }
    return found, said
