"""Evidence of an alarm, written once when it opens: the sample, its nearest good reference, who speaks for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core import Alarm, Floats
from lynkeus.core.words import how_often
from lynkeus.fitting.explanation import per_channel
from lynkeus.fitting.fitted import Fitted, Scored
from lynkeus.fitting.reference import mean_sample

TOP = 8
FITTING_SHARE = 0.9  # share of the channels, the best fitting ones, by which the nearest good reference is chosen


class ChannelPlace(NamedTuple):
    """Where a channel is: position along the beam line in m (None: not known), beam line, plane."""

    position_m: float | None
    line: str
    plane: str


def place_of(name: str, pattern: str) -> ChannelPlace:
    """Read the place from the groups `position`, `line` and `plane` of a regular expression that a site gives; where it
    does not match, only the plane is known, from what follows a slash."""
    found = re.search(pattern, name) if pattern else None
    if found is None:
        return ChannelPlace(None, "", name.rpartition("/")[2] if "/" in name else "")
    groups = {group: text or "" for group, text in found.groupdict().items()}
    return ChannelPlace(_metres(groups.get("position", "")), groups.get("line", ""), groups.get("plane", ""))


def _metres(text: str) -> float | None:
    """Return a position, None for a text that is no number: a pattern of a site may match more than it means."""
    try:
        return float(text)
    except ValueError:
        return None


def _rare(alarms_per_hour: float) -> str:
    if not alarms_per_hour > 0:
        return "good data never does this"
    return f"good data does this {how_often(alarms_per_hour)}"


def evidence(fitted: Fitted, scored: Scored, row: int, alarm: Alarm, place: str = "") -> dict[str, Any]:
    """Return what the alarm page shows of the window that opened an alarm: plain JSON types and NumPy arrays; `place`:
    how places are read from the names of channels."""
    batch = scored.batch[np.array([row])]
    k = fitted.scorer.outputs.index(alarm.output)
    names = batch.schema.names
    speaks = per_channel(fitted.explain(scored.batch, alarm.output))[row]
    sample = mean_sample(batch)[0]
    places = [place_of(name, place) for name in names]
    calibration = fitted.calibrations[alarm.output]
    order = np.argsort(-np.abs(speaks))[:TOP]
    found = scored.found[k][row]
    says = found[0].says if found else ""
    where = found[0].where if found else ""
    return {
        "unit": batch.schema.units[0] if batch.schema.units else "",
        "channels": list(names),
        "position_m": [one.position_m for one in places],
        "line": [one.line for one in places],
        "plane": [one.plane for one in places],
        "sample": sample,
        "reference": nearest_reference(fitted.reference["reference"], sample),
        "evidence": speaks,
        "evidence_label": _label(fitted.scorer, alarm.output),
        "top": [{"channel": names[i], "evidence": float(speaks[i])} for i in order],
        "text": f"{says or f'{where} speaks most for it'}; {_rare(alarm.alarms_per_hour)}.",
        "extrapolated": calibration.extrapolates(alarm.alarms_per_hour),
        "interval": list(calibration.alarms_per_hour_interval(alarm.peak_score)),
    }


def nearest_reference(references: Floats, sample: Floats) -> Floats:
    """The good sample (channel,) that is most alike where the sample is not odd: the odd channels do not choose it."""
    if not len(references):
        return np.full_like(sample, np.nan)
    scale = np.maximum(references.std(axis=0), 1e-12)
    distance = np.nan_to_num(((references - sample) / scale) ** 2, nan=0.0)
    kept = max(1, int(FITTING_SHARE * len(sample)))
    return references[np.partition(distance, kept - 1, axis=1)[:, :kept].sum(axis=1).argmin()]


def _label(scorer: object, output: str) -> str:
    labels: dict[str, str] = getattr(scorer, "evidence_labels", {})
    return labels.get(output, "evidence")


def line_positions(names: Sequence[str], place: str) -> tuple[float, ...]:
    """Return the position of every channel in m; empty where any is not known."""
    positions = [place_of(name, place).position_m for name in names]
    return () if None in positions else tuple(float(position or 0.0) for position in positions)
