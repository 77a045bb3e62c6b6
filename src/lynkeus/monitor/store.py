"""The append-only store: all that monitor and web share. SQLite in WAL mode by default, PostgreSQL by URL.

A commit is one transaction, and alarms are unique by (monitor, output, start), so a monitor that is killed at any
moment goes on from its last committed window with no alarm lost or doubled.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from lynkeus.core.alarm import Alarm
from lynkeus.core.errors import StoreError
from lynkeus.monitor import queries
from lynkeus.monitor.database import create_tables, insert_new, one_line_errors, open_engine, refuse_other_version
from lynkeus.monitor.opinions import Opinion, add_opinion, opinions
from lynkeus.monitor.parts import note_parts
from lynkeus.monitor.place import StoreFile
from lynkeus.monitor.points.minutes import note_minutes, thinned_points
from lynkeus.monitor.points.months import Months
from lynkeus.monitor.points.prune import count_old, prune_points
from lynkeus.monitor.records import (
    Acknowledged,
    AlarmCount,
    AlarmFile,
    Commit,
    Monitor,
    Owner,
    Pulse,
    ResumePoint,
    ScoredPoint,
    Status,
    StoredAlarm,
    StoredVerdict,
    TracePart,
)
from lynkeus.monitor.rows import (
    has_died,
    moved_fields,
    peak_fields,
    plain,
    point_row,
    read_monitor,
    read_pulse,
    trace_text,
    unheld_row,
)
from lynkeus.monitor.tables import alarm_event, alarm_opened, alarm_seen, alarm_trace, point, progress, series, start
from lynkeus.monitor.unbroken import unbroken

HOLD_S = 30.0  # a monitor without a heartbeat for so long may be taken over


class Store:
    """One database that holds any number of monitors. Every error is a StoreError of one line."""

    def __init__(self, url: str) -> None:
        self.engine, self.address = open_engine(url)
        with one_line_errors(self.address):
            create_tables(self.engine, self.address)
        self._file = StoreFile(self.engine, self.address)
        self._months = Months(self.engine)

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def check(self) -> None:
        """Raise StoreError where the store cannot be read, was moved, or was overwritten."""
        self._file.read()
        with self.reading() as connection:
            refuse_other_version(connection, self.address)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that only reads."""
        self._file.look()
        with one_line_errors(self.address), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction that writes: all of it is kept, or nothing."""
        self._file.look()
        with unbroken(), one_line_errors(self.address), self.engine.connect() as plain:
            connection = plain.execution_options(writes=True)
            with connection.begin():
                yield connection

    def claim(self, monitor: Monitor, owner: Owner) -> ResumePoint | None:
        """Become the one writer of a monitor; the progress to go on from, or None at its very first start.

        Raises StoreError while another living process holds it.
        """
        with self.writing() as connection:
            began = {"monitor": monitor.name, "at_ns": time.time_ns(), "host": owner.host, "pid": owner.pid}
            # A row for each start: the pages show an alarm with the model and the budget that it was found with.
            began["description"] = json.dumps(plain(asdict(monitor)), allow_nan=False)
            start_id = connection.execute(start.insert().values(began).returning(start.c.id)).scalar_one()
            connection.execute(insert_new(connection, progress), unheld_row(monitor.name, start_id))
            row = _progress_row(connection, monitor.name)
            age_s = (time.time_ns() - row.heartbeat_ns) / 1e9
            if row.token not in ("", owner.token) and age_s < HOLD_S and not has_died(row, owner):
                raise StoreError(
                    f"two monitors on one store: {monitor.name!r} in {self.address} is held by process {row.pid} on "
                    f"{row.host} ({age_s:.0f} s ago): stop that one, or give this one another name"
                )
            held = {"host": owner.host, "pid": owner.pid, "token": owner.token, "heartbeat_ns": time.time_ns()}
            _update(connection, monitor.name, held | {"start_id": start_id, "finished": False, "samples_per_s": 0.0})
            if row.position is None:
                return None
            return ResumePoint(row.position, row.last_end_ns, row.state, json.loads(row.open_alarms))

    def commit(self, name: str, owner: Owner, commit: Commit) -> None:
        """Append what some windows brought about and move the progress, in one transaction.

        Raises StoreError where another process has taken the monitor over meanwhile.
        """
        with one_line_errors(self.address):
            self._months.make(scored.start_ns for scored in commit.points)
        with self.writing() as connection:
            # Asked in the same transaction: a watch that hung for longer than HOLD_S may have been replaced meanwhile.
            row = self._held_row(connection, name, owner)
            numbers = _series_numbers(connection, name, commit)
            if commit.points:
                rows = [point_row(numbers[scored.output], scored) for scored in commit.points]
                connection.execute(insert_new(connection, point), rows)
                note_minutes(connection, rows)
            for alarm, evidence in commit.opened:
                text = json.dumps(plain(evidence), allow_nan=False)
                opened = {"series_id": numbers[alarm.output], "start_ns": alarm.start_ns, "start_id": row.start_id}
                connection.execute(
                    insert_new(connection, alarm_opened), opened | peak_fields(alarm) | {"evidence": text}
                )
            for part in commit.traces:
                alarm_id = _alarm_id(connection, numbers[part.output], part, name)
                connection.execute(alarm_trace.insert(), {"alarm_id": alarm_id, "trace": trace_text(part)})
            for alarm in (*commit.peaks, *commit.closed):
                alarm_id = _alarm_id(connection, numbers[alarm.output], alarm, name)
                event = {"alarm_id": alarm_id, "end_ns": alarm.end_ns}
                connection.execute(alarm_event.insert(), event | peak_fields(alarm))
            note_parts(connection, numbers, commit)
            queries.note_standing(connection, name, commit.standing)
            _update(connection, name, moved_fields(row, commit))

    def release(self, name: str, owner: Owner, finished: bool = False) -> None:
        """Let go of a monitor, so that the next start need not wait; `finished`: its source has ended."""
        with self.writing() as connection:
            self._held_row(connection, name, owner)
            _update(connection, name, {"token": "", "finished": finished, "heartbeat_ns": time.time_ns()})

    def add_verdict(self, alarm_id: int, said: str, who: str, note: str = "") -> None:
        """Append what a person says of an alarm: "real", "not real" or "unsure"."""
        monitor = sa.select(series.c.monitor).join(alarm_opened, alarm_opened.c.series_id == series.c.id)
        with self.reading() as connection:
            name = connection.scalar(monitor.where(alarm_opened.c.id == alarm_id))
        add_opinion(self, Opinion("alarm", name or "", str(alarm_id), said, who, note=note))

    def image_labels(self, images: str | None = None, file: str | None = None) -> list[Opinion]:
        """Everything people said of images, oldest first; of one folder, of one file in it."""
        return opinions(self, "image", images, file)

    def prune(self, older_than_ns: Mapping[str, int], dry_run: bool = False) -> dict[str, int]:
        """Delete points of windows that ended before a time, given for each monitor (never alarms or verdicts).

        Returns how many of each. It is done piece by piece, so that a watch that writes meanwhile is not held up.
        """
        if dry_run:
            return {name: count_old(self, name, until_ns) for name, until_ns in older_than_ns.items()}
        with one_line_errors(self.address):
            gone = self._months.drop(older_than_ns)
        return {name: gone[name] + prune_points(self, name, until_ns) for name, until_ns in older_than_ns.items()}

    def prune_points(self, name: str, older_than_ns: int, dry_run: bool = False) -> int:
        """Delete the points of one monitor; see `prune`."""
        return self.prune({name: older_than_ns}, dry_run)[name]

    def monitors(self) -> list[Pulse]:
        """Every monitor that ever started, by name."""
        query = sa.select(progress, start.c.description).join(start, start.c.id == progress.c.start_id)
        with self.reading() as connection:
            return [read_pulse(row) for row in connection.execute(query.order_by(progress.c.monitor))]

    def monitor(self, name: str) -> Pulse | None:
        """One monitor, None where there is none of that name."""
        return next((pulse for pulse in self.monitors() if pulse.monitor.name == name), None)

    def alarms(
        self,
        name: str | None = None,
        output: str | None = None,
        status: Status | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> list[StoredAlarm]:
        """Alarms as they stand, newest first; `before`: only those with a smaller id, to page back."""
        with self.reading() as connection:
            rows = connection.execute(queries.recent_alarms(name, output, status, limit, before))
            return [queries.stored_alarm(row) for row in rows]

    def alarm_counts(self) -> list[AlarmCount]:
        """Open and total alarms of every monitor and output that ever had one."""
        with self.reading() as connection:
            return [AlarmCount(*row) for row in connection.execute(queries.alarm_counts())]

    def alarm(self, alarm_id: int) -> AlarmFile | None:
        """All that is known of one alarm, None where there is none of that number."""
        one = alarm_opened.c.id == alarm_id
        about = sa.select(alarm_opened.c.evidence, start.c.description).join(
            start, start.c.id == alarm_opened.c.start_id
        )
        with self.reading() as connection:
            row = connection.execute(queries.alarms_now().where(one)).one_or_none()
            if row is None:
                return None
            evidence, description = connection.execute(about.where(one)).one()
            said = tuple(StoredVerdict(*fields) for fields in connection.execute(queries.verdicts().where(one)))
            seen = tuple(Acknowledged(*fields) for fields in connection.execute(queries.seen_of(alarm_id)))
            return AlarmFile(queries.stored_alarm(row), read_monitor(description), json.loads(evidence), said, seen)

    def like(
        self, stored: StoredAlarm, around_s: float, limit: int = 12
    ) -> tuple[list[StoredAlarm], list[StoredAlarm]]:
        """Other alarms of the same output at the same place, earlier ones first; and those that began within
        `around_s` of it, on any output of any monitor."""
        with self.reading() as connection:
            same = connection.execute(queries.alike(stored, limit)).all()
            beside = connection.execute(queries.at_the_time(stored, int(around_s * 1e9), limit)).all()
            return [queries.stored_alarm(row) for row in same], [queries.stored_alarm(row) for row in beside]

    def acknowledge(self, alarm_id: int, who: str, note: str = "") -> None:
        """Append that somebody has seen an alarm and sees to it. Raises StoreError where there is no such alarm."""
        with self.writing() as connection:
            if connection.scalar(sa.select(alarm_opened.c.id).where(alarm_opened.c.id == alarm_id)) is None:
                raise StoreError(f"no alarm {alarm_id} in {self.address}")
            row = {"alarm_id": alarm_id, "who": who, "note": note, "at_ns": time.time_ns()}
            connection.execute(alarm_seen.insert(), row)

    def verdicts(self, name: str) -> list[StoredVerdict]:
        """Everything people said of the alarms of a monitor, oldest first."""
        with self.reading() as connection:
            return [
                StoredVerdict(*row) for row in connection.execute(queries.verdicts().where(series.c.monitor == name))
            ]

    def points(
        self, name: str, output: str, start_ns: int | None = None, end_ns: int | None = None, at_most: int = 2000
    ) -> list[ScoredPoint]:
        """Scored windows in time order, thinned to the highest score of each of `at_most` equal bins."""
        mine = sa.select(series.c.id).where(series.c.monitor == name, series.c.output == output)
        with self.reading() as connection:
            number = connection.scalar(mine)
            if number is None:
                return []
            rows = thinned_points(connection, number, (start_ns, end_ns), max(at_most, 1))
            return [queries.scored_point(output, row) for row in rows]

    def _held_row(self, connection: sa.Connection, name: str, owner: Owner) -> Any:
        row = _progress_row(connection, name)
        if row is None or row.token != owner.token:
            holder = "nobody" if row is None or not row.token else f"process {row.pid} on {row.host}"
            raise StoreError(f"monitor {name!r} in {self.address} is now held by {holder}, so this one must stop")
        return row


def _progress_row(connection: sa.Connection, name: str) -> Any:
    return connection.execute(sa.select(progress).where(progress.c.monitor == name).with_for_update()).one_or_none()


def _update(connection: sa.Connection, name: str, fields: Mapping[str, Any]) -> None:
    connection.execute(progress.update().where(progress.c.monitor == name), dict(fields))


def _series_numbers(connection: sa.Connection, name: str, commit: Commit) -> dict[str, int]:
    alarms = (*(alarm for alarm, _ in commit.opened), *commit.peaks, *commit.closed)
    wanted = {one.output for one in commit.points} | {one.output for one in alarms}
    wanted |= {one.output for one in commit.traces}
    query = sa.select(series.c.output, series.c.id).where(series.c.monitor == name)
    known = {row.output: row.id for row in connection.execute(query)}
    if not wanted <= known.keys():
        new = [{"monitor": name, "output": output} for output in sorted(wanted - known.keys())]
        connection.execute(insert_new(connection, series), new)
        known = {row.output: row.id for row in connection.execute(query)}
    return known


def _alarm_id(connection: sa.Connection, number: int, of: Alarm | TracePart, name: str) -> int:
    same = (alarm_opened.c.series_id == number, alarm_opened.c.start_ns == of.start_ns)
    found = connection.scalar(sa.select(alarm_opened.c.id).where(*same))
    if found is None:
        raise StoreError(f"no alarm of {name!r} {of.output!r} was opened at {of.start_ns} ns, so it cannot change")
    return int(found)
