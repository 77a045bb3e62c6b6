"""Changes of gains between two periods: what temperature and pressure explain of them, and what they leave."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Floats, SourceError
from lynkeus.pads.table import PadTable

KELVIN = 273.15
LEAST_LEVER = 1e-4  # of ln(T / p) between pads and periods, below which no coefficient can be found


class GainChanges(NamedTuple):
    """Of the pads that both periods have: their rows in the tables `before` and `after`, `ratio` of the gains and its
    `error` (n,), NaN where one of both is not fitted; `factor` and `factor_error`: the change of all; `coefficient` and
    its error: relative change of the gain for one of T / p, NaN where it cannot be found; `left` (n,): the ratio
    without the change of all and, where known, of T / p, in standard deviations."""

    before: Array
    after: Array
    ratio: Floats
    error: Floats
    factor: float
    factor_error: float
    coefficient: float
    coefficient_error: float
    left: Floats


def gain_changes(before: PadTable, after: PadTable) -> GainChanges:
    """Compare two tables of pads. Raises SourceError where they have fewer than half of their pads in common."""
    keys, b, a = np.intersect1d(before.keys, after.keys, return_indices=True)
    if len(keys) < 0.5 * min(len(before), len(after)):
        raise SourceError(f"{after.path}: only {len(keys)} of its {len(after)} pads are in {before.path}: are they of "
                          "different chambers?")  # fmt: skip
    fitted = _fitted(before, b) & _fitted(after, a)
    if not fitted.any():
        raise SourceError(f"{after.path}: no pad has a fitted gain in both tables")
    ratio = np.where(fitted, after["gain"][a] / before["gain"][b], np.nan)
    relative = np.hypot(after["gain_error"][a] / after["gain"][a], before["gain_error"][b] / before["gain"][b])
    logs = np.log(ratio)
    model, coefficient, uncertain = _explained(logs, relative, fitted, _lever(before, after, b, a))
    centre = float(np.median(logs[fitted]))
    spread = 1.4826 * float(np.median(np.abs(logs[fitted] - centre)))
    factor_error = float(np.exp(centre) * 1.2533 * spread / np.sqrt(fitted.sum()))
    left = (logs - model) / np.hypot(relative, 1e-6)
    return GainChanges(b, a, ratio, ratio * relative, float(np.exp(centre)), factor_error, coefficient, uncertain, left)


def _fitted(table: PadTable, rows: Array) -> Array:
    source = table.columns.get("gain_source")
    there = np.isfinite(table["gain"][rows]) & (table["gain"][rows] > 0)
    return there if source is None else there & (source[rows] == "fit")


def _lever(before: PadTable, after: PadTable, b: Array, a: Array) -> Floats | None:
    """Return (n,) the change of ln(T / p) of each pad, None where temperature or pressure is not known."""
    if not all(name in one.columns for one in (before, after) for name in ("temperature_c", "pressure_hpa")):
        return None
    logs = [
        np.log((table["temperature_c"][rows] + KELVIN) / table["pressure_hpa"][rows])
        for table, rows in ((before, b), (after, a))
    ]
    return logs[1] - logs[0]


def _explained(logs: Floats, relative: Floats, fitted: Array, lever: Floats | None) -> tuple[Floats, float, float]:
    """Return (n,) the change that is explained, the coefficient of ln(T / p) and its error.

    A line through the origin, robust against pads that moved by themselves: without a change of T / p gains stay."""
    usual = float(np.median(logs[fitted]))
    if lever is None or np.abs(lever[fitted]).max() < LEAST_LEVER:
        return np.full(len(logs), usual), float("nan"), float("nan")
    x, y = lever[fitted], logs[fitted]
    keep = np.ones(len(x), bool)
    slope = 0.0
    for _ in range(5):
        slope = float((x[keep] * y[keep]).sum() / (x[keep] ** 2).sum())
        rest = y - slope * x
        spread = 1.4826 * float(np.median(np.abs(rest - np.median(rest)))) + 1e-9
        keep = np.abs(rest) < 4 * spread
    error = float(np.std(rest[keep]) / np.sqrt((x[keep] ** 2).sum()))
    return slope * lever, slope, error
