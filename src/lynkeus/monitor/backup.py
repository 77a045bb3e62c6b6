"""A copy of a store as it is at one moment, while others write into it: to a file, or to another server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lynkeus.core.errors import StoreError
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.files.whole import disk_errors
from lynkeus.monitor.database import one_line_errors
from lynkeus.monitor.points.months import Months
from lynkeus.monitor.store import Store
from lynkeus.monitor.tables import about, metadata, point

ROWS = 5000  # that are carried at a time
PREFIX = "sqlite:///"


def copy_store(url: str, to: str, progress: ReportProgress | None = None) -> int:
    """Copy all of a store into a new file (a name, or sqlite:///) or an empty database; returns the rows in all.

    Raises StoreError where there is something already, or either cannot be read or written.
    """
    report, target = progress or silent, to if "://" in to else f"{PREFIX}{to}"
    with closing(Store(url)) as store:
        if target.startswith(PREFIX):
            path = Path(target.removeprefix(PREFIX)).expanduser()
            if path.exists():
                raise StoreError(f"{path}: is there already; give the name of a new file")
            partial = path.with_name(path.name + ".partial")
            with disk_errors(partial, "cannot write the copy", kind=StoreError):
                path.parent.mkdir(parents=True, exist_ok=True)
                _remove(partial)
                try:
                    rows = _to_file(store, partial, report)
                    partial.replace(path)
                finally:
                    _remove(partial)
            return rows
        with closing(Store(target)) as other:
            return _rows(store, other, report)


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _to_file(store: Store, path: Path, report: ReportProgress) -> int:
    if store.engine.dialect.name != "sqlite":
        with closing(Store(f"{PREFIX}{path}")) as other:
            rows = _rows(store, other, report)
        with closing(sqlite3.connect(path)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")  # one file and no others
        return rows
    report("pages", 0.0)
    source = store.engine.raw_connection()
    with one_line_errors(f"{PREFIX}{path}"), closing(source), closing(sqlite3.connect(path)) as copy:
        # All in one step: in pieces it would begin anew with each commit of others. Writers are not held up by it.
        source.driver_connection.backup(copy)  # type: ignore[union-attr]
        copy.execute("PRAGMA journal_mode=DELETE")
        names = [table.name for table in metadata.sorted_tables]
        return sum(copy.execute(f'select count(*) from "{name}"').fetchone()[0] for name in names) - 1


def _rows(store: Store, other: Store, report: ReportProgress) -> int:
    """Carry all rows, as they are in one snapshot."""
    carried, months = 0, Months(other.engine)
    tables = [table for table in metadata.sorted_tables if table is not about]
    with one_line_errors(store.address), _snapshot(store) as source:
        with other.reading() as connection:
            full = next((one.name for one in tables if connection.execute(sa.select(one).limit(1)).first()), None)
        if full is not None:
            raise StoreError(f"the store {other.address} is not empty ({full}): give an empty database")
        for number, table in enumerate(tables):
            report(table.name, number / len(tables))
            key = list(table.primary_key.columns)
            result = source.execution_options(yield_per=ROWS).execute(sa.select(table).order_by(*key))
            for part in result.mappings().partitions():
                rows: list[Mapping[str, Any]] = [dict(row) for row in part]
                if table is point:
                    months.make(row["start_ns"] for row in rows)
                with other.writing() as connection:
                    connection.execute(table.insert(), rows)
                carried += len(rows)
    with other.writing() as connection:
        _go_on_counting(connection, tables)
    return carried


@contextmanager
def _snapshot(store: Store) -> Iterator[sa.Connection]:
    """A connection that sees the store as it is now, whatever others write."""
    with store.engine.connect() as connection:
        if store.engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def _go_on_counting(connection: sa.Connection, tables: list[sa.Table]) -> None:
    """PostgreSQL numbers rows by a counter of its own, which rows that bring their numbers do not move."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        column = table.primary_key.columns.values()[0]
        sequence = connection.scalar(sa.text("select pg_get_serial_sequence(:table, :column)"), {
            "table": table.name, "column": column.name,
        })  # fmt: skip
        if sequence is not None:
            last = sa.select(sa.func.setval(sequence, sa.func.coalesce(sa.func.max(column), 1)))
            connection.execute(last)
