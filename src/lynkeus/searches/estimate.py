"""Backgrounds of one mass point: factors by Y = A X, and all that says whether they can be believed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.searches.inference import Model
from lynkeus.searches.minimise import by_pyhf
from lynkeus.searches.normalise import Normalisation, Regions, normalise, pseudo_experiments, require_distinct
from lynkeus.searches.plan.plan import Plan
from lynkeus.searches.templates import Templates
from lynkeus.searches.workspace import Channel, Sample, workspace

EXPERIMENTS = 300
FREE = "norm_"  # before the name of a background: its factor as a parameter


def estimate(plan: Plan, t: Templates) -> dict[str, Any]:
    """Return the factors and their checks, in plain types: what a page, a table and a later run read.

    Raises SettingsError: a singular matrix, an empty region, a negative expectation.
    """
    regions = regions_of(plan, t, t.counts, t.variance)
    require_distinct(regions)
    found = normalise(regions)
    fitted, errors = by_fit(regions)
    shifts = _shifts(plan, t, found)
    return {
        "backgrounds": list(plan.normalised),
        "regions": list(regions.names),
        "matrix": regions.expected.tolist(),
        "matrix_error": np.sqrt(regions.variance).tolist(),
        "other": regions.other.tolist(),
        "observed": regions.observed.tolist(),
        "factors": found.factors.tolist(),
        "errors": found.errors.tolist(),
        "errors_data": np.sqrt(np.diag(found.data)).tolist(),
        "errors_simulation": np.sqrt(np.diag(found.simulation)).tolist(),
        "errors_systematic": np.sqrt((np.array(list(shifts.values())) ** 2).sum(axis=0)).tolist()
        if shifts else [0.0] * len(found.factors),
        "covariance": found.covariance.tolist(),
        "correlation": found.correlation.tolist(),
        "condition": found.condition, "chi2": found.chi2, "freedom": found.freedom,
        "pulls": found.pulls.tolist() if found.freedom else [],
        "systematics": {name: one.tolist() for name, one in shifts.items()},
        "pyhf": fitted.tolist(), "pyhf_errors": errors.tolist(),
        "pyhf_difference": ((fitted - found.factors) / found.errors).tolist(),
        "bootstrap": _bootstrap(regions, found, plan.seed),
        "closure": _closure(plan, t),
        "contamination": _contamination(plan, t, found),
        "prediction": prediction(plan, t, found, shifts),
        "uncovered": t.uncovered, "assumed": list(t.assumed), "settled": list(t.settled),
        "simulated_background": _entries(plan, t),
    }  # fmt: skip


def regions_of(plan: Plan, t: Templates, counts: Floats, variance: Floats, observed: Floats | None = None) -> Regions:
    """Return the control regions with what is seen and expected there; fixed backgrounds are not scaled."""
    own = np.flatnonzero(t.control)
    names = [t.cells.names[k] for k in own]
    scaled, fixed = t.rows(plan.normalised), t.rows(tuple(plan.fixed))
    expected = counts[np.ix_(scaled, own)].T
    return Regions(
        names, plan.normalised, expected, variance[np.ix_(scaled, own)].T,
        (t.observed if observed is None else observed)[own],
        counts[np.ix_(fixed, own)].sum(axis=0), variance[np.ix_(fixed, own)].sum(axis=0),
    )  # fmt: skip


def _entries(plan: Plan, t: Templates) -> float:
    """Return how many simulated events of backgrounds are in signal regions."""
    return float(t.entries[np.ix_(t.rows(plan.backgrounds), np.flatnonzero(t.cells.is_signal))].sum())


def by_fit(regions: Regions) -> tuple[Floats, Floats]:
    """Return the factors and errors that pyhf's fit of the control regions finds, with the same inputs."""
    channels = []
    for i, name in enumerate(regions.names):
        samples = [
            Sample(b, regions.expected[i, [j]], regions.variance[i, [j]], {}, (f"{FREE}{b}",))
            for j, b in enumerate(regions.backgrounds)
        ]
        if regions.other[i] > 0:
            samples.append(Sample("fixed", regions.other[[i]], regions.other_variance[[i]]))
        channels.append(Channel(name, samples, regions.observed[[i]]))
    own = Model.of(workspace(channels, strength=f"{FREE}{regions.backgrounds[0]}"))
    found = by_pyhf(own.model, own.data)
    values, errors = (np.array([part[f"{FREE}{name}"] for name in regions.backgrounds]) for part in found)
    return values, errors


def _shifts(plan: Plan, t: Templates, found: Normalisation) -> dict[str, Floats]:
    """Return how much each systematic moves the factors: half of up less down; of fixed backgrounds their own."""
    shifts: dict[str, Floats] = {}
    for name, both in t.varied.items():
        moved = [normalise(regions_of(plan, t, counts, t.variance)).factors for counts in both]
        shifts[name] = (moved[0] - moved[1]) / 2
    for name, size in plan.fixed.items():
        row = t.processes.index(name)
        moved = []
        for sign in (1, -1):
            counts = t.counts.copy()
            counts[row] *= max(1 + sign * size, 0.0)
            moved.append(normalise(regions_of(plan, t, counts, t.variance)).factors)
        shifts[f"{name}_norm"] = (moved[0] - moved[1]) / 2
    return shifts


