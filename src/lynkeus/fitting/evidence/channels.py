"""Evidence of an alarm, written once when it opens: the sample, its nearest good reference, who speaks for it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core import Alarm, Calibration, Floats, Schema
from lynkeus.core.stated import Stated
from lynkeus.fitting.explanation import per_channel
from lynkeus.fitting.fitted import Fitted, Scored
from lynkeus.fitting.reference import mean_sample

TOP = 8
ALIKE = 0.9  # share of the channels, the best fitting ones, by which the nearest good reference is chosen
ENOUGH = 1000  # good samples that say what is usual
_QUANTILES = (0.01, 0.16, 0.5, 0.84, 0.99)
_HIGHER = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 15.0, 40.0)  # peaks above the score at the opening
PLACE = re.compile(r"\.(?P<position>\d+(?:\.\d+)?)\.(?P<line>\w+)(?:/(?P<plane>\w+))?$")


class Place(NamedTuple):
    """Where a channel is: position along the beam line in m (None: not known), beam line, plane."""

    position_m: float | None
    line: str
    plane: str


def place_of(name: str) -> Place:
    """From names like `BPME.2241.SA1/x` (type, metres, line, plane); any other name keeps its plane after the slash."""
    found = PLACE.search(name)
    if found is None:
        return Place(None, "", name.rpartition("/")[2] if "/" in name else "")
    return Place(float(found["position"]), found["line"], found["plane"] or "")


def evidence(fitted: Fitted, scored: Scored, row: int, alarm: Alarm) -> dict[str, Any]:
    """Everything the alarm page shows of the window that opened an alarm; plain JSON types and NumPy arrays."""
    batch = scored.batch[np.array([row])]
    k = fitted.scorer.outputs.index(alarm.output)
    names = batch.schema.names
    speaks = per_channel(fitted.explain(scored.batch, alarm.output))[row]
    sample = mean_sample(batch)[0]
    places = [place_of(name) for name in names]
    calibration = fitted.calibrations[alarm.output]
    order = np.argsort(-np.abs(speaks))[:TOP]
    found = scored.found[k][row]
    says = found[0].says if found else ""
    where = (found[0].where if found else "") or names[order[0]]
    references = fitted.reference["reference"]
    return {
        "unit": batch.schema.units[0] if len(set(batch.schema.units)) == 1 else "",
        "units": _units(batch.schema),
        "channels": list(names),
        "position_m": [place.position_m for place in places],
        "line": [place.line for place in places],
        "plane": [place.plane for place in places],
        "sample": sample,
        "reference": nearest_reference(references, sample),
        **usual(references, sample),
        "evidence": speaks,
        "evidence_label": _label(fitted.scorer, alarm.output),
        "top": [{"channel": names[i], "evidence": float(speaks[i])} for i in order],
        "text": f"{says or f'{where} speaks most for it'}.",
        "extrapolated": calibration.extrapolates(alarm.alarms_per_hour),
        "intervals": _intervals(calibration, alarm.peak_score),
    }


def usual(references: Floats, sample: Floats) -> dict[str, Floats]:
    """Say of each channel what is usual in good samples (n, channel): `low` and `high` hold 98 % of them, `deviation`
    is how far the sample (channel,) is from their middle, in their sigmas; NaN where good data never change, or are
    none."""
    if not len(references):
        return {name: np.full(len(sample), np.nan) for name in ("low", "high", "deviation")}
    some = references[:: -(-len(references) // ENOUGH)].astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a channel without any value has no quantiles
        low, below, middle, above, high = np.nanquantile(some, _QUANTILES, axis=0)
    sigma = (above - below) / 2
    deviation = (sample - middle) / np.where(sigma > 0, sigma, np.nan)
    return {"low": low, "high": high, "deviation": deviation}


def _units(schema: Schema) -> list[str]:
    """The unit of each channel."""
    return list(schema.units) if len(schema.units) != 1 else [schema.units[0]] * len(schema.names)


def _intervals(calibration: Calibration | Stated, score: float) -> dict[str, list[float]]:
    """Rates that the alarm may reach, from this score upwards, each with the interval in which it is known."""
    scores = score + abs(score) * np.array(_HIGHER)
    bounds = [calibration.alarms_per_hour_interval(float(one)) for one in scores]
    rates = calibration.alarms_per_hour(scores).tolist()
    return {"rate": rates, "low": [low for low, _ in bounds], "high": [high for _, high in bounds]}


def nearest_reference(references: Floats, sample: Floats) -> Floats:
    """The good sample (channel,) that is most alike where the sample is not odd: the odd channels do not choose it."""
    if not len(references):
        return np.full_like(sample, np.nan)
    scale = np.maximum(references.std(axis=0), 1e-12)
    distance = np.nan_to_num(((references - sample) / scale) ** 2, nan=0.0)
    kept = max(1, int(ALIKE * len(sample)))
    return references[np.partition(distance, kept - 1, axis=1)[:, :kept].sum(axis=1).argmin()]


def _label(scorer: object, output: str) -> str:
    labels: dict[str, str] = getattr(scorer, "evidence_labels", {})
    return labels.get(output, "evidence")


def line_positions(names: Sequence[str]) -> tuple[float, ...]:
    """Position of every channel in m; empty where any is not known."""
    positions = [place_of(name).position_m for name in names]
    return () if None in positions else tuple(float(position or 0.0) for position in positions)
