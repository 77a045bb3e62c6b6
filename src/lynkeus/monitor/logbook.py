"""A logbook beside alarms: what was written around one, and what was written of the like before, with how it ended."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lynkeus.core.alarm import Alarm
from lynkeus.core.errors import SourceError

if TYPE_CHECKING:  # what compares texts brings SciPy and scikit-learn: only where there is a logbook
    from lynkeus.sources.texts.entries import Entries
    from lynkeus.transforms.texts.past import Past, Threads

HOUR_NS = 3_600_000_000_000
NEAR_H, NEAR, ALIKE = 2.0, 8, 5  # hours around an alarm, entries that are shown
OWN = re.compile(r"\bkey\"?:? \"?[0-9a-f]{32}\b")  # an entry that a watch wrote (`--publish elog...`) tells it nothing
LEAST = 0.05  # alike: less is chance
DATABASE_S = 60.0  # after which a logbook in a database is read again
SEVERAL = 20  # times as many are looked at, since those of one event are shown once


class Told(NamedTuple):
    """An entry: when (`at_ns`, None: not known), what it is `called`, its `text`, how `alike` it is (0 to 1, 1 where it
    was not compared), and the last entry about its event (`ended`, "" where that is itself)."""

    at_ns: int | None
    called: str
    text: str
    alike: float
    ended: str


@dataclass(frozen=True)
class Logbook:
    """The entries of a logbook as they were read."""

    entries: Entries

    @classmethod
    def read(cls, data: str | Path, column: str = "") -> Logbook:
        """Read a file, folder or table of a database. Raises SourceError where it is none."""
        from lynkeus.sources.texts.entries import read_entries

        return cls(read_entries(data, column))

    @cached_property
    def past(self) -> Past:
        """Return the entries as they are compared."""
        from lynkeus.transforms.texts.past import Past

        return Past(self.entries.texts, self.entries.time_ns)

    @cached_property
    def threads(self) -> Threads:
        """Return which entries are about one event."""
        return self.past.threads()

    @cached_property
    def _begins(self) -> dict[int, int]:
        return {event: k for k, event in reversed(list(enumerate(self.threads.event.tolist())))}

    @cached_property
    def _ends(self) -> dict[int, int]:
        return {event: k for k, event in enumerate(self.threads.event.tolist())}

    def near(self, start_ns: int, end_ns: int, hours: float = NEAR_H, many: int = NEAR) -> list[Told]:
        """Return what was written from `hours` before to `hours` after a span, those nearest to its start."""
        times = self.entries.time_ns
        if times is None:
            return []
        around = round(hours * HOUR_NS)
        first, last = np.searchsorted(times, [start_ns - around, end_ns + around])
        found = np.array([k for k in range(int(first), int(last)) if not self._is_own(k)], np.int64)
        nearest = np.sort(found[np.argsort(np.abs(times[found] - start_ns), kind="stable")[:many]])
        return [self._told(int(k), 1.0) for k in nearest]

    def like(self, text: str, many: int = ALIKE, before_ns: int | None = None) -> list[Told]:
        """Return what was written that is most like a text, before a time: of each event the first entry."""
        found, events = list[Told](), set[int]()
        for k, alike in self.past.nearest(text, SEVERAL * many, before_ns):
            event = int(self.threads.event[k])
            if event not in events and alike >= LEAST and not self._is_own(k):
                events.add(event)
                found.append(self._told(self._begins[event], alike))
        return found[:many]

    def of_alarm(self, alarm: Alarm, said: str = "") -> tuple[list[Told], list[Told]]:
        """Return what was written around an alarm, and what of the like before it."""
        near = self.near(alarm.start_ns, alarm.end_ns or alarm.peak_ns)
        before = alarm.start_ns - round(NEAR_H * HOUR_NS)
        words = f"{alarm.where} {said}".strip()
        return near, self.like(words, before_ns=before) if words else []

    def of_alarms(self, alarms: Sequence[Alarm]) -> dict[int, Told]:
        """Return by the start of each alarm what was written around it that is most like its place, where that names
        it."""
        found = {}
        for alarm in alarms:
            near = self.near(alarm.start_ns, alarm.end_ns or alarm.peak_ns, many=SEVERAL) if alarm.where else []
            alike = self.past.alike_to(alarm.where, [one.text for one in near])
            best = max(range(len(near)), key=lambda k: alike[k], default=-1)
            if best >= 0 and alike[best] > 0:
                found[alarm.start_ns] = near[best]
        return found

    def _is_own(self, k: int) -> bool:
        return OWN.search(self.entries.texts[k]) is not None

    def _told(self, k: int, alike: float) -> Told:
        times = self.entries.time_ns
        end = self._ends[int(self.threads.event[k])]
        at_ns = None if times is None else int(times[k])
        return Told(at_ns, self.entries.called[k], self.entries.texts[k], alike,
                    self.entries.texts[end] if end != k else "")  # fmt: skip

    def table(self) -> dict[str, Any]:
        """Return a row an entry: when, what it is called, its text, its event, whether it is the first report of that,
        and the entry that it goes on from."""
        own, called = self.threads, self.entries.called
        found: dict[str, Any] = {} if self.entries.time_ns is None else {"time_ns": self.entries.time_ns}
        found |= {"entry": called, "text": self.entries.texts}
        found |= {"event": own.event, "first_report": own.first}
        return found | {"goes_on_from": [called[k] if k >= 0 else "" for k in own.link.tolist()]}


class LogbookNow:
    """The logbook in a file, read again when that has changed; others wait meanwhile."""

    def __init__(self, data: str | Path) -> None:
        self.data, self._lock = data, Lock()
        self._stamp, self._read = self._stamped(), Logbook.read(data)

    def now(self) -> Logbook:
        """Return the logbook as it is; as it was where it cannot be read just now."""
        with self._lock:
            stamp = self._stamped()
            if stamp != self._stamp:
                with suppress(SourceError):  # half written: it will be whole soon
                    self._read, self._stamp = Logbook.read(self.data), stamp
            return self._read

    def _stamped(self) -> tuple[int, int]:
        if "://" in str(self.data):
            return (int(time.monotonic() / DATABASE_S), 0)
        try:
            found = Path(self.data).stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_size)
