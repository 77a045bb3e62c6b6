"""fit_numbers: from samples with known numbers to a model that estimates them, each with a spread that holds.

One sample in five is kept from the training: on these the spreads are made right, and what is said of bias, error and
coverage is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np

from lynkeus.core import (
    Calibration,
    CalibrationError,
    Floats,
    Measures,
    Scorer,
    SettingsError,
    Source,
    concatenate,
)
from lynkeus.core.spread import FEWEST_NUMBERS, Spread
from lynkeus.core.stated import Stated
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.lineage import lineage_of
from lynkeus.fitting.reference import FOLDS
from lynkeus.fitting.views.view import View
from lynkeus.sources import InMemory
from lynkeus.sources.wrappers.classed import Fold

COVERAGE = 0.6827  # of one standard deviation of a normal distribution
MOST_VALUES = 20  # each of which is left out once


def fit_numbers(
    scorer: Scorer, name: str, view: View, source: Source, targets: tuple[str, ...], lineage: Mapping[str, Any]
) -> Fitted:
    """Fit a scorer of numbers to samples of which the `targets` are known, in their meta, and make its spreads right.

    Raises CalibrationError for too few samples.
    """
    assert isinstance(scorer, Measures), f"{name} says that it measures, and has no spread"
    scorer.targets = targets
    known = view.training(source)
    total = sum(len(batch) for batch in known)
    if total < FOLDS * FEWEST_NUMBERS:
        raise CalibrationError(f"{name} needs at least {FOLDS * FEWEST_NUMBERS} samples, got {total}: give more")
    across = str(getattr(scorer, "across", ""))
    if across:
        held, said = fit_across(scorer, known, across)
    else:
        scorer.fit(Fold(known, FOLDS, inside=False))
        held_out = Fold(known, FOLDS, inside=True)
        scorer.calibrate(held_out)
        held, said = measured(scorer, held_out), f"one in {FOLDS}"
    truth, estimate, spread = held
    calibrations: dict[str, Calibration | Stated] = {}
    checks = {}
    for k, target in enumerate(targets):
        error = estimate[:, k] - truth[:, k]
        try:
            calibrations[target] = Spread.fit(error / spread[:, k])
        except CalibrationError as problem:
            raise CalibrationError(f"{target}: {problem}") from problem
        checks[target] = check_of(error, spread[:, k], truth[:, k])
    more = {"samples": total, "numbers": checks, "held_out": said, **getattr(scorer, "facts", {})}
    messages = [*getattr(scorer, "messages", ()), *([f"held out: {said}"] if across else [])]
    return Fitted(name, scorer, view, calibrations, {}, {**lineage_of(source, name, lineage), **more}, messages)


def fit_across(scorer: Any, known: Source, across: str) -> tuple[tuple[Floats, Floats, Floats], str]:
    """Fit to all samples, with spreads by scorers that have not seen the inner values of what is known, one after the
    other: between values that were shown they hold, if the values are no nearer to one another than those.

    Returns truth, estimates and spreads (n, targets) of samples of a value that was not shown, and what was held out.
    Raises SettingsError where that is not known of the samples, or has fewer than three values.
    """
    batch = concatenate(list(known))
    if across not in batch.meta:
        raise SettingsError(
            f"--set across={across}: is not known of these samples; there are {', '.join(batch.meta) or 'none'}"
        )
    column = np.asarray(batch.meta[across])
    values = np.unique(column)
    if not 3 <= len(values) <= MOST_VALUES:
        raise SettingsError(
            f"--set across={across}: has {len(values)} values; give samples of 3 to {MOST_VALUES} of them"
        )
    parts = []
    for value in values[1:-1]:
        other = copy(scorer)
        other.fit(InMemory(batch[column != value]))
        parts.append(measured(other, InMemory(batch[column == value])))
    truth, estimate, spread = (np.concatenate([part[k] for part in parts]) for k in range(3))
    scorer.fit(InMemory(batch))
    before = scorer.factor_.copy()
    scorer.calibrate_by(np.abs(estimate - truth) / spread)
    inner = ", ".join(f"{value:g}" for value in values[1:-1])
    return (truth, estimate, spread * scorer.factor_ / before), f"{across} = {inner}, one after the other"


def measured(scorer: Scorer, source: Source) -> tuple[Floats, Floats, Floats]:
    """Return truth, estimates and spreads (n, targets) of samples with known numbers."""
    assert isinstance(scorer, Measures)
    truths, estimates, spreads = [], [], []
    for batch in source:
        truths.append(np.stack([np.asarray(batch.meta[name], float) for name in scorer.targets], axis=1))
        estimates.append(scorer.score(batch))
        spreads.append(scorer.spread(batch))
    return np.concatenate(truths), np.concatenate(estimates), np.concatenate(spreads)


def check_of(error: Floats, spread: Floats, truth: Floats) -> dict[str, Any]:
    """Return what is said of a number on samples that were not learned from: mean absolute error, bias and its standard
    error, and `coverage`: the share within one spread where the other half of the samples has set its size."""
    known = np.isfinite(error) & np.isfinite(spread)
    error, pull = error[known], np.abs(error / spread)[known]
    inside = np.empty(len(pull), bool)
    for half in (np.arange(len(pull)) % 2 == 0, np.arange(len(pull)) % 2 == 1):
        inside[~half] = pull[~half] <= quantile_of(pull[half])
    return {
        "mean_absolute_error": float(np.abs(error).mean()),
        "bias": float(error.mean()),
        "bias_error": float(error.std() / np.sqrt(max(len(error), 1))),
        "coverage": float(inside.mean()),
        "standard_deviation": float(np.nanstd(truth)),
        "low": float(np.nanmin(truth)),
        "high": float(np.nanmax(truth)),
        "samples": len(error),
    }


def quantile_of(sizes: Floats, share: float = COVERAGE) -> float:
    """Return what this share of further sizes will not exceed: the quantile with one more counted than there are
    (Vovk et al. 2005: conformal)."""
    place = min(int(np.ceil((len(sizes) + 1) * share)) - 1, len(sizes) - 1)
    return float(np.sort(sizes)[max(place, 0)])
