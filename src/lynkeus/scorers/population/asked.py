"""What the scorer population says of a run as a whole, and how often it says as much of good runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lynkeus.core import CalibrationError, Floats
from lynkeus.core.run_calibration import SCALE, RunCalibration
from lynkeus.scorers.population.trials import TINY
from lynkeus.scorers.population.view import QUESTIONS, Asked

FEW = 40  # good runs, up to which they may agree with the tests
AGREE = 4.0  # times the mean score by the tests, up to which held-out runs agree with them
ODDEST = 0.01  # times among all held-out runs that the oddest may be expected by the tests, and agree


class AskedRun(NamedTuple):
    """The p-values of a run: those of all `views`, and that of the shares of groups and of missing values, `kinds`,
    with the numbers of its events that it is of."""

    views: list[Asked | None]
    kinds: Floats
    kinds_p_value: float

    def p_value(self, new: bool = True) -> float:
        """Return the p-value of the smallest of all p-values, corrected for how many were looked at (Sidak 1967); with
        or without those of a new population."""
        views = [asked if new else asked._replace(new=1.0) for asked in self.views if asked]
        found = [p for asked in views for p in asked[:QUESTIONS]] + [self.kinds_p_value]
        least = min(found)
        return float(max(-np.expm1(len(found) * np.log1p(-min(least, 1 - 1e-12))), TINY))


def calibrated(good: Sequence[AskedRun]) -> RunCalibration | None:
    """Return how small p-values good runs have that were not learned from: runs differ in more ways than tests of their
    events know. None for too few, and where few agree with the tests, on average and the oddest of them: a
    part of the runs is less to learn from, so that what is held out looks odder than it is, and few support no verdict.

    Its own p-values have no floor, so that of two odd runs the odder one has the smaller.
    """
    scores = -np.log10([run.p_value() for run in good])
    agree = scores.mean() < AGREE * SCALE and scores.max() < np.log10(len(scores) / ODDEST)
    if len(scores) <= FEW and agree:
        return None
    try:
        return replace(RunCalibration.fit(scores, theory=True), rarest=0.0)
    except CalibrationError:
        return None


def among_good(asked: AskedRun, calibration: RunCalibration) -> float:
    """Return how often a good run has so small a p-value."""
    return float(calibration.p_value(np.array([-np.log10(asked.p_value())]))[0])