def _bootstrap(regions: Regions, found: Normalisation, seed: int) -> dict[str, Any]:
    """Return what pseudo-experiments with these factors say of the errors: of data and of simulation drawn anew."""
    if (found.factors <= 0).any():
        return {"experiments": 0, "ratio": [], "inside": [], "width": [], "mean": []}
    values, pulls = [], []
    for _, one in pseudo_experiments(regions, found.factors, EXPERIMENTS, seed):
        values.append(one.factors)
        pulls.append((one.factors - found.factors) / one.errors)
    pull = np.array(pulls)
    return {
        "experiments": EXPERIMENTS, "ratio": (np.std(values, axis=0) / found.errors).tolist(),
        "inside": (np.abs(pull) < 1).mean(axis=0).tolist(), "width": pull.std(axis=0).tolist(),
        "mean": pull.mean(axis=0).tolist(),
    }  # fmt: skip


def _closure(plan: Plan, t: Templates) -> dict[str, Any]:
    """Return the factors of one half of the simulation normalised to the other, which must be 1 within errors, and what
    is predicted in the signal region over what the other half has there."""
    rows = t.rows(plan.backgrounds)
    seen = t.half[1][rows].sum(axis=0)
    regions = regions_of(plan, t, t.half[0], 2 * t.variance, seen)
    found = normalise(regions)
    blind = np.flatnonzero(t.cells.is_signal)
    # What is seen is simulation as well: its errors are those of weights, twice the variance of the whole.
    errors = np.sqrt(2 * np.diag(normalise(regions_of(plan, t, t.half[0], 2 * t.variance, seen)).simulation))
    scaled, fixed = t.rows(plan.normalised), t.rows(tuple(plan.fixed))
    told = (found.factors @ t.half[0][scaled] + t.half[0][fixed].sum(axis=0))[blind].sum()
    has = seen[blind].sum()
    spread = np.sqrt(4 * t.variance[rows][:, blind].sum()) / max(has, 1e-300)
    return {"factors": found.factors.tolist(), "errors": errors.tolist(), "ratio": float(told / max(has, 1e-300)),
            "ratio_error": float(spread)}  # fmt: skip


def _contamination(plan: Plan, t: Templates, found: Normalisation) -> dict[str, Any]:
    """Return what a signal of strength 1 does: its share of each control region, and how much it moves the factors."""
    own, row = np.flatnonzero(t.control), t.processes.index(plan.signal)
    signal = t.counts[row, own]
    regions = regions_of(plan, t, t.counts, t.variance)
    without = normalise(replace(regions, other=regions.other + np.maximum(signal, 0)))
    return {
        "signal": signal.tolist(), "share": (signal / np.maximum(regions.observed, 1.0)).tolist(),
        "moved": ((found.factors - without.factors) / found.errors).tolist(),
    }  # fmt: skip


def prediction(plan: Plan, t: Templates, found: Normalisation, shifts: dict[str, Floats]) -> list[dict[str, Any]]:
    """Return for each bin of the signal regions the background that is predicted, with its errors by origin."""
    scaled, fixed = t.rows(plan.normalised), t.rows(tuple(plan.fixed))
    rows = []
    for k in np.flatnonzero(t.cells.is_signal).tolist():
        a, total = t.counts[scaled, k], float(found.factors @ t.counts[scaled, k] + t.counts[fixed, k].sum())
        own = found.factors**2 @ t.variance[scaled, k] + t.variance[fixed, k].sum()
        moved = [_moved(name, t, k, scaled, fixed, (found.factors, shift)) for name, shift in shifts.items()]
        rows.append({
            "region": t.cells.names[k], "background": total,
            "by_process": {**{b: float(found.factors[j] * a[j]) for j, b in enumerate(plan.normalised)},
                           **{b: float(t.counts[t.processes.index(b), k]) for b in plan.fixed}},
            "signal": float(t.counts[t.processes.index(plan.signal), k]),
            "simulation": float(a.sum() + t.counts[fixed, k].sum()),
            "error_factors": float(np.sqrt(a @ found.covariance @ a)), "error_simulation": float(np.sqrt(own)),
            "error_systematic": float(np.sqrt(np.sum(np.square(moved)))),
            "observed": None if np.isnan(t.observed[k]) else float(t.observed[k]),
        })  # fmt: skip
    return rows


def _moved(name: str, t: Templates, k: int, scaled: Array, fixed: Array, factors: tuple[Floats, Floats]) -> float:
    """Return by how much a systematic moves the background of a cell, with the factors that move along."""
    value, shift = factors
    both = t.varied.get(name)
    if both is None:  # the normalisation of a fixed background: its factors, and itself by what it is
        return float(shift @ t.counts[scaled, k])
    up, down = (float((value + sign * shift) @ counts[scaled, k] + counts[fixed, k].sum())
                for sign, counts in ((1, both[0]), (-1, both[1])))  # fmt: skip
    return (up - down) / 2


def sigma_of(row: dict[str, Any]) -> float:
    """Return the whole error of a predicted background."""
    return float(np.sqrt(sum(row[f"error_{one}"] ** 2 for one in ("factors", "simulation", "systematic"))))
