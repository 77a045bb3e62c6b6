"""What a mass point says: its workspace, significances, limits, best fit with pulls, and impacts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lynkeus.core import Array, Floats, SettingsError
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.metrics.significance import asimov_significance
from lynkeus.searches.estimate import FREE, sigma_of
from lynkeus.searches.inference import FEW_EVENTS, Model, best_fit, discovery, impacts, upper_limit
from lynkeus.searches.plan.plan import Plan
from lynkeus.searches.templates import Templates
from lynkeus.searches.workspace import SIGNAL_STRENGTH, Channel, Sample, Variation, workspace

FEW_SIGNAL = 3.0  # events of signal below which it is scaled up for the search for its limit


def channels(plan: Plan, t: Templates, factors: Sequence[float]) -> list[Channel]:
    """Return the regions as the likelihood has them; where data stay blind, what is expected without a signal."""
    blind = np.isnan(t.observed)
    scaled, fixed = t.rows(plan.normalised), t.rows(tuple(plan.fixed))
    background = np.asarray(factors) @ t.counts[scaled] + t.counts[fixed].sum(axis=0)
    observed = np.where(blind, background, t.observed)
    found = []
    for k, region in enumerate(plan.regions):
        own = np.flatnonzero(t.cells.region_of == k)
        samples = [_sample(plan, t, name, own) for name in plan.processes]
        found.append(Channel(region.name, samples, observed[own]))
    return found


def _sample(plan: Plan, t: Templates, name: str, own: Array) -> Sample:
    row = t.processes.index(name)
    counts = t.counts[row, own]
    systematics: dict[str, Variation] = {}
    for systematic, both in t.varied.items():
        up, down = both[0, row, own], both[1, row, own]
        if not (np.allclose(up, counts) and np.allclose(down, counts)):
            systematics[systematic] = Variation(np.maximum(up, 0.0), np.maximum(down, 0.0))
    if name in plan.fixed:
        size = plan.fixed[name]
        systematics[f"{name}_norm"] = Variation(counts * (1 + size), counts * max(1 - size, 0.0))
    factor = (SIGNAL_STRENGTH,) if name == plan.signal else ((f"{FREE}{name}",) if name in plan.normalised else ())
    return Sample(name, counts, t.variance[row, own], systematics, factor)


def inference(
    plan: Plan, t: Templates, estimated: dict[str, Any], ranked: bool, report: ReportProgress = silent
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the likelihood says in plain types, and the workspace. `ranked`: with the impacts of all parameters.

    Without data of the signal regions nothing observed is stated.
    """
    regions = channels(plan, t, estimated["factors"])
    written = workspace(regions)
    model = Model.of(written)
    blind = bool(np.isnan(t.observed).any())
    report(f"{t.point.name}: limit", 0.1)
    few = model.fewest < FEW_EVENTS
    limit, toys = _limit(plan, regions, estimated, plan.toys if few else 0, report)
    report(f"{t.point.name}: best fit", 0.7)
    found = discovery(model, 0 if blind else toys)
    best = best_fit(model)
    rows = estimated["prediction"]
    s, b, sigma = (np.array([value(row) for row in rows]) for value in
                   (lambda row: row["signal"], lambda row: row["background"], sigma_of))  # fmt: skip
    plain = asimov_significance(np.maximum(s, 0), np.maximum(b, 1e-9))
    whole = asimov_significance(np.maximum(s, 0), np.maximum(b, 1e-9), sigma)
    result: dict[str, Any] = {
        "signal": float(s.sum()), "background": float(b.sum()), "fewest": model.fewest,
        "few": few, "toys": toys,
        "z_without": _together(plain), "z_with": _together(whole), "z_expected": found.expected,
        "limit_expected": list(limit[1:]), "limit_observed": None if blind else limit[0],
        "z_observed": None if blind else found.significance, "p_value": None if blind else found.p_value,
        "strength": None if blind else [best.values[SIGNAL_STRENGTH], best.errors[SIGNAL_STRENGTH]],
        "fit": {name: [best.values[name], best.errors[name]] for name in best.values
                if name != SIGNAL_STRENGTH or not blind},
        "pulls": dict(best.pulls),
        "impacts": [],
    }  # fmt: skip
    if ranked:
        result["impacts"] = [one._asdict() for one in impacts(model, report)]
    return result, written


def _together(z: Floats) -> float:
    """Return the significance of bins together; infinite ones have too little simulation, and count as nothing."""
    return float(np.sqrt((z[np.isfinite(z)] ** 2).sum()))


def _limit(
    plan: Plan, regions: list[Channel], estimated: dict[str, Any], toys: int, report: ReportProgress
) -> tuple[list[float], int]:
    """Return observed and expected limits on the strength, and how many toys each took."""
    signal = max(sum(row["signal"] for row in estimated["prediction"]), 1e-12)
    scale = 10.0 ** np.ceil(np.log10(FEW_SIGNAL / signal)) if signal < FEW_SIGNAL else 1.0
    larger = [replace(channel, samples=[_scaled(one, scale) if one.name == plan.signal else one for one in
                                        channel.samples]) for channel in regions]  # fmt: skip
    try:
        found = upper_limit(Model.of(workspace(larger)), toys, report)
    except SettingsError as error:
        if "no signal strength" not in str(error):
            raise
        return [float("inf")] * 6, toys
    return [scale * found.observed, *(scale * one for one in found.expected)], found.toys


def _scaled(sample: Sample, scale: float) -> Sample:
    systematics = {name: Variation(scale * both.up, scale * both.down) for name, both in sample.systematics.items()}
    return replace(sample, counts=scale * sample.counts, variance=scale**2 * sample.variance, systematics=systematics)
