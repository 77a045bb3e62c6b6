"""Look-elsewhere effect: how often data without a signal look as odd at any of the mass points, by pseudo-experiments.

Events are drawn from the simulation of backgrounds, the same ones for all points, so that neighbouring points are as
alike in them as in data. Each is normalised in the control regions anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lynkeus.core import Calibration, CalibrationError, Floats, SettingsError
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.searches.estimate import regions_of
from lynkeus.searches.normalise import normalise
from lynkeus.searches.plan.plan import Plan
from lynkeus.searches.templates import Templates

EXPERIMENTS = 1000


def look_elsewhere(
    plan: Plan, every: Sequence[Templates], places: Floats, weight: Floats, report: ReportProgress = silent
) -> dict[str, Any]:
    """Return local p-values of the data at each point, and the global one of the smallest.

    `places` (points, n) the cell of each background event of simulation, `weight` (n,). The p-value of a point is
    counted among pseudo-experiments; so is the smallest of all points, by the calibration of scores: neither is smaller
    than these support.
    """
    rng = np.random.default_rng(plan.seed + 77)
    tests = np.empty((EXPERIMENTS, len(every)))
    for k in range(EXPERIMENTS):
        count = rng.poisson(np.maximum(weight, 0.0))
        for j, t in enumerate(every):
            seen = np.bincount(places[j][places[j] >= 0], count[places[j] >= 0], len(t.observed))
            tests[k, j] = statistic(plan, t, seen)
        report(f"look elsewhere: {k + 1} of {EXPERIMENTS}", (k + 1) / EXPERIMENTS)
    data = np.array([statistic(plan, t, t.observed) for t in every])
    local = _local(tests, data[None])[0]
    smallest = -np.log10(_local(tests, tests).min(axis=1))
    best = int(np.argmin(local))
    try:
        whole = float(Calibration.fit(smallest).p_value(np.array([-np.log10(local[best])]))[0])
    except (CalibrationError, SettingsError):  # too few different values for a tail: counted
        whole = float((1 + (smallest >= -np.log10(local[best])).sum()) / (EXPERIMENTS + 1))
    return {
        "experiments": EXPERIMENTS, "points": [t.point.name for t in every], "local": local.tolist(),
        "best": every[best].point.name, "global": max(whole, float(local[best]), 1.0 / (EXPERIMENTS + 1)),
    }  # fmt: skip


def statistic(plan: Plan, t: Templates, seen: Floats) -> float:
    """Return the sum over bins of the signal region of (seen - background) log(1 + s / b), in its own sigmas."""
    own = np.flatnonzero(t.cells.is_signal)
    scaled, fixed = t.rows(plan.normalised), t.rows(tuple(plan.fixed))
    try:
        found = normalise(regions_of(plan, t, t.counts, t.variance, np.asarray(seen, float)))
    except SettingsError:
        return 0.0
    a = t.counts[np.ix_(scaled, own)]
    background = np.maximum(found.factors @ a + t.counts[np.ix_(fixed, own)].sum(axis=0), 1e-3)
    signal = np.maximum(t.counts[t.processes.index(plan.signal), own], 0.0)
    each = np.log1p(signal / background)
    spread = np.sqrt(np.sum(each**2 * background) + each @ a.T @ found.covariance @ a @ each)
    return float(((np.asarray(seen)[own] - background) @ each) / max(spread, 1e-12))


def _local(tests: Floats, asked: Floats) -> Floats:
    """Return (m, points) the share of pseudo-experiments that are as odd, at least 1 of one more than there are."""
    found = np.empty(asked.shape)
    for j in range(tests.shape[1]):
        ordered = np.sort(tests[:, j])
        above = len(ordered) - np.searchsorted(ordered, asked[:, j], side="left")
        found[:, j] = (above + 1.0) / (len(ordered) + 1.0)
    return np.minimum(found, 1.0)
