"""How records become rows and rows become records."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from lynkeus.core.alarm import Alarm
from lynkeus.files.at_work import is_alive
from lynkeus.monitor.records import Commit, Monitor, Owner, Pulse, ScoredPoint, TracePart

RATE_MEMORY_S = 10.0  # samples per second is an average over about so long


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: arrays become lists; NaN and infinity, which JSON lacks, become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def or_null(value: float) -> float | None:
    """Return a number for the database; NaN is NULL."""
    return None if math.isnan(value) else float(value)


def unheld_row(name: str, start_id: int) -> dict[str, Any]:
    """The progress of a monitor that has not begun and that nobody holds."""
    nothing = {"host": "", "pid": 0, "token": "", "heartbeat_ns": 0, "state": b"", "open_alarms": "null"}
    counts = {"samples": 0, "missed": 0, "samples_per_s": 0.0, "finished": False}
    return {"monitor": name, "start_id": start_id} | nothing | counts


def has_died(row: Any, owner: Owner) -> bool:
    """Return whether the holder is surely gone: its pid on this host is free, or is ours (a pid used again)."""
    if row.host != owner.host or os.name != "posix":
        return False
    return row.pid == owner.pid or not is_alive(row.pid)


def point_row(number: int, scored: ScoredPoint) -> dict[str, Any]:
    """Return a window as a row of the table `point`."""
    rates = {"score": or_null(scored.score), "alarms_per_hour": or_null(scored.alarms_per_hour), "where": scored.where}
    return {"series_id": number, "start_ns": scored.start_ns, "end_ns": scored.end_ns} | rates


def trace_text(part: TracePart) -> str:
    """Return a part as JSON; six digits are enough to draw it."""
    values = [[float(f"{value:.6g}") for value in row] for row in part.values.tolist()]
    return json.dumps(plain({"channels": part.channels, "time_ns": part.time_ns, "values": values}), allow_nan=False)


def peak_fields(alarm: Alarm) -> dict[str, Any]:
    """The columns that an alarm and its events share."""
    peak = {"peak_ns": alarm.peak_ns, "peak_score": or_null(alarm.peak_score), "where": alarm.where}
    return peak | {"alarms_per_hour": or_null(alarm.alarms_per_hour)}


def moved_fields(row: Any, commit: Commit) -> dict[str, Any]:
    """Return what a commit changes in the progress row."""
    # A live source beats between commits, too.
    since_s = (commit.heartbeat_ns - row.heartbeat_ns) / 1e9 if commit.passed_s is None else commit.passed_s
    passed_s = max(since_s, 1e-6)
    # Of the first commit, but not where it follows at once on the start, as when another process takes over.
    weight = 1.0 if row.samples_per_s == 0 and passed_s > 0.05 else -math.expm1(-passed_s / RATE_MEMORY_S)
    rate = row.samples_per_s + weight * (commit.samples / passed_s - row.samples_per_s)
    moved = asdict(commit.progress) | {"open_alarms": json.dumps(plain(commit.progress.open_alarms))}
    counts = {"samples": row.samples + commit.samples, "missed": row.missed + commit.missed, "samples_per_s": rate}
    return moved | counts | {"heartbeat_ns": commit.heartbeat_ns}


_ANY = Monitor("", outputs=("",), channels=("",), positions_m=(0.0,))


def _is_such(value: object, like: object) -> bool:
    """Whether a value is of the kind of another one; a number may be whole, and one of several not known."""
    if isinstance(value, tuple) and isinstance(like, tuple):
        return all(one is None or _is_such(one, like[0]) for one in value)
    return isinstance(value, int | float if isinstance(like, float) else type(like))


def read_monitor(description: str) -> Monitor:
    """Inverse of the JSON kept in `start`. Raises ValueError where an entry is of another kind than was written."""
    fields: dict[str, Any] = json.loads(description)
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    given = {key: value for key, value in given.items() if key in Monitor.__dataclass_fields__}
    for key, value in given.items():
        if not _is_such(value, getattr(_ANY, key)):
            raise ValueError(f"{key} of a monitor is {value!r}")
    return Monitor(**given)


def read_pulse(row: Any) -> Pulse:
    """A row of `progress` with the description that goes with it."""
    counts = (row.samples, row.missed, row.samples_per_s, row.finished, row.host, row.pid)
    stopped = not row.token and not row.finished
    return Pulse(read_monitor(row.description), row.heartbeat_ns, row.last_end_ns, *counts, stopped=stopped)
