"""Parts: alarms that have their cause in common with another one are parts of that incident, in lists not of their own.

A channel that is stuck is found by the scorer, and for giving nothing new: whichever comes first is the incident, and
the other one is kept with it, with all that it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from lynkeus.monitor.records import AlarmFile, Commit, Key
from lynkeus.monitor.tables import alarm_opened, metadata, series

if TYPE_CHECKING:
    from lynkeus.monitor.store import Store

_Id = alarm_opened.c.id.type
# `was_own`: it was an alarm of its own before, and may have been told to people so.
alarm_part = sa.Table(
    "alarm_part",
    metadata,
    sa.Column("alarm_id", _Id, sa.ForeignKey("alarm_opened.id"), primary_key=True, autoincrement=False),
    sa.Column("part_of", _Id, sa.ForeignKey("alarm_opened.id"), nullable=False),
    sa.Column("was_own", sa.Boolean, nullable=False),
    sa.Index("part_by_whole", "part_of"),
)


def note_parts(connection: sa.Connection, numbers: Mapping[str, int], commit: Commit) -> None:
    """Append which alarms are parts of which; `numbers` of the series of a monitor, by output. Where either is not
    there, as in the shadow of another model, both stay alarms of their own."""
    new = {(alarm.output, alarm.start_ns) for alarm, _ in commit.opened}
    for part, whole in commit.parts:
        own, other = (_id_of(connection, numbers, one) for one in (part, whole))
        if own is None or other is None or own == other:
            continue
        known = sa.select(alarm_part.c.alarm_id).where(alarm_part.c.alarm_id.in_([own, other]))
        if connection.scalar(known) is None:  # what is a part has none itself, and is one of one incident only
            row = {"alarm_id": own, "part_of": other, "was_own": part not in new}
            connection.execute(alarm_part.insert(), row)


def _id_of(connection: sa.Connection, numbers: Mapping[str, int], key: Key) -> int | None:
    output, start_ns = key
    same = (alarm_opened.c.series_id == numbers.get(output, 0), alarm_opened.c.start_ns == start_ns)
    found: int | None = connection.scalar(sa.select(alarm_opened.c.id).where(*same))
    return found


def is_told() -> sa.ColumnElement[bool]:
    """Return, for rows of `alarm_opened`, whether the end of each is told: not that of a part that never was an alarm
    of its own."""
    query = sa.select(alarm_part.c.alarm_id).where(alarm_part.c.alarm_id == alarm_opened.c.id, ~alarm_part.c.was_own)
    return ~query.correlate(alarm_opened).exists()


def whole_of() -> sa.ScalarSelect[Any]:
    """Return, for rows of `alarm_opened`, of which alarm each is a part."""
    query = sa.select(alarm_part.c.part_of).where(alarm_part.c.alarm_id == alarm_opened.c.id)
    return query.correlate(alarm_opened).scalar_subquery()


def outputs_of_parts() -> sa.ScalarSelect[Any]:
    """Return, for rows of `alarm_opened`, the outputs of the parts of each, a line each: see `outputs_in`."""
    opened, of = alarm_opened.alias(), series.alias()
    query = sa.select(sa.func.aggregate_strings(of.c.output, "\n")).select_from(
        alarm_part.join(opened, opened.c.id == alarm_part.c.alarm_id).join(of, of.c.id == opened.c.series_id)
    )
    return query.where(alarm_part.c.part_of == alarm_opened.c.id).correlate(alarm_opened).scalar_subquery()


def outputs_in(text: str | None) -> tuple[str, ...]:
    """Return the outputs that `outputs_of_parts` gave, each once."""
    return tuple(sorted(set(text.split("\n")))) if text else ()


def parts_of(store: Store, alarm_id: int) -> list[AlarmFile]:
    """Return all that is known of the parts of an alarm, the first first."""
    query = sa.select(alarm_part.c.alarm_id).where(alarm_part.c.part_of == alarm_id).order_by(alarm_part.c.alarm_id)
    with store.reading() as connection:
        ids = connection.scalars(query).all()
    return [file for file in map(store.alarm, ids) if file is not None]
