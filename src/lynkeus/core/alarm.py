"""Alarm and verdict: an interval with hysteresis, never one row per sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

from lynkeus.core.errors import SettingsError


class Verdict(StrEnum):
    """What is said of a stretch of data; NOT_ENOUGH_DATA is a verdict of its own."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    NOT_ENOUGH_DATA = "not enough data"


@dataclass(frozen=True)
class Alarm:
    """One incident on one output: when, how rare at its peak, and where.

    `start_ns`, `end_ns`: UTC ns, end exclusive, None while open. `peak_ns`: start of the highest window.
    `alarms_per_hour`: how often good data does this; `where`: channel, '' where the scorer names none.
    """

    output: str
    start_ns: int
    peak_ns: int
    peak_score: float
    alarms_per_hour: float
    where: str = ""
    end_ns: int | None = None


@dataclass(frozen=True)
class AlarmRule:
    """When an alarm opens and closes.

    It opens on the first window rarer than `budget_per_hour` and closes once no window was rarer than
    `release_factor` times that for `quiet_s` seconds: two crossings within `quiet_s` are one alarm.
    """

    budget_per_hour: float = 1.0
    release_factor: float = 3.0
    quiet_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.budget_per_hour > 0:
            raise SettingsError(f"the alarm budget must be positive, got {self.budget_per_hour!r} per hour")
        if self.release_factor < 1 or self.quiet_s < 0:
            raise SettingsError("release_factor must be >= 1 and quiet_s >= 0")


@dataclass(frozen=True)
class OpenAlarm:
    """An alarm that is still open, and when it was last above the release level; the alarm (output, start) that it is a
    part of, since both have one cause; and the `channels` that it is about where it is not of a score."""

    alarm: Alarm
    last_high_ns: int
    part_of: tuple[str, int] | None = None
    channels: tuple[str, ...] = ()

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """Return it from its fields as plain JSON types."""
        part_of, channels = fields.get("part_of"), tuple(fields.get("channels", ()))
        whole = None if part_of is None else (str(part_of[0]), int(part_of[1]))
        return cls(Alarm(**fields["alarm"]), fields["last_high_ns"], whole, channels)

    @property
    def key(self) -> tuple[str, int]:
        """Return what an alarm of a monitor is known by: its output and when it began."""
        return self.alarm.output, self.alarm.start_ns


@dataclass(frozen=True)
class Point:
    """One scored window of one output, as the alarm rule sees it."""

    start_ns: int
    end_ns: int
    score: float
    alarms_per_hour: float
    where: str = ""


def advance(
    rule: AlarmRule, output: str, state: OpenAlarm | None, point: Point
) -> tuple[OpenAlarm | None, Alarm | None]:
    """Move one output by one window: the new open alarm (or None), and the alarm that this window closed (or None).

    A window without a score (NaN rate) neither opens nor closes anything, except that time passes.
    """
    closed = None
    if state is not None and point.start_ns - state.last_high_ns > rule.quiet_s * 1e9:
        closed, state = replace(state.alarm, end_ns=state.last_high_ns), None
    rate = point.alarms_per_hour
    if state is None:
        if rate <= rule.budget_per_hour:
            opened = Alarm(output, point.start_ns, point.start_ns, point.score, rate, point.where)
            state = OpenAlarm(opened, point.end_ns)
    elif rate <= rule.release_factor * rule.budget_per_hour:
        alarm = state.alarm
        if point.score > alarm.peak_score:
            alarm = replace(
                alarm, peak_ns=point.start_ns, peak_score=point.score, alarms_per_hour=rate, where=point.where
            )
        state = replace(state, alarm=alarm, last_high_ns=point.end_ns)
    return state, closed
