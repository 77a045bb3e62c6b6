"""Links of alarms to entries of a logbook: near in time and alike in words, found while a watch goes on."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from lynkeus.core.errors import StoreError
from lynkeus.monitor.logbook import HOUR_NS, NEAR_H, LogbookNow, Told
from lynkeus.monitor.records import StoredAlarm
from lynkeus.monitor.store import Store
from lynkeus.monitor.written.tables import alarm_written

if TYPE_CHECKING:
    from lynkeus.monitor.watch import Watched

LOOKED_S = 5.0  # between looks at the logbook, where no alarm asks for one
SHOWN, LETTERS = 5, 200  # alarms of which is said what was found, letters of each
MOST = 500  # latest alarms of a monitor that are linked


class Written(NamedTuple):
    """What a `logbook` says of an alarm: `near` it in time, and of the `like` before it, each in its order."""

    logbook: str
    near: list[Told]
    like: list[Told]


def written_of(store: Store, alarm_id: int) -> Written | None:
    """Return what was found for an alarm last, None where nobody has looked."""
    own = alarm_written.c
    query = sa.select(own.logbook, own.entries).where(own.alarm_id == alarm_id).order_by(own.id.desc()).limit(1)
    with store.reading() as connection:
        row = connection.execute(query).first()
        if row is None:
            return None
        kept = json.loads(row.entries)
        return Written(row.logbook, *([Told(*one) for one in kept[part]] for part in ("near", "like")))


def keep_written(store: Store, alarm_id: int, found: Written) -> bool:
    """Append what was found for an alarm, where that is not what was found last; return whether it was appended."""
    if found == written_of(store, alarm_id):
        return False
    entries = json.dumps({"near": found.near, "like": found.like}, allow_nan=False)
    row = {"alarm_id": alarm_id, "logbook": found.logbook, "entries": entries, "at_ns": time.time_ns()}
    with store.writing() as connection:
        connection.execute(alarm_written.insert(), [row])
    return True


class Linking:
    """Links the alarms of a watch to entries of a logbook, in a thread of its own, so that no window waits for that.

    Called after each commit. An alarm is looked up when it opens, and again while it is open and for NEAR_H hours of
    data, as entries are added, or its place or end becomes known. Without a logbook (None) it does nothing.
    """

    def __init__(self, logbook: LogbookNow | None) -> None:
        self.logbook, self.messages = logbook, list[str]()
        self._found: dict[int, tuple[tuple[object, ...], Written]] = {}
        self._end_ns, self._alarms, self._earlier = 0, 0, 0
        self._asked, self._stopped, self._problem = threading.Event(), False, ""
        self._thread: threading.Thread | None = None

    def begin(self, store: Store, name: str) -> None:
        """Start to link the alarms of a monitor, those of earlier runs of it too."""
        if self.logbook is None or self._thread is not None:
            return
        self.store, self.name = store, name
        self._earlier = max((one.id for one in store.alarms(name, limit=1)), default=0)
        self._asked.set()
        self._thread = threading.Thread(target=self._work, name="logbook", daemon=True)
        self._thread.start()

    def __call__(self, run: Watched) -> None:
        """Take note of a commit."""
        self._end_ns = run.end_ns
        if run.alarms != self._alarms or run.open:
            self._alarms = run.alarms
            self._asked.set()

    def close(self) -> None:
        """Stop, link what is not linked yet, and leave what there is to say in `messages`, a line an alarm."""
        if self._thread is None:
            return
        self._stopped = True
        self._asked.set()
        self._thread.join()
        self._thread = None
        self._look()
        self.messages = self._says()

    def _says(self) -> list[str]:
        if self._problem:
            return [f"alarms are not all linked to the logbook: {self._problem}"]
        new = {number: found for number, (_, found) in sorted(self._found.items()) if number > self._earlier}
        linked = {number: found for number, found in new.items() if found.near or found.like}
        lines = [f"alarm {number}: {_line(found)}" for number, found in list(linked.items())[:SHOWN]]
        more = [f"and {len(linked) - SHOWN} more, on their pages"] if len(linked) > SHOWN else []
        none = len(new) - len(linked)
        return [*lines, *more, *([f"of {none} alarms the logbook says nothing"] if none else [])]

    def _work(self) -> None:
        while not self._stopped:
            self._asked.wait(LOOKED_S)
            self._asked.clear()
            if not self._stopped:
                self._look()

    def _look(self) -> None:
        try:
            for stored in self.store.alarms(self.name, limit=MOST):
                self._link(stored)
            self._problem = ""
        except StoreError as error:  # the watch says so itself, or goes on: then the next look tries again
            self._problem = str(error)

    def _link(self, stored: StoredAlarm) -> None:
        assert self.logbook is not None
        alarm, book = stored.alarm, self.logbook.now()
        state, before = (id(book), alarm.where, alarm.end_ns), self._found.get(stored.id)
        over_ns = (alarm.end_ns or self._end_ns) + round(NEAR_H * HOUR_NS)
        if before is not None and (before[0] == state or over_ns < self._end_ns):
            return
        file = self.store.alarm(stored.id)
        if file is not None:
            found = Written(str(self.logbook.data), *book.of_alarm(alarm, file.said))
            keep_written(self.store, stored.id, found)
            self._found[stored.id] = (state, found)


def _line(found: Written) -> str:
    """Return what is most worth reading, in a line without what a terminal would obey."""
    one, how = (found.near[0], "") if found.near else (found.like[0], "of the like before: ")
    end = f"; in the end: {one.ended}" if one.ended else ""
    at = "" if one.at_ns is None else f"{datetime.fromtimestamp(one.at_ns / 1e9, UTC):%Y-%m-%d %H:%M} "
    text = "".join(sign if sign.isprintable() else " " for sign in f"{at}{how}{one.text}{end}"[: 2 * LETTERS])
    return text if len(text) <= LETTERS else f"{text[:LETTERS]}..."
