"""The evidence of an alarm, made fit to draw: equal lengths, missing numbers as null, one curve per line and plane."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lynkeus.monitor.records import AlarmFile
from lynkeus.web.words import utc

TOP = 10


def finite(value: Any) -> float | None:
    """A number that JSON can hold, or None."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def drawable(file: AlarmFile) -> dict[str, Any]:
    """Everything the plots of the alarm page need; what the evidence lacks is taken from the monitor or left empty.

    `groups`: one entry per (plane, line) with `index` into the channels in order of position; planes are rows of
    the plot (x over y), lines (parallel beam lines, say SA1 and SA2) separate curves in one row.
    """
    given, monitor = file.evidence, file.monitor
    channels = [str(name) for name in _list(given, "channels", None) or monitor.channels]
    n = len(channels) or max((len(_list(given, key, None)) for key in ("evidence", "sample")), default=0)
    channels = channels or [f"channel {index}" for index in range(n)]
    position = [finite(value) for value in _list(given, "position_m", n) or _cut(monitor.positions_m, n)]
    has_position = len(position) == n > 0 and all(value is not None for value in position)
    place = [float(value or 0) for value in position] if has_position else [float(index) for index in range(n)]
    labels = {key: [str(value) for value in _list(given, key, n)] or [""] * n for key in ("plane", "line")}
    numbers = {key: [finite(value) for value in _list(given, key, n)] for key in ("sample", "reference", "evidence")}
    return {
        "channels": channels,
        "place": place,
        "place_label": "position along the beam line (m)" if has_position else "channel number",
        "groups": _groups(labels["plane"], labels["line"], place),
        "unit": str(given.get("unit") or monitor.unit or ""),
        "evidence_label": str(given.get("evidence_label") or "evidence"),
        "where": file.stored.alarm.where,
        **numbers,
    }


def top_channels(file: AlarmFile) -> list[dict[str, Any]]:
    """The channels that speak most for the alarm: those the monitor named, else the largest numbers."""
    named = file.evidence.get("top")
    rows: list[dict[str, Any]]
    if isinstance(named, list) and all(isinstance(row, Mapping) for row in named) and named:
        rows = [{"channel": str(row.get("channel", "")), "evidence": finite(row.get("evidence"))} for row in named]
    else:
        data = drawable(file)
        rows = [
            {"channel": name, "evidence": value}
            for name, value in zip(data["channels"], data["evidence"], strict=False)
        ]
        rows.sort(key=lambda row: -(row["evidence"] if row["evidence"] is not None else -math.inf))
    largest = max((abs(row["evidence"]) for row in rows[:TOP] if row["evidence"] is not None), default=0.0) or 1.0
    return [row | {"share": abs(row["evidence"] or 0.0) / largest} for row in rows[:TOP]]


def lineage_rows(lineage: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return (name, value) pairs, nested ones with a dot between their names; times in words, what is empty left
    out."""
    rows: list[tuple[str, str]] = []
    for key, value in lineage.items():
        if isinstance(value, Mapping):
            rows += lineage_rows(value, f"{prefix}{key}.")
        elif isinstance(value, int) and key.endswith("_ns"):
            rows.append((f"{prefix}{key.removesuffix('_ns')}".replace("_", " "), utc(value)))
        elif value not in ([], (), None):
            parts = value if isinstance(value, list | tuple) else [value]
            rows.append((f"{prefix}{key}".replace("_", " "), "; ".join(map(_in_one_line, parts[:TOP]))))
    return rows


def _in_one_line(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} {text}" for name, text in lineage_rows(value))


def interval(evidence: Mapping[str, Any]) -> tuple[float, float] | None:
    """The interval of the rate, alarms per hour, where it is known."""
    pair = evidence.get("interval")
    if not isinstance(pair, list) or len(pair) != 2:
        return None
    low, high = finite(pair[0]), finite(pair[1])
    return None if low is None or high is None else (low, high)


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
