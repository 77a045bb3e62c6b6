"""The SELECTs behind the pages: alarms as they stand now, and what stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from lynkeus.core.alarm import Alarm
from lynkeus.monitor.opinions import label_of_alarm, said_of
from lynkeus.monitor.parts import outputs_in, outputs_of_parts, whole_of
from lynkeus.monitor.records import ScoredPoint, Status, StoredAlarm
from lynkeus.monitor.tables import alarm_event, alarm_opened, alarm_seen, series, standing

NAN = float("nan")


def number(value: float | None) -> float:
    """Return a number of the database; NULL is NaN."""
    return NAN if value is None else float(value)


def alarms_now() -> sa.Select[Any]:
    """Every alarm with its latest event and the opinion that holds; rows are read by `stored_alarm`."""
    opened, event = alarm_opened, alarm_event
    last_event = sa.select(sa.func.max(event.c.id)).where(event.c.alarm_id == opened.c.id).scalar_subquery()
    now = event.alias("now")
    seen = sa.select(alarm_seen.c.who).where(alarm_seen.c.alarm_id == opened.c.id).order_by(alarm_seen.c.id.desc())
    return (
        sa.select(
            opened.c.id,
            series.c.monitor,
            series.c.output,
            opened.c.start_ns,
            sa.func.coalesce(now.c.peak_ns, opened.c.peak_ns).label("peak_ns"),
            sa.func.coalesce(now.c.peak_score, opened.c.peak_score).label("peak_score"),
            sa.func.coalesce(now.c.alarms_per_hour, opened.c.alarms_per_hour).label("alarms_per_hour"),
            sa.func.coalesce(now.c.where, opened.c.where).label("place"),
            now.c.end_ns,
            label_of_alarm().label("verdict"),
            seen.limit(1).scalar_subquery().label("seen_by"),
            whole_of().label("part_of"),
            outputs_of_parts().label("also"),
        )
        .join(series, series.c.id == opened.c.series_id)
        .outerjoin(now, now.c.id == last_event)
    )


def recent_alarms(
    monitor: str | None, output: str | None, status: Status | None, limit: int, before: int | None
) -> sa.Select[Any]:
    """The last alarms, newest first; `before` is the id after which to go on. Those that are parts of others are left
    out; of an output that is asked for they are what is asked."""
    query = alarms_now() if output is not None else alarms_now().where(whole_of().is_(None))
    now = query.selected_columns.end_ns
    if monitor is not None:
        query = query.where(series.c.monitor == monitor)
    if output is not None:
        query = query.where(series.c.output == output)
    if status is not None:
        query = query.where(now.is_(None) if status == "open" else now.is_not(None))
    if before is not None:
        query = query.where(alarm_opened.c.id < before)
    return query.order_by(alarm_opened.c.id.desc()).limit(limit)


def stored_alarm(row: Any) -> StoredAlarm:
    """Make an alarm from a row of `alarms_now`."""
    alarm = Alarm(
        row.output,
        row.start_ns,
        row.peak_ns,
        number(row.peak_score),
        number(row.alarms_per_hour),
        row.place,
        row.end_ns,
    )
    return StoredAlarm(row.id, row.monitor, alarm, row.verdict, row.seen_by, row.part_of, outputs_in(row.also))


def alike(stored: StoredAlarm, limit: int) -> sa.Select[Any]:
    """Other alarms of the same output at the same place, the nearest before it first, then later ones."""
    query = alarms_now()
    place = sa.func.coalesce(query.selected_columns.place, "")
    later = sa.case((alarm_opened.c.start_ns < stored.alarm.start_ns, 0), else_=1)
    query = query.where(series.c.monitor == stored.monitor, series.c.output == stored.alarm.output)
    query = query.where(place == stored.alarm.where, alarm_opened.c.id != stored.id)
    return query.order_by(later, alarm_opened.c.start_ns.desc()).limit(limit)


def at_the_time(stored: StoredAlarm, around_ns: int, limit: int) -> sa.Select[Any]:
    """Other incidents of the same store that began around the time of one, whichever monitor and output."""
    began = stored.alarm.start_ns
    query = alarms_now().where(alarm_opened.c.start_ns.between(began - around_ns, began + around_ns))
    query = query.where(whole_of().is_(None), alarm_opened.c.id.not_in([stored.id, stored.part_of or 0]))
    return query.order_by(alarm_opened.c.start_ns).limit(limit)


def alarm_counts() -> sa.Select[Any]:
    """Return (monitor, output, open, total) of every output that ever had an alarm; one that is a part of another is
    counted with that."""
    now = alarms_now().where(whole_of().is_(None)).subquery()
    open_now = sa.func.sum(sa.case((now.c.end_ns.is_(None), 1), else_=0))
    return sa.select(now.c.monitor, now.c.output, open_now, sa.func.count()).group_by(now.c.monitor, now.c.output)


def scored_point(output: str, row: Any) -> ScoredPoint:
    """Make a point from a row of `thinned_points`."""
    return ScoredPoint(output, row.start_ns, row.end_ns, number(row.score), number(row.alarms_per_hour), row.place)


def note_standing(connection: sa.Connection, monitor: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append what stands now and did not, and what is over."""
    if rows:
        connection.execute(standing.insert(), [dict(row) | {"monitor": monitor} for row in rows])


def seen_of(alarm_id: int) -> sa.Select[Any]:
    """Who has seen an alarm, oldest first."""
    query = sa.select(alarm_seen.c.who, alarm_seen.c.note, alarm_seen.c.at_ns)
    return query.where(alarm_seen.c.alarm_id == alarm_id).order_by(alarm_seen.c.id)


def verdicts() -> sa.Select[Any]:
    """All opinions on alarms, oldest first."""
    last = sa.select(sa.func.max(alarm_event.c.end_ns)).where(alarm_event.c.alarm_id == alarm_opened.c.id)
    said = said_of("alarm")
    return (
        sa.select(alarm_opened.c.id, series.c.output, alarm_opened.c.start_ns, last.scalar_subquery())
        .add_columns(said.c.label, said.c.who, said.c.note, said.c.at_ns)
        .join(alarm_opened, alarm_opened.c.id == sa.cast(said.c.name, sa.BigInteger))
        .join(series, series.c.id == alarm_opened.c.series_id)
        .order_by(said.c.number)
    )
