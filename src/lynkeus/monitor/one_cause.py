"""One cause, one incident: what a scorer says of a channel that is dead or stuck belongs to the alarm of that.

Whichever is found first is the incident, the other one a part of it. While a channel is dead or stuck, windows in which
an output speaks of it move an alarm of their own, so that another channel that fails meanwhile is another alarm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from lynkeus.core import Alarm, AlarmRule, OpenAlarm, Point, advance
from lynkeus.monitor.records import Commit, Key, Part

SILENT, LOST = "silent", "source"  # outputs that are no scorer's: channels are dead or stuck, a stream was lost
OF_THE_WATCH = {SILENT: "dead or stuck", LOST: "source lost"}  # what they are called
Open = MutableMapping[str, OpenAlarm]  # the open alarms of a monitor: of an output, of one with what explains it
IsQuiet = Callable[[Sequence[str]], bool]  # whether a window is good without some channels
Flat = Mapping[str, tuple[int, int]]  # from when to when (ns) a channel gives nothing new


class Step(NamedTuple):
    """What a window did to the alarms of an output: the one that it `opened`, of what that is a part, and those that it
    `closed`."""

    opened: Alarm | None
    parts: list[Part]
    closed: list[Alarm]


def step(rule: AlarmRule, opened: Open, point: Point, output: str, flat: Flat, is_quiet: IsQuiet) -> Step:
    """Move the open alarms of one output past a window, by what is `flat`; `is_quiet`: whether the window is without
    some channels."""
    closed = list[Alarm]()
    mine = [(key, state) for key, state in opened.items() if state.alarm.output == output]
    nothing = replace(point, alarms_per_hour=math.nan) if mine else point
    for key, state in mine:
        lasting_ns = min(point.start_ns, _lasts(opened, state.key, flat))
        # A window that speaks of another channel lets time pass for this one, and says nothing of it.
        after, over = advance(rule, output, replace(state, last_high_ns=max(state.last_high_ns, lasting_ns)), nothing)
        if over is not None:
            closed.append(over)
            del opened[key]
        elif after is not None:
            opened[key] = after
    high = point.alarms_per_hour <= rule.release_factor * rule.budget_per_hour
    key, cause = _stream(opened, point, output, flat, is_quiet if high else _never)
    before = opened.get(key)
    after, _ = advance(rule, output, before, point)
    if after is None:
        return Step(None, [], closed)
    if cause is not None:
        if after.alarm.where not in cause.channels:  # of what is stuck others look odd: it is named all the same
            after = replace(after, alarm=replace(after.alarm, where=(before or cause).alarm.where))
        # From now on only what is flat still: what has moved since may fail in another way.
        channels = tuple(name for name in cause.channels if _is_flat(name, point.start_ns, flat))
        after = replace(after, channels=channels or after.channels)
    new = before is None
    if new and cause is not None:
        after = replace(after, part_of=cause.part_of or cause.key)
    opened[key] = after
    return Step(after.alarm if new else None, [(after.key, after.part_of)] if new and after.part_of else [], closed)


def join(opened: Open, cause_key: str, commit: Commit, explained: Callable[[str], bool] | None = None) -> list[Part]:
    """Join the alarm at `cause_key`, for channels that are dead or stuck, with what is open and speaks of one of them,
    or is an output that is `explained` by them and began after they stopped; and with what closed in this `commit`."""
    cause, asked = opened[cause_key], explained or _never
    alike = [
        key
        for key, state in opened.items()
        if state.alarm.output == key and key not in OF_THE_WATCH
        if _speaks_of(state.alarm, cause) or (state.alarm.start_ns >= cause.alarm.start_ns and asked(key))
    ]
    over = [one for one in commit.closed if _speaks_of(one, cause) and one.start_ns >= cause.alarm.start_ns]
    new = {(alarm.output, alarm.start_ns) for alarm, _ in commit.opened}
    keys = [opened[key].key for key in alike]
    # Of what nobody knows yet the first is the incident; else what people know already.
    first = [key for key in keys if key not in new] or [*keys, cause.key]
    whole = cause.part_of or min(first, key=lambda key: key[1])
    if whole != cause.key:
        opened[cause_key] = replace(cause, part_of=whole)
    for key in alike:
        state = opened.pop(key)
        part_of = None if state.key == whole else whole
        if state.alarm.where not in cause.channels:
            state = replace(state, alarm=replace(state.alarm, where=cause.alarm.where))
        opened[_aside(key, cause_key)] = replace(state, part_of=part_of, channels=cause.channels)
    keys += [(one.output, one.start_ns) for one in over]
    return [(one, whole) for one in (*keys, *([] if cause.part_of else [cause.key])) if one != whole]


def incidents_of(opened: Open) -> list[OpenAlarm]:
    """Return the open alarms that are no parts of others."""
    return [state for state in opened.values() if state.part_of is None]


def in_words(opened: Open) -> str:
    """Return the open incidents: of each the outputs that speak of it, and where."""
    told = []
    for whole in incidents_of(opened):
        also = sorted({state.alarm.output for state in opened.values() if state.part_of == whole.key})
        told.append(f"{' + '.join(dict.fromkeys((whole.alarm.output, *also)))} {whole.alarm.where}".strip())
    return ", ".join(told)


def of_output(opened: Open, output: str) -> OpenAlarm | None:
    """Return an open alarm of an output, first the one that nothing explains."""
    mine = [state for state in opened.values() if state.alarm.output == output]
    return opened.get(output) or next(iter(mine), None)


def _never(_: object) -> bool:
    return False


def _speaks_of(alarm: Alarm, cause: OpenAlarm) -> bool:
    return alarm.output not in OF_THE_WATCH and alarm.where in cause.channels


def _stream(opened: Open, point: Point, output: str, flat: Flat, is_quiet: IsQuiet) -> tuple[str, OpenAlarm | None]:
    """Return which open alarm a window of an output moves, and what explains it: an alarm for channels that are dead or
    stuck; just after they move again, what goes on of that.

    A scorer may name another channel than the one that is stuck, by what that should be: it is asked of such a window
    without the channels that are.
    """
    causes = [(key, state) for key, state in opened.items() if state.alarm.output == SILENT]
    for key, state in causes:
        if point.where in state.channels and _is_flat(point.where, point.start_ns, flat):
            return _aside(output, key), state
    for key, state in causes:
        gone = [name for name in state.channels if _is_flat(name, point.start_ns, flat)]
        if gone and is_quiet(gone):
            return _aside(output, key), state
    for key, state in opened.items():
        if state.alarm.output == output != key and point.where in state.channels:
            return key, None
    return output, None


def _is_flat(name: str, at_ns: int, flat: Flat) -> bool:
    first_ns, last_ns = flat.get(name, (0, -1))
    return first_ns <= at_ns <= last_ns


def _aside(output: str, cause_key: str) -> str:
    return f"{output}/{cause_key}"


def _lasts(opened: Open, key: Key, flat: Flat) -> int:
    """Return until when an alarm lasts because channels are dead or stuck, whose alarm is a part of it; 0: it does
    not."""
    causes = [state for state in opened.values() if state.alarm.output == SILENT and state.part_of == key]
    return max((flat[name][1] for state in causes for name in state.channels if name in flat), default=0)
