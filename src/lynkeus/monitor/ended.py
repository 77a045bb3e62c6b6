"""Ended: alarms that were open when their source ended. Nothing stays open then, but a fault need not be over: where
the next watch finds it as it was, the same alarm goes on, instead of a second one.

Such an alarm is kept with where to go on from, and has its end already: `OpenAlarm.alarm.end_ns`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from lynkeus.core import Alarm, OpenAlarm
from lynkeus.monitor.one_cause import Open
from lynkeus.monitor.records import Commit, Key


class Ended(NamedTuple):
    """The alarms that had ended with their source, by output and start, when a watch began; and the end of the last
    window before (UTC ns)."""

    keys: frozenset[Key]
    until_ns: int


def end_all(opened: Open) -> tuple[Alarm, ...]:
    """Give each open alarm its end, and return those whose end nobody was told yet."""
    new = [key for key, state in opened.items() if not has_ended(state)]
    for key in new:
        opened[key] = replace(opened[key], alarm=replace(opened[key].alarm, end_ns=opened[key].last_high_ns))
    return tuple(opened[key].alarm for key in new)


def has_ended(state: OpenAlarm) -> bool:
    """Return whether an alarm ended with its source, and has not gone on since."""
    return state.alarm.end_ns is not None


def ended_in(opened: Open, until_ns: int) -> Ended:
    """Return which of the alarms that a watch begins with have ended."""
    return Ended(frozenset(state.key for state in opened.values() if has_ended(state)), until_ns)


def going_on(commit: Commit, opened: Open, ended: Ended) -> Commit:
    """Return what some windows brought about: alarms that had ended and go on are open again, and of those that do not
    nobody is told a second time that they are over."""
    if not ended.keys:
        return commit
    again = {}
    for key, state in opened.items():
        if state.alarm.end_ns is not None and state.last_high_ns > state.alarm.end_ns:
            opened[key] = replace(state, alarm=replace(state.alarm, end_ns=None))
            again[state.key] = opened[key].alarm
    peaks = (one for one in commit.peaks if _key(one) not in again)
    closed = (one for one in commit.closed if _key(one) not in ended.keys or (one.end_ns or 0) > ended.until_ns)
    return replace(commit, peaks=(*peaks, *again.values()), closed=tuple(closed))


def _key(alarm: Alarm) -> Key:
    return alarm.output, alarm.start_ns
