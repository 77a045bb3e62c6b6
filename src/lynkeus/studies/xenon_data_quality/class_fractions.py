"""What share of the pulses of a run is of each class, although some are called by the wrong name.

Counts of what pulses were called are unfolded by the confusion matrix: maximum likelihood with shares that cannot be
negative, and intervals from the profile of the likelihood, which hold for rare and for absent classes as well.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from lynkeus.core import Array, Floats, SchemaError

STEPS, HALVINGS = 100, 25  # of the expectation-maximisation, and of the search for an end of an interval
NEVER = 1e-300


class ClassFractions(NamedTuple):
    """(runs, class) most likely share, and the ends of its interval."""

    value: Floats
    low: Floats
    high: Floats


def confusion_counts(truth: Array, called: Array, classes: int) -> Array:
    """Return (classes, classes) number of pulses of a class [true, called]."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (truth, called), 1)
    return counts


def class_fractions(called: Array, confusion: Array, level: float = 0.6827) -> ClassFractions:
    """Estimate fractions of classes from (runs, class) pulses called so, and `confusion` counts [true, called] of
    pulses whose class is known.

    The interval has the error of the counts and that of the confusion matrix. A run without pulses: NaN. Raises
    SchemaError for a class of which no pulse is known, or negative counts.
    """
    called, known = np.asarray(called, np.float64), np.asarray(confusion, np.float64)
    if (called < 0).any() or (known.sum(axis=1) <= 0).any() or known.shape != (called.shape[1],) * 2:
        raise SchemaError(
            "class fractions need counts that are not negative, and known pulses of every class in the confusion matrix"
        )
    rows = known + 1 / len(known)  # what has not been seen is rare, not impossible
    chance = rows / rows.sum(axis=1, keepdims=True)
    value = _fit(called, chance)
    drop = 0.5 * norm.ppf(0.5 + level / 2) ** 2
    low, high = (_ends(bound, value, called, chance, drop) for bound in (0.0, 1.0))
    spread = norm.ppf(0.5 + level / 2) * _confusion_sigma(value, chance, rows.sum(axis=1))
    low = np.clip(value - np.hypot(value - low, spread), 0, 1)
    high = np.clip(value + np.hypot(high - value, spread), 0, 1)
    empty = called.sum(axis=1) <= 0
    for shares in (value, low, high):
        shares[empty] = np.nan
    return ClassFractions(value, low, high)


def _fit(called: Floats, chance: Floats, fixed: Floats | None = None) -> Floats:
    """Return (runs, class) most likely shares; `fixed` (runs, class): what some of them are, NaN for the others."""
    fixed = np.full(called.shape, np.nan) if fixed is None else fixed
    free, left = np.isnan(fixed), 1 - np.nansum(fixed, axis=1, keepdims=True)
    shares = np.where(free, 1 / called.shape[1], fixed)
    for _ in range(STEPS):
        weight = np.where(free, shares * ((called / np.maximum(shares @ chance, NEVER)) @ chance.T), 0.0)
        total = np.maximum(weight.sum(axis=1, keepdims=True), NEVER)
        shares = np.where(free, weight * (left / total), fixed)
    return shares


def _log_likelihood(shares: Floats, called: Floats, chance: Floats) -> Floats:
    """Return (runs,) up to a constant."""
    return np.asarray((called * np.log(np.maximum(shares @ chance, NEVER))).sum(axis=1))


def _ends(bound: float, value: Floats, called: Floats, chance: Floats, drop: float) -> Floats:
    """Return (runs, class) where the profile of the likelihood has fallen by `drop`, between the best share and a
    bound."""
    kinds = value.shape[1]
    least = np.repeat(_log_likelihood(value, called, chance) - drop, kinds)
    each = np.repeat(called, kinds, axis=0)  # every class of every run at once
    own = np.tile(np.eye(kinds, dtype=bool), (len(value), 1))
    inside, outside = value.ravel(), np.full(value.size, bound)
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        profile = _fit(each, chance, np.where(own, middle[:, None], np.nan))
        likely = _log_likelihood(profile, each, chance) >= least
        inside, outside = np.where(likely, middle, inside), np.where(likely, outside, middle)
    return inside.reshape(value.shape)


def _confusion_sigma(value: Floats, chance: Floats, known: Floats) -> Floats:
    """Return (runs, class) error of the shares from the number of `known` pulses that the chances were counted on."""
    unfold = np.linalg.pinv(chance.T)
    of_row = np.stack(
        [
            np.diag(unfold @ ((np.diag(row) - np.outer(row, row)) / n) @ unfold.T)
            for row, n in zip(chance, known, strict=True)
        ]
    )
    return np.sqrt(np.maximum(value**2 @ of_row, 0))
