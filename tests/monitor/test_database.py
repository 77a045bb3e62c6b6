"""Addresses and files that are no store: one clear line each."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lynkeus.core import StoreError
from lynkeus.monitor import tables
from lynkeus.monitor.store import Store


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("watch.db", "no store address; one looks like sqlite:///watch.db"),
        ("mysql://host/db", "neither sqlite:/// nor postgresql://"),
        ("sqlite:////no/such/folder/watch.db", "cannot be opened: check that the folder exists"),
    ],
)
def test_bad_addresses(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        Store(url)
    assert "\n" not in str(caught.value)


def test_unreachable_server_hides_the_password() -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with pytest.raises(StoreError, match="cannot be reached: check host and port") as caught:
        Store("postgresql://me:secret@127.0.0.1:1/db")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.postgres
def test_missing_postgres_database(postgres: object) -> None:
    with pytest.raises(StoreError, match="does not exist: create the database first"):
        Store(postgres.get_uri("nowhere"))  # type: ignore[attr-defined]


def test_files_that_are_no_store(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("not a database, whatever its name says\n" * 100)
    with pytest.raises(StoreError, match="is not a Lynkeus store, or is damaged: give another file name"):
        Store(f"sqlite:///{tmp_path / 'notes.db'}")
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE cheese (name)")
    connection.close()
    with pytest.raises(StoreError, match=r"holds other tables \(cheese"):
        Store(f"sqlite:///{tmp_path / 'other.db'}")


def test_store_of_another_version(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'watch.db'}"
    store = Store(url)
    with store.engine.begin() as connection:
        connection.execute(tables.about.update().values(version=99))
    store.close()
    with pytest.raises(StoreError, match="has version 99, this program writes 1"):
        Store(url)


def test_a_store_from_before_a_table_was_added_gets_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'watch.db'}"
    store = Store(url)
    with store.engine.begin() as connection:
        tables.image_label.drop(connection)
    store.close()
    store = Store(url)
    assert store.image_labels() == []
    store.close()
