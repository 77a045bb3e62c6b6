"""The channels of an alarm over time, from a while before it opened to a while after it closed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from lynkeus.core import Alarm, Array, Floats, OpenAlarm, TimesNs
from lynkeus.monitor.records import TracePart
from lynkeus.monitor.store import Store
from lynkeus.monitor.tables import alarm_trace

AROUND = 300  # windows that are kept before an alarm opens, and after it has closed
LONGEST = 3000  # windows of an alarm that does not end
CHANNELS = 6  # those that speak most for it
_STATE = ("follower.time_ns", "follower.values", "follower.followed")


class Trace(NamedTuple):
    """`values` (window, channel) of the `channels` of an alarm at `time_ns` (window,), the start of each window."""

    channels: tuple[str, ...]
    time_ns: TimesNs
    values: Floats


@dataclass
class Following:
    """An alarm whose channels (their numbers) are followed; `left`: windows to go, not known while it is open."""

    output: str
    start_ns: int
    index: list[int]
    kept: int = 0
    left: int | None = None


@dataclass
class Follower:
    """The last windows of all channels, and the alarms that are followed. `state` carries them over a restart."""

    recent_ns: TimesNs = field(default_factory=lambda: np.empty(0, np.int64))
    recent: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    followed: list[Following] = field(default_factory=list)

    @classmethod
    def take(cls, arrays: dict[str, Array]) -> Follower:
        """Take its own part out of stored arrays; without one it begins afresh."""
        parts = {name: arrays.pop(name) for name in _STATE if name in arrays}
        if len(parts) < len(_STATE):
            return cls()
        followed = [Following(**fields) for fields in json.loads(bytes(parts[_STATE[2]].tobytes()))]
        return cls(parts[_STATE[0]], parts[_STATE[1]], followed)

    def state(self, whole: bool) -> dict[str, Array]:
        """Return arrays to go on from: the last windows of all channels only where `whole`, as they are many."""
        text = json.dumps([asdict(one) for one in self.followed]).encode()
        end = len(self.recent_ns) if whole else 0
        arrays = (self.recent_ns[:end], self.recent[:end], np.frombuffer(text, np.uint8))
        return dict(zip(_STATE, arrays, strict=True))

    def move(
        self, time_ns: TimesNs, values: Floats, opened: Iterable[tuple[Alarm, Mapping[str, Any]]],
        still: Mapping[str, OpenAlarm], names: Sequence[str],
    ) -> tuple[TracePart, ...]:  # fmt: skip
        """Move past some windows (window, channel), after which the alarms `still` are open: what is to be kept."""
        self._mark_closed(still)
        parts = [self._part(one, time_ns, values, names) for one in self.followed]
        same = self.recent.shape[1:] == values.shape[1:]
        before_ns = self.recent_ns if same else self.recent_ns[:0]
        before = self.recent if same else values[:0]
        all_ns, rows = np.concatenate([before_ns, time_ns]), np.concatenate([before, values])
        for alarm, evidence in opened:
            order = np.argsort(-np.abs(np.nan_to_num(np.asarray(evidence["evidence"], float))), kind="stable")
            index = [int(k) for k in order[:CHANNELS]]
            new = Following(alarm.output, alarm.start_ns, index)
            parts.append(self._part(new, all_ns, rows, names))
            self.followed.append(new)
        self._mark_closed(still)
        self.followed = [one for one in self.followed if one.left != 0 and one.kept < LONGEST]
        self.recent_ns, self.recent = all_ns[-AROUND:], rows[-AROUND:].astype(np.float32)
        return tuple(part for part in parts if part.time_ns)

    def begin(self, opened: Iterable[tuple[Alarm, Mapping[str, Any]]], names: Sequence[str]) -> tuple[TracePart, ...]:
        """Follow alarms that opened in the windows that were moved past last: what is to be kept of them already. Of
        channels that are dead or stuck it is those alone, which stopped a while before anybody could know."""
        parts = []
        for alarm, evidence in opened:
            speaks = np.abs(np.nan_to_num(np.asarray(evidence["evidence"], float)))
            self.followed.append(Following(alarm.output, alarm.start_ns, np.flatnonzero(speaks)[:CHANNELS].tolist()))
            parts.append(self._part(self.followed[-1], self.recent_ns, self.recent, names))
        return tuple(part for part in parts if part.time_ns)

    def _mark_closed(self, still: Mapping[str, OpenAlarm]) -> None:
        """Of alarms that have closed some more windows are kept."""
        there = {state.key for state in still.values()}
        for one in self.followed:
            if one.left is None and (one.output, one.start_ns) not in there:
                one.left = AROUND

    def _part(self, one: Following, time_ns: TimesNs, values: Floats, names: Sequence[str]) -> TracePart:
        end = len(time_ns) if one.left is None else min(one.left, len(time_ns))
        one.kept += end
        one.left = None if one.left is None else one.left - end
        channels = tuple(names[k] for k in one.index)
        return TracePart(one.output, one.start_ns, channels, tuple(time_ns[:end].tolist()), values[:end, one.index])


def trace_of(store: Store, alarm_id: int) -> Trace | None:
    """Return the channels of an alarm over time; None where none were kept."""
    query = sa.select(alarm_trace.c.trace).where(alarm_trace.c.alarm_id == alarm_id).order_by(alarm_trace.c.id)
    with store.reading() as connection:
        return _joined([json.loads(text) for text in connection.scalars(query)])


def _joined(parts: list[dict[str, Any]]) -> Trace | None:
    if not parts:
        return None
    channels = tuple(parts[0]["channels"])
    rows = [row for part in parts if tuple(part["channels"]) == channels for row in part["values"]]
    times = [at for part in parts if tuple(part["channels"]) == channels for at in part["time_ns"]]
    values: npt.NDArray[np.float64] = np.array(rows, float).reshape(len(times), len(channels))
    return Trace(channels, np.array(times, np.int64), values)
