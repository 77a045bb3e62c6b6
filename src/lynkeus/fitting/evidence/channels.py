"""Evidence of an alarm, written once when it opens: the sample, its nearest good reference, who speaks for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Alarm, Floats
from lynkeus.core.words import how_often
from lynkeus.fitting.explanation import per_channel
from lynkeus.fitting.fitted import Fitted, Scored
from lynkeus.fitting.reference import mean_sample
from lynkeus.sources.formats.tables import listed

TOP = 8
ALIKE = 0.9  # share of the channels, the best fitting ones, by which the nearest good reference is chosen
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


def _rare(alarms_per_hour: float) -> str:
    if not alarms_per_hour > 0:
        return "good data never does this"
    return f"good data does this {how_often(alarms_per_hour)}"


def evidence(fitted: Fitted, scored: Scored, row: int, alarm: Alarm) -> dict[str, Any]:
    """Everything the alarm page shows of the window that opened an alarm; plain JSON types and NumPy arrays."""
    k = fitted.scorer.outputs.index(alarm.output)
    speaks = per_channel(fitted.explain(scored.batch, alarm.output))[row]
    calibration = fitted.calibrations[alarm.output]
    found = scored.found[k][row]
    says = found[0].says if found else ""
    where = found[0].where if found else ""
    return _shown(fitted, scored, row, speaks) | {
        "evidence_label": _label(fitted.scorer, alarm.output),
        "text": f"{says or f'{where} speaks most for it'}; {_rare(alarm.alarms_per_hour)}.",
        "extrapolated": calibration.extrapolates(alarm.alarms_per_hour),
        "interval": list(calibration.alarms_per_hour_interval(alarm.peak_score)),
    }


def evidence_of_silence(fitted: Fitted, scored: Scored, silent: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """The same of an alarm for channels without any value: (channel,) `silent`."""
    names = np.array(scored.batch.schema.names, dtype=str)[silent]
    have = "has" if len(names) == 1 else "have"
    return _shown(fitted, scored, len(scored.batch) - 1, silent.astype(float)) | {
        "evidence_label": "no values",
        "text": f"{listed(names.tolist())} {have} no values; in good data that never happens.",
        "extrapolated": False,
        "interval": [],
    }


def _shown(fitted: Fitted, scored: Scored, row: int, speaks: Floats) -> dict[str, Any]:
    """A sample beside its nearest good reference, and what speaks for an alarm, channel by channel."""
    batch = scored.batch[np.array([row])]
    names, sample = batch.schema.names, mean_sample(batch)[0]
    places = [place_of(name) for name in names]
    order = np.argsort(-np.abs(speaks))[:TOP]
    return {
        "unit": batch.schema.units[0] if batch.schema.units else "",
        "channels": list(names),
        "position_m": [place.position_m for place in places],
        "line": [place.line for place in places],
        "plane": [place.plane for place in places],
        "sample": sample,
        "reference": nearest_reference(fitted.reference["reference"], sample),
        "evidence": speaks,
        "top": [{"channel": names[i], "evidence": float(speaks[i])} for i in order],
    }


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
