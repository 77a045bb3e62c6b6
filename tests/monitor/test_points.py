"""Points by minute and by month, pruned and copied while others write; a store of before goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lynkeus.core import StoreError
from lynkeus.monitor.backup import copy_store
from lynkeus.monitor.points import minutes, prune
from lynkeus.monitor.points.minutes import point_minute
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint, ScoredPoint
from lynkeus.monitor.store import Store
from lynkeus.monitor.tables import point

SECOND, DAY = 1_000_000_000, 86_400 * 1_000_000_000
MARCH = round(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * SECOND


def scored(at_ns: int, score: float = 1.0) -> ScoredPoint:
    return ScoredPoint("monitor", at_ns, at_ns + SECOND, score, 5.0, "a/x")


def add(store: Store, points: list[ScoredPoint], name: str = "orbits") -> None:
    owner = Owner.here()
    store.claim(Monitor(name, outputs=("monitor",)), owner)
    store.commit(name, owner, Commit(ResumePoint(len(points), points[-1].end_ns), tuple(points)))
    store.release(name, owner)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url)
    yield store
    store.close()


def rows(store: Store, table: sa.Table) -> int:
    with store.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def hours(first_ns: int, count: int) -> list[ScoredPoint]:
    """Two points an hour, within one minute: the second one is the higher one; one of all is the highest."""
    found = [scored(first_ns + k * DAY // 24 + at, 1 + at / DAY) for k in range(count) for at in (0, 7 * SECOND)]
    found[count] = scored(found[count].start_ns, 50.0)
    return found


def test_a_long_time_is_drawn_from_the_highest_of_each_minute(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    points = hours(MARCH, 600)
    add(store, points[:900])
    add(store, points[900:])
    add(store, points[:10])  # scored again after a kill
    assert rows(store, point_minute) == 600
    found = store.points("orbits", "monitor", at_most=100)
    assert 50 <= len(found) <= 101
    assert max(found, key=lambda one: one.score) == points[600]
    assert found == sorted(found, key=lambda one: one.start_ns)
    assert {one.start_ns for one in found} <= {one.start_ns for one in points}
    within = store.points("orbits", "monitor", points[700].start_ns, points[1000].start_ns, at_most=50)
    assert all(points[700].start_ns <= one.start_ns < points[1000].start_ns for one in within)
    with store.writing() as connection:  # as in a store of before, whose first points were never noted
        connection.execute(point_minute.delete().where(point_minute.c.start_ns < points[800].start_ns))
    assert store.points("orbits", "monitor", at_most=100) == found
    monkeypatch.setattr(minutes, "NS", 100 * DAY)  # all by points
    assert store.points("orbits", "monitor", at_most=100) == found


def test_nan_scores_are_the_lowest_of_their_minute(store: Store) -> None:
    add(store, [scored(MARCH, float("nan")), scored(MARCH + SECOND, 2.0), scored(MARCH + 2 * SECOND, float("nan"))])
    with store.reading() as connection:
        assert connection.execute(sa.select(point_minute.c.score)).all() == [(2.0,)]


def test_months_go_as_a_whole_and_the_rest_in_pieces(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune, "PIECE", 300)
    monkeypatch.setattr(prune, "PAUSE_S", 0.0)
    for name in ("orbits", "other"):
        add(store, hours(MARCH - 40 * DAY, 24 * 60), name)  # of January, February and March
    if store.engine.dialect.name == "postgresql":
        assert {name for name in sa.inspect(store.engine).get_table_names() if name.startswith("point_2")} == {
            "point_2026_01", "point_2026_02", "point_2026_03"
        }  # fmt: skip
    asked = {"orbits": MARCH + DAY, "other": MARCH - 27 * DAY}
    expected = {"orbits": 2 * 24 * 41, "other": 2 * 24 * 13}
    assert store.prune(asked, dry_run=True) == expected
    assert store.prune(asked) == expected
    assert store.prune(asked) == {"orbits": 0, "other": 0}
    assert rows(store, point) == 4 * 24 * 60 - sum(expected.values())
    assert rows(store, point_minute) == rows(store, point) // 2
    if store.engine.dialect.name == "postgresql":
        assert "point_2026_01" not in sa.inspect(store.engine).get_table_names()
    add(store, hours(MARCH - 40 * DAY, 2))  # late ones have their month again
    assert rows(store, point) == 4 * 24 * 60 - sum(expected.values()) + 4


def test_a_copy_is_a_store_as_it_was_at_that_moment(store: Store, store_url: str, tmp_path: Path) -> None:
    points = hours(MARCH, 48)
    add(store, points)
    with store.engine.connect().execution_options(writes=True) as writing:
        writing.begin()  # somebody writes meanwhile, and has not committed
        writing.execute(point.delete().where(point.c.start_ns < points[9].start_ns))
        copied = copy_store(store_url, str(tmp_path / "copy.db"))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("copy")] == ["copy.db"]
    assert copied == 96 + 48 + 1 + 1 + 1  # points, minutes, start, series, progress
    copy = Store(f"sqlite:///{tmp_path / 'copy.db'}")
    assert copy.points("orbits", "monitor") == store.points("orbits", "monitor")
    assert copy.monitors() == store.monitors()
    add(copy, hours(MARCH + 9 * DAY, 2))  # a watch goes on with it
    copy.close()
    with pytest.raises(StoreError, match="is there already; give the name of a new file"):
        copy_store(store_url, str(tmp_path / "copy.db"))
    if store.engine.dialect.name == "postgresql":
        with pytest.raises(StoreError, match=r"is not empty \(\w+\): give an empty database"):
            copy_store(f"sqlite:///{tmp_path / 'copy.db'}", store_url)
        with store.engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")
        copy_store(f"sqlite:///{tmp_path / 'copy.db'}", store_url)
        again = Store(store_url)
        assert len(again.points("orbits", "monitor", at_most=10_000)) == 48 + 2  # the higher one of each minute
        add(again, hours(MARCH + 20 * DAY, 1))  # numbers of rows go on after those that came with the copy
        again.close()


def test_a_store_of_before_goes_on(store_url: str, postgres_in_one_piece: Any) -> None:
    store = Store(store_url)
    points = hours(MARCH, 48)
    add(store, points)
    with store.engine.begin() as connection:
        point_minute.drop(connection)
        postgres_in_one_piece(connection)
    store.close()
    store = Store(store_url)
    add(store, hours(MARCH + 40 * DAY, 4))
    assert len(store.points("orbits", "monitor", at_most=5000)) >= 48 + 4
    assert store.prune({"orbits": MARCH + DAY}) == {"orbits": 48}
    assert rows(store, point) == 96 + 8 - 48
    store.close()


@pytest.fixture
def postgres_in_one_piece() -> Any:
    """What makes a table of points as it was before there were months."""

    def change(connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "CREATE TABLE old (LIKE point INCLUDING ALL); INSERT INTO old SELECT * FROM point; DROP TABLE point; "
                "ALTER TABLE old RENAME TO point"
            )

    return change


def test_a_copy_that_finds_no_room_leaves_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    store = Store(url)
    add(store, hours(MARCH, 48))
    store.close()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is no folder"):
        copy_store(url, str(tmp_path / "file" / "b.db"))
    assert sorted(path.name for path in tmp_path.iterdir() if "b.db" in path.name) == []
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("create table x (y)")
    with pytest.raises(StoreError, match="holds other tables"):
        copy_store(f"sqlite:///{tmp_path / 'other.db'}", str(tmp_path / "c.db"))
