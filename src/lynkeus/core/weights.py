"""Weights of samples: what may be one, how many events they are worth, and statistics that count each by its weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lynkeus.core.errors import SchemaError

Floats = npt.NDArray[np.floating[Any]]
ALIKE = 1e-9  # relative: weights that differ by less are the rounding of one number

REMEDY = (
    "give weights that are finite and at least 0; of a generator with negative ones first resample the events to "
    "positive weights"
)


def check_weights(weight: npt.NDArray[Any]) -> None:
    """Raise SchemaError, with what to do, for a weight that is negative, NaN or infinite, or no number at all."""
    if weight.ndim != 1 or weight.dtype.kind not in "biuf":
        raise SchemaError(f"weights must be one number per sample, got {weight.dtype} of shape {weight.shape}")
    good = np.isfinite(weight) & (weight >= 0)
    if not good.all():
        row = int(np.argmin(good))
        raise SchemaError(f"the weight of sample {row} is {weight[row]:g}: {REMEDY}")


def differ(weight: npt.NDArray[Any]) -> bool:
    """Return whether some samples count more than others: weights that are all alike say nothing."""
    return len(weight) > 0 and float(weight.max() - weight.min()) > ALIKE * float(weight.max())


def effective_number(weight: npt.NDArray[Any]) -> float:
    """Return (sum w)^2 / sum w^2: how many events of one weight would know a mean as well (Kish 1965, Survey
    Sampling)."""
    values = np.asarray(weight, float)
    values = values / values.max(initial=np.finfo(float).tiny)  # squares of very small or large weights stay numbers
    squares = float((values**2).sum())
    return float(values.sum()) ** 2 / squares if squares else 0.0


def joined_weights(columns: Sequence[npt.NDArray[Any] | None], lengths: Sequence[int]) -> Floats | None:
    """The weights of batches of these lengths as one column, 1 where a batch has none; None where all have none."""
    if all(column is None for column in columns):
        return None
    parts = [np.ones(n) if column is None else column for column, n in zip(columns, lengths, strict=True)]
    return np.concatenate(parts).astype(float)


def weighted_quantile(values: Floats, q: Floats, weight: Floats | None = None) -> Floats:
    """Quantiles of values (n,) without NaN. Each is in the middle of its weight; equal weights give `np.quantile`."""
    if weight is None:
        return np.asarray(np.quantile(values, q))
    order = np.argsort(values, kind="stable")
    heavy = np.asarray(weight, float)[order]
    middle = np.cumsum(heavy) - 0.5 * heavy
    span = middle[-1] - middle[0]
    return np.asarray(np.interp(q, (middle - middle[0]) / (span or 1.0), np.asarray(values, float)[order]))


def weighted_median(values: Floats, weight: Floats | None = None) -> Floats:
    """Return (c,) of values (n, c): half of the weight on either side, NaN left out, NaN for a column without a number.

    A sample of weight 2 is what it would be twice; without weights, or with equal ones, `np.nanmedian`.
    """
    if weight is None:
        return np.asarray(np.nanmedian(values, axis=0))
    order = np.argsort(values, axis=0, kind="stable")  # NaN comes last
    ordered = np.take_along_axis(np.asarray(values, float), order, axis=0)
    counted = np.where(np.isnan(ordered), 0.0, np.asarray(weight, float)[order])
    reached = np.cumsum(counted, axis=0)
    half = 0.5 * reached[-1:]
    close = 1e-12 * reached[-1:]
    low, high = (reached >= half - close).argmax(axis=0), (reached > half + close).argmax(axis=0)
    columns = np.arange(ordered.shape[1])
    found = 0.5 * (ordered[low, columns] + ordered[high, columns])
    return np.asarray(np.where(reached[-1] > 0, found, np.nan))


def weighted_mean(values: Floats, weight: Floats | None = None) -> Floats:
    """Return (c,) mean of values (n, c), NaN left out, NaN for a column without a number."""
    if weight is None:
        return np.asarray(np.nanmean(values, axis=0))
    there = np.isfinite(values)
    counted = np.where(there, np.asarray(weight, float)[:, None], 0.0)
    total = counted.sum(axis=0)
    found = (np.where(there, values, 0.0) * counted).sum(axis=0) / np.where(total > 0, total, 1.0)
    return np.asarray(np.where(total > 0, found, np.nan))
