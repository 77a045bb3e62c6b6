"""Incidents: alarms that are one problem, counted once; a channel that jumps six times in ten minutes is one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lynkeus.core.alarm import Alarm

AGAIN_S = 600.0  # the same channel within so long is the same incident
PROCEDURE_S = 120.0  # the whole instrument moving again within so long is the same procedure
BESIDE_S = 10.0  # an alarm of one channel so close to one of the whole is a part of it
Key = tuple[str, str]  # output, where
WHOLE = ("beam",)  # outputs that speak of the whole instrument, wherever they point


@dataclass(frozen=True)
class AlarmIncident:
    """Alarms of one problem in time order: those of one channel, or of the whole with what belongs to it."""

    output: str
    where: str
    alarms: tuple[Alarm, ...]

    @property
    def start_ns(self) -> int:
        """When its first alarm began."""
        return self.alarms[0].start_ns

    @property
    def end_ns(self) -> int:
        """When its last alarm ended; of an open one its peak."""
        return max(_end_ns(alarm) for alarm in self.alarms)

    @property
    def peak(self) -> Alarm:
        """The highest alarm of its output."""
        return max((alarm for alarm in self.alarms if alarm.output == self.output), key=lambda alarm: alarm.peak_score)


def incidents(
    alarms: Iterable[Alarm], again_s: float = AGAIN_S, procedure_s: float = PROCEDURE_S, whole: Collection[str] = WHOLE
) -> tuple[AlarmIncident, ...]:
    """Return the incidents that some alarms are, in time order.

    Alarms of an output about one channel are one incident where they name the same channel within `again_s` of each
    other; those of an output about the whole within `procedure_s`, and with them every alarm of a channel that is
    within BESIDE_S of one of them.
    """
    ordered = sorted(alarms, key=lambda alarm: alarm.start_ns)
    found: list[list[Alarm]] = []
    latest: dict[Key, list[Alarm]] = {}
    for alarm in (one for one in ordered if one.output in whole):
        _join(found, latest, alarm, (alarm.output, ""), procedure_s)
    moves = tuple(found)
    for alarm in (one for one in ordered if one.output not in whole):
        part_of = next((move for move in moves if any(_touch(alarm, one) for one in move)), None)
        if part_of is not None:
            part_of.append(alarm)
        else:
            _join(found, latest, alarm, (alarm.output, alarm.where), again_s)
    grouped = [tuple(sorted(group, key=lambda alarm: alarm.start_ns)) for group in found]
    kept = [AlarmIncident(*_named(group, whole), group) for group in grouped]
    return tuple(sorted(kept, key=lambda incident: incident.start_ns))


def _join(found: list[list[Alarm]], latest: dict[Key, list[Alarm]], alarm: Alarm, key: Key, within_s: float) -> None:
    own = latest.get(key)
    if own is None or alarm.start_ns - max(_end_ns(one) for one in own) > within_s * 1e9:
        own = latest[key] = []
        found.append(own)
    own.append(alarm)


def _named(group: tuple[Alarm, ...], whole: Collection[str]) -> tuple[str, str]:
    of_whole = [alarm for alarm in group if alarm.output in whole]
    return (of_whole[0].output, "") if of_whole else (group[0].output, group[0].where)


def _touch(one: Alarm, other: Alarm) -> bool:
    return one.start_ns <= _end_ns(other) + BESIDE_S * 1e9 and other.start_ns <= _end_ns(one) + BESIDE_S * 1e9


def _end_ns(alarm: Alarm) -> int:
    return alarm.peak_ns if alarm.end_ns is None else alarm.end_ns
