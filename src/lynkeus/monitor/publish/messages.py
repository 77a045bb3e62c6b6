"""Messages: scores, alarms and a heartbeat as JSON, to whatever carries messages: SUBJECT, alarms, heartbeat."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from lynkeus.monitor.one_cause import incidents_of
from lynkeus.monitor.publish.reading import SEVERITIES, reading_of
from lynkeus.monitor.publish.sink import Publishing
from lynkeus.monitor.rows import plain

if TYPE_CHECKING:
    from lynkeus.monitor.records import StoredAlarm
    from lynkeus.monitor.watch import Watched

MOST_ALARMS = 200  # that are looked at: those which opened last
MOST_WAITING = 10_000  # messages that wait while the server is away; the oldest is dropped, and that is said


class Messages:
    """What is published of a monitor; who carries it says how by `_send`, which never waits."""

    def __init__(self) -> None:
        self._seen: object = None
        self._said: dict[int, str] = {}  # the state of each alarm as it was published last

    def _of(self, about: Publishing) -> None:
        """Begin with what is there: alarms of before are not published again."""
        self.about = about
        self._said = {one.id: _state(one) for one in about.store.alarms(about.name, limit=MOST_ALARMS)}

    def _send(self, subject: str, content: bytes) -> None:
        raise NotImplementedError

    def __call__(self, run: Watched) -> None:
        """Publish the last window, what opened and what ended."""
        for k, output in enumerate(self.about.fitted.scorer.outputs):
            reading = reading_of(self.about.fitted, run, self.about.rule, k)
            if reading is not None:
                said = reading._asdict() | {"severity": SEVERITIES[reading.severity]}
                self._say(output, said | {"monitor": self.about.name, "output": output})
        now = (run.alarms, tuple((name, one.alarm.start_ns) for name, one in run.open.items()))
        if now != self._seen:
            self._seen = now
            self._say_alarms(run.end_ns)
        count = len(incidents_of(run.open))
        self._say("heartbeat", {"monitor": self.about.name, "time_ns": time.time_ns(), "open": count})

    def _say_alarms(self, time_ns: int | None) -> None:
        """Publish what opened and what ended by the store: both may lie between two commits."""
        before, stored = self._said, self.about.store.alarms(self.about.name, limit=MOST_ALARMS)
        self._said = {one.id: _state(one) for one in stored}
        joined = [number for number, state in before.items() if state == "open" and number not in self._said]
        found = [file.stored for file in map(self.about.store.alarm, joined) if file is not None]
        self._said |= {one.id: "open" for one in found if one.part_of is None}
        for one in found:
            if one.part_of is not None:  # one cause, one incident: it goes on as that
                self._say_alarm(one, "closed", time_ns)
        for one in reversed(stored):
            last, state = before.get(one.id), _state(one)
            for said in ("open", "closed") if last is None and state == "closed" else (state,):
                if said != last:
                    self._say_alarm(one, said, time_ns)

    def _say_alarm(self, one: StoredAlarm, state: str, time_ns: int | None) -> None:
        alarm = one.alarm
        fields: dict[str, Any] = {"monitor": self.about.name, "output": alarm.output, "state": state}
        fields |= {"where": alarm.where, "start_ns": alarm.start_ns, "time_ns": time_ns, "alarm_id": one.id}
        fields |= {"also": one.also}
        self._say("alarms", fields | ({} if one.part_of is None else {"part_of": one.part_of}))

    def _say(self, subject: str, fields: dict[str, Any]) -> None:
        self._send(subject, json.dumps(plain(fields), allow_nan=False).encode())


def _state(stored: StoredAlarm) -> str:
    return "open" if stored.is_open else "closed"
