"""Look-elsewhere effect: how often data without a signal look as odd at any of the mass points, by pseudo-experiments.

Events are drawn from the simulation of backgrounds, the same ones for all points, so that neighbouring points are as
alike in them as in data; the simulation is drawn anew as well. Each is normalised in the control regions anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lynkeus.core import Array, Calibration, CalibrationError, Floats, SettingsError
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.searches.estimate import regions_of
from lynkeus.searches.normalise import normalise
from lynkeus.searches.plan.plan import Plan
from lynkeus.searches.templates import Templates

EXPERIMENTS = 1000
LEAST = 1e-2  # events of background in a bin that has no simulation of it


def look_elsewhere(
    plan: Plan, every: Sequence[Templates], places: Floats, number: Array, weights: tuple[Floats, Floats],
    report: ReportProgress = silent,
) -> dict[str, Any]:  # fmt: skip
    """Return local p-values of the data at each point, and the global one of the most conspicuous.

    `places` (points, n) the cell of each background event of simulation, `number` (n,) of its process, `weights`
    (n,) as they are, and such as are nowhere negative, by which data are drawn.
    The p-value of a point is counted among pseudo-experiments; that of the largest deviation at any point is by the
    calibration of scores: neither is smaller than these support.
    """
    rng = np.random.default_rng(plan.seed + 77)
    weight, likely = weights
    tests = np.empty((EXPERIMENTS, len(every)))
    for k in range(EXPERIMENTS):
        count, again = rng.poisson(likely), rng.poisson(1.0, len(weight)) * weight
        for j, t in enumerate(every):
            own, cells = places[j] >= 0, len(t.observed)
            at, shape = number[own] * cells + places[j][own], t.counts.shape
            seen: Floats = np.bincount(places[j][own], count[own], cells).astype(float)
            drawn: Floats = np.bincount(at, again[own], shape[0] * cells).astype(float).reshape(shape)
            signal = t.processes.index(plan.signal)
            drawn[signal] = t.counts[signal]
            drawn = np.maximum(drawn, 0.0)
            tests[k, j] = statistic(plan, t, seen, drawn)
        report(f"look elsewhere: {k + 1} of {EXPERIMENTS}", (k + 1) / EXPERIMENTS)
    data = np.array([statistic(plan, t, t.observed) for t in every])
    above = (tests >= data).sum(axis=0)
    local, best = (above + 1.0) / (EXPERIMENTS + 1.0), int(np.argmax(data))
    try:
        whole = float(Calibration.fit(tests.max(axis=1), None).p_value(data[best : best + 1])[0])
    except CalibrationError:  # too few different values for a tail: counted
        whole = float((1 + (tests.max(axis=1) >= data[best]).sum()) / (EXPERIMENTS + 1))
    return {
        "experiments": EXPERIMENTS, "points": [t.point.name for t in every], "local": local.tolist(),
        "sigmas": data.tolist(), "best": every[best].point.name,
        "global": min(max(whole, float(local[best]), 1.0 / (EXPERIMENTS + 1)), 1.0),
    }  # fmt: skip


def statistic(plan: Plan, t: Templates, seen: Floats, counts: Floats | None = None) -> float:
    """Return the sum over bins of the signal region of (seen - background) log(1 + s / b), in its own sigmas: of data,
    of the factors and of simulation. `counts`: another simulation."""
    own, counts = np.flatnonzero(t.cells.is_signal), t.counts if counts is None else counts
    scaled, fixed = t.rows(plan.normalised), t.rows(tuple(plan.fixed))
    try:
        found = normalise(regions_of(plan, t, counts, t.variance, np.asarray(seen, float)))
    except SettingsError:
        return 0.0
    a = counts[np.ix_(scaled, own)]
    background = np.maximum(found.factors @ a + counts[np.ix_(fixed, own)].sum(axis=0), LEAST)
    nominal = np.maximum(t.counts[np.ix_(t.rows(plan.backgrounds), own)].sum(axis=0), LEAST)
    each = np.log1p(np.maximum(t.counts[t.processes.index(plan.signal), own], 0.0) / nominal)
    limited = found.factors**2 @ t.variance[np.ix_(scaled, own)] + t.variance[np.ix_(fixed, own)].sum(axis=0)
    spread = np.sqrt(np.sum(each**2 * (nominal + limited)) + each @ a.T @ found.covariance @ a @ each)
    return float(((np.asarray(seen)[own] - background) @ each) / max(spread, 1e-12))
