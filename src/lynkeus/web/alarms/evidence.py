"""The evidence of an alarm, made fit to draw: equal lengths, missing numbers as null, one curve per line and plane."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lynkeus.core import Floats
from lynkeus.monitor.records import AlarmFile
from lynkeus.monitor.traces import Trace

NUMBERS = ("sample", "reference", "evidence", "low", "high", "deviation")
POINTS = 800  # of a channel over time, as many as a screen shows


def finite(value: Any) -> float | None:
    """A number that JSON can hold, or None."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def drawable(file: AlarmFile) -> dict[str, Any]:
    """Everything the plots of the alarm page need; what the evidence lacks is taken from the monitor or left empty.

    `groups`: one entry per (plane, line) with `index` into the channels in order of position; planes are rows of
    the plot (x over y), lines (parallel lines of one machine, say SA1 and SA2) separate curves in one row. There are
    none where the channels have no places, or not one unit: such channels share no axis.
    """
    given, monitor = file.evidence, file.monitor
    channels = [str(name) for name in _list(given, "channels", None) or monitor.channels]
    n = len(channels) or max((len(_list(given, key, None)) for key in ("evidence", "sample")), default=0)
    channels = channels or [f"channel {index}" for index in range(n)]
    position = [finite(value) for value in _list(given, "position_m", n) or _cut(monitor.positions_m, n)]
    has_position = len(position) == n > 0 and all(value is not None for value in position)
    place = [float(value or 0) for value in position] if has_position else []
    labels = {key: [str(value) for value in _list(given, key, n)] or [""] * n for key in ("plane", "line")}
    unit = str(given.get("unit") or monitor.unit or "")
    units = [str(value) for value in _list(given, "units", n)] or [unit] * n
    along = has_position and len(set(units)) == 1
    return {
        "channels": channels,
        "place": place,
        "place_label": "position (m)",
        "groups": _groups(labels["plane"], labels["line"], place) if along else [],
        "unit": units[0] if along else unit,
        "units": units,
        "evidence_label": str(given.get("evidence_label") or "evidence"),
        "where": file.stored.alarm.where,
        **{key: [finite(value) for value in _list(given, key, n)] for key in NUMBERS},
    }


def frame_of(file: AlarmFile) -> dict[str, Any] | None:
    """The pictures of an alarm in frames of a camera; None of others, and of what is no picture."""
    picture, over, size = (file.evidence.get(key) for key in ("frame", "frame_evidence", "frame_size"))
    if not all(isinstance(one, str) and one.startswith("data:image/png;base64,") for one in (picture, over)):
        return None
    columns, rows = size if isinstance(size, list) and len(size) == 2 else ("?", "?")
    return {"picture": picture, "evidence": over, "columns": columns, "rows": rows}


def strips(plot: Mapping[str, Any], trace: Trace | None) -> list[dict[str, Any]]:
    """One strip per channel that was kept over time: `name`, `unit`, `low` and `high` of good data, `time_ms`, `value`.

    The channel that the alarm names comes first. Of many windows that share a point the farthest from the middle is
    drawn.
    """
    if trace is None or not len(trace.time_ns):
        return []
    place = {name: k for k, name in enumerate(plot["channels"])}
    names = sorted(trace.channels, key=lambda name: name != plot["where"])
    return [_strip(plot, place.get(name), name, trace.time_ns, trace.values[:, trace.channels.index(name)])
            for name in names]  # fmt: skip


def _strip(plot: Mapping[str, Any], k: int | None, name: str, time_ns: Any, values: Floats) -> dict[str, Any]:
    shown = _thinned(values)
    about = {key: _at(plot[key], k) for key in ("low", "high")}
    unit = _at(plot["units"], k) or ""
    value = [finite(one) for one in values[shown].tolist()]
    return {"name": name, "unit": unit, **about, "time_ms": (time_ns[shown] // 1_000_000).tolist(), "value": value}


def _thinned(values: Floats) -> Any:
    """The numbers of the values to draw, at most POINTS."""
    each = -(-len(values) // POINTS)
    if each == 1:
        return np.arange(len(values))
    known = np.isfinite(values)
    far = np.where(known, np.abs(values - (np.median(values[known]) if known.any() else 0.0)), -1.0)
    starts = np.arange(0, len(values), each)
    return np.array([start + int(far[start : start + each].argmax()) for start in starts])


def channel_rows(file: AlarmFile, plot: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row per channel, the one that speaks most for the alarm first: value, what is usual, deviation in sigmas."""
    named = file.evidence.get("top")
    rows = [
        {"channel": name, "unit": plot["units"][k], "named": name == plot["where"]}
        | {key: _at(plot[key], k) for key in NUMBERS}
        for k, name in enumerate(plot["channels"])
    ]
    if not any(row["evidence"] is not None for row in rows) and isinstance(named, list):
        said = {str(row.get("channel")): finite(row.get("evidence")) for row in named if isinstance(row, Mapping)}
        rows = [row | {"evidence": said.get(row["channel"])} for row in rows]
    rows.sort(key=lambda row: (not row["named"], -abs(row["evidence"] or 0.0), -abs(row["deviation"] or 0.0)))
    largest = max((abs(row["evidence"] or 0.0) for row in rows), default=0.0) or 1.0
    return [row | {"share": abs(row["evidence"] or 0.0) / largest} for row in rows]


def _at(values: Sequence[Any], k: int | None) -> Any:
    return values[k] if k is not None and k < len(values) else None


def _list(given: Mapping[str, Any], key: str, length: int | None) -> Sequence[Any]:
    """A list of the evidence; empty where it is missing or of the wrong length."""
    value = given.get(key)
    if not isinstance(value, list) or (length is not None and len(value) != length):
        return []
    return value


def _cut(values: Sequence[Any], length: int) -> Sequence[Any]:
    return values if len(values) == length else []


def _groups(planes: list[str], lines: list[str], place: list[float]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[int]] = {}
    for index in sorted(range(len(place)), key=place.__getitem__):
        groups.setdefault((planes[index], lines[index]), []).append(index)
    return [{"plane": plane, "line": line, "index": groups[plane, line]} for plane, line in sorted(groups)]
