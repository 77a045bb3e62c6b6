"""Opens the database of a store, SQLite or PostgreSQL, and turns its errors into one line each."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql, sqlite

from lynkeus.core.errors import StoreError
from lynkeus.files.damaged import in_short
from lynkeus.monitor import parts as _parts  # noqa: F401 - its table belongs to each store
from lynkeus.monitor import tables
from lynkeus.monitor.advice import tables as _advice  # noqa: F401 - likewise
from lynkeus.monitor.points import minutes as _minutes  # noqa: F401 - likewise
from lynkeus.monitor.service import tables as _service  # noqa: F401 - likewise
from lynkeus.monitor.written import tables as _written  # noqa: F401 - likewise

LOCK_WAIT_S = 5.0
LOCK_POLL_S = 0.001
_LOCK_KEY = 0x4C796E6B  # "Lynk": PostgreSQL's advisory lock while tables are made
DAMAGED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, zlib.error)
_REMEDIES = (  # (what the database says, what went wrong, what to do)
    (("database is locked", "lock timeout"), "is locked by another program", "close that program, then start again"),
    (("disk is full", "no space left", "could not extend"), "has no room left: the disk is full", "free some space"),
    (("not a database", "malformed"), "is not a Lynkeus store, or is damaged", "give another file name"),
    (("readonly", "read-only"), "is read-only", "give write permission on the file and on its folder"),
    (("unable to open",), "cannot be opened", "check that the folder exists and is writable"),
    (("disk i/o",), "cannot be read or written (disk I/O error)", "check the disk and its free space"),
    (("password", "authentication"), "refuses this user", "check user and password in the address"),
    (("does not exist",), "does not exist", "create the database first"),
    (("connection", "connect", "resolve", "closed the"), "cannot be reached", "check host and port, and that it runs"),
)


@contextmanager
def one_line_errors(address: str) -> Iterator[None]:
    """Raise StoreError with what, where and the remedy for anything the database complains about."""
    try:
        yield
    except (exc.DBAPIError, sqlite3.Error) as error:
        said = str(getattr(error, "orig", error)).strip()
        for words, wrong, remedy in _REMEDIES:
            if any(word in said.lower() for word in words):
                raise StoreError(f"the store {address} {wrong}: {remedy}") from error
        raise StoreError(f"the store {address} failed: {said.splitlines()[0] if said else error}") from error
    except (exc.SQLAlchemyError, *DAMAGED) as error:  # no row where one belongs; of JSON, or of a packed run
        raise StoreError(
            f"the store {address} holds a damaged row ({in_short(error)}): take an earlier copy, or start a new store"
        ) from error


def open_engine(url: str) -> tuple[sa.Engine, str]:
    """The engine, and the address as it may be shown (no password). Raises StoreError for a bad address."""
    try:
        parsed = sa.make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        backend = parsed.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise StoreError(f"the store {url!r} is neither sqlite:/// nor postgresql://")
        arguments = {"timeout": LOCK_WAIT_S} if backend == "sqlite" else {"connect_timeout": 10}
        engine = sa.create_engine(parsed, connect_args=arguments, pool_pre_ping=backend == "postgresql")
    except exc.ArgumentError as error:
        raise StoreError(f"{url!r} is no store address; one looks like sqlite:///watch.db") from error
    except ModuleNotFoundError as error:
        raise StoreError(f"a PostgreSQL store needs {error.name}: pip install 'lynkeus[postgres]'") from error
    if backend == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine, parsed.render_as_string(hide_password=True)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are ours: see _begin_sqlite
    connection.execute("PRAGMA foreign_keys=ON")
    # In WAL mode NORMAL survives a killed process; a power cut may cost the last commits, never a torn one.
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: sa.Connection) -> None:
    if not connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql("BEGIN")
        return
    # SQLite's own wait sleeps longer and longer, up to a tenth of a second, though others write for milliseconds.
    until = time.monotonic() + LOCK_WAIT_S
    connection.exec_driver_sql("PRAGMA busy_timeout=0")
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            break
        except exc.OperationalError as error:
            if "locked" not in str(error.orig) or time.monotonic() > until:
                raise
            time.sleep(LOCK_POLL_S)
    connection.exec_driver_sql(f"PRAGMA busy_timeout={round(1000 * LOCK_WAIT_S)}")


def create_tables(engine: sa.Engine, address: str) -> None:
    """Make what is missing; two processes may do so at once. Raises StoreError for a store of another version, and
    lets go of it."""
    try:
        _create_tables(engine, address)
    except Exception:
        engine.dispose()
        raise


def _create_tables(engine: sa.Engine, address: str) -> None:
    names = set(sa.inspect(engine).get_table_names())
    is_new = "about" not in names
    if is_new and engine.dialect.name == "sqlite" and names:
        raise StoreError(f"the store {address} holds other tables ({min(names)}, ...): give another file name")
    if not is_new:
        with engine.connect() as connection:
            refuse_other_version(connection, address)
    if not tables.metadata.tables.keys() <= names:  # a new store, or one from before a table was added
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
            tables.metadata.create_all(connection)
            connection.execute(insert_new(connection, tables.about), {"version": tables.VERSION})
            refuse_other_version(connection, address)


def refuse_other_version(connection: sa.Connection, address: str) -> None:
    """Raise StoreError where a store is not of this version."""
    version = connection.scalar(sa.select(sa.func.max(tables.about.c.version)))
    if version != tables.VERSION:
        raise StoreError(
            f"the store {address} has version {version}, this program writes {tables.VERSION}: start a new store"
        )


def insert_new(connection: sa.Connection, table: sa.Table) -> Any:
    """An INSERT that leaves rows alone that are there already."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table).on_conflict_do_nothing()
