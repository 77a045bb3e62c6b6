"""The highest point of each minute, kept beside the points: a month is drawn from some ten thousand rows, not millions.

A store of before has none of its first points; for their time the points themselves are read, as they were then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table, Text
from sqlalchemy.dialects import postgresql, sqlite

from lynkeus.monitor.tables import metadata, point

NS = 60 * 1_000_000_000
_Id = BigInteger().with_variant(Integer, "sqlite")

# The point with the highest score of those that start in a minute (`minute`: its number since 1970).
point_minute = Table(
    "point_minute",
    metadata,
    Column("series_id", _Id, ForeignKey("series.id"), primary_key=True),
    Column("minute", BigInteger, primary_key=True),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("score", sa.Float(53)),
    Column("alarms_per_hour", sa.Float(53)),
    Column("where", Text, nullable=False),
    sqlite_with_rowid=False,
)
POINT = ("start_ns", "end_ns", "score", "alarms_per_hour", "where")


def note_minutes(connection: sa.Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Keep rows of `point` that are higher than all others of their minute."""
    highest: dict[tuple[int, int], Mapping[str, Any]] = {}
    for row in rows:
        key = (row["series_id"], row["start_ns"] // NS)
        if key not in highest or _height(row) > _height(highest[key]):
            highest[key] = row
    if not highest:
        return
    insert = _insert(connection.dialect.name)
    connection.execute(insert, [dict(row) | {"minute": minute} for (_, minute), row in highest.items()])


@cache
def _insert(name: str) -> Any:
    """Built once: it is used for each commit."""
    dialect: Any = sqlite if name == "sqlite" else postgresql
    insert = dialect.insert(point_minute)
    new, old = insert.excluded, point_minute.c
    higher = sa.or_(new.score > old.score, sa.and_(old.score.is_(None), new.score.is_not(None)))
    return insert.on_conflict_do_update(
        index_elements=["series_id", "minute"], set_={name: new[name] for name in POINT}, where=higher
    )


def _height(row: Mapping[str, Any]) -> float:
    return float("-inf") if row["score"] is None else float(row["score"])


def thinned_points(
    connection: sa.Connection, series_id: int, span: tuple[int | None, int | None], at_most: int
) -> list[Any]:
    """Rows of `point` that start within the span, in time order; of each of `at_most` bins the highest score only.

    Where bins are longer than a minute, each minute counts as its highest point, in the bin in which that one starts.
    """
    within = _within(point, series_id, span)
    first, last = connection.execute(
        sa.select(sa.func.min(point.c.start_ns), sa.func.max(point.c.start_ns)).where(*within)
    ).one()
    if first is None:
        return []
    if last - first > at_most * NS:
        noted = _by_minute(connection, series_id, span)
        return _thinned(connection, noted, (first, last), at_most)
    few = sa.select(point.c.start_ns).where(*within).limit(at_most + 1).subquery()
    rows = sa.select(*(point.c[name] for name in POINT)).where(*within)
    if (connection.scalar(sa.select(sa.func.count()).select_from(few)) or 0) <= at_most:
        return list(connection.execute(_named(rows.order_by(point.c.start_ns))))
    return _thinned(connection, rows, (first, last), at_most)


def _within(table: Table, series_id: int, span: tuple[int | None, int | None]) -> list[Any]:
    found = [table.c.series_id == series_id]
    found += [] if span[0] is None else [table.c.start_ns >= span[0]]
    return found + ([] if span[1] is None else [table.c.start_ns < span[1]])


def _by_minute(connection: sa.Connection, series_id: int, span: tuple[int | None, int | None]) -> Any:
    """Return the query of the highest point of each minute; of the time before any was noted of all points."""
    mine = point_minute.c.series_id == series_id
    begun = connection.scalar(sa.select(sa.func.min(point_minute.c.minute)).where(mine))
    rows = sa.select(*(point.c[name] for name in POINT)).where(*_within(point, series_id, span))
    if begun is None:
        return rows
    minutes = _within(point_minute, series_id, span)
    minutes += [] if span[0] is None else [point_minute.c.minute >= span[0] // NS]
    minutes += [] if span[1] is None else [point_minute.c.minute <= span[1] // NS]
    noted = sa.select(*(point_minute.c[name] for name in POINT)).where(*minutes, point_minute.c.minute > begun)
    # the first minute may have begun before it was noted
    return sa.union_all(rows.where(point.c.start_ns < (begun + 1) * NS), noted)


def _thinned(connection: sa.Connection, rows: Any, span: tuple[int, int], at_most: int) -> list[Any]:
    own = rows.subquery()
    width_ns = (span[1] - span[0]) // at_most + 1
    by_bin = (own.c.start_ns - sa.literal(span[0], sa.BigInteger)) // sa.literal(width_ns, sa.BigInteger)
    rank = sa.func.row_number().over(partition_by=by_bin, order_by=(own.c.score.desc().nulls_last(), own.c.start_ns))
    ranked = sa.select(own, rank.label("rank")).subquery()
    query = sa.select(*(ranked.c[name] for name in POINT)).where(ranked.c.rank == 1)
    return list(connection.execute(_named(query.order_by(ranked.c.start_ns))))


def _named(query: Any) -> Any:
    """`where` is a method of rows, so it is called `place` there."""
    columns = query.subquery()
    shown = [columns.c[name].label("place" if name == "where" else name) for name in POINT]
    return sa.select(*shown).order_by(columns.c.start_ns)
