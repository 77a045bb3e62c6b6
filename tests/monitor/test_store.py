"""The store, on SQLite and on a real PostgreSQL: nothing lost, nothing doubled, one line per error."""

from __future__ import annotations

import math
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lynkeus.core import Alarm, StoreError
from lynkeus.monitor import database, tables
from lynkeus.monitor.conditions import note_condition
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint, ScoredPoint
from lynkeus.monitor.store import Store

T0 = 1_700_000_000_123_456_789
SECOND = 1_000_000_000
MONITOR = Monitor("orbits", "Orbits", ("monitor", "beam"), ("a/x", "b/x"), (1.0, math.nan), "mm", 0.5, {"model": "m1"})
OTHER = Owner(socket.gethostname(), os.getppid(), "another")  # alive, and not us


def window(k: int, score: float = 3.0, output: str = "monitor") -> ScoredPoint:
    return ScoredPoint(output, T0 + k * SECOND, T0 + (k + 1) * SECOND, score, 0.1, "a/x")


def alarm(k: int, end: int | None = None, output: str = "monitor") -> Alarm:
    return Alarm(
        output, T0 + k * SECOND, T0 + k * SECOND, 9.0, 0.025, "a/x", None if end is None else T0 + end * SECOND
    )


def commit(position: int, **more: object) -> Commit:
    return Commit(ResumePoint(position, T0 + position * SECOND, b"\x00state", {"open": [1]}), **more)  # type: ignore[arg-type]


@pytest.fixture
def owner() -> Owner:
    return Owner.here()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url)
    yield store
    store.close()


def test_progress_survives_and_comes_back_exactly(store: Store, store_url: str, owner: Owner) -> None:
    assert store.claim(MONITOR, owner) is None
    store.commit("orbits", owner, commit(10, points=(window(0), window(1)), samples=20, missed=3))
    store.release("orbits", owner, finished=True)
    again = Store(store_url)
    pulse = again.monitors()[0]
    assert (pulse.finished, pulse.samples, pulse.missed, pulse.last_end_ns) == (True, 20, 3, T0 + 10 * SECOND)
    assert replace(pulse.monitor, positions_m=(1.0,)) == replace(MONITOR, positions_m=(1.0,))
    assert again.claim(MONITOR, OTHER) == ResumePoint(10, T0 + 10 * SECOND, b"\x00state", {"open": [1]})
    again.close()


def test_commit_is_whole_or_not_at_all(store: Store, owner: Owner) -> None:
    store.claim(MONITOR, owner)
    store.commit("orbits", owner, commit(1, points=(window(0),)))
    broken = commit(2, points=(window(1),), opened=((alarm(1), {}),), closed=(alarm(77, end=80),))
    with pytest.raises(StoreError, match="no alarm of 'orbits' 'monitor' was opened"):
        store.commit("orbits", owner, broken)
    assert [point.start_ns for point in store.points("orbits", "monitor")] == [T0]
    assert store.alarms() == []
    assert store.monitors()[0].last_end_ns == T0 + SECOND


def test_a_replayed_window_doubles_nothing(store: Store, owner: Owner) -> None:
    store.claim(MONITOR, owner)
    for text in ("first", "second"):
        store.commit("orbits", owner, commit(1, points=(window(0),), opened=((alarm(0), {"text": text}),)))
    assert len(store.points("orbits", "monitor")) == 1
    (stored,) = store.alarms()
    file = store.alarm(stored.id)
    assert file is not None
    assert file.evidence == {"text": "first"}


def test_alarm_rises_closes_and_is_judged(store: Store, owner: Owner) -> None:
    store.claim(MONITOR, owner)
    evidence = {"sample": np.array([1.0, np.nan]), "interval": (0.1, math.inf), "n": np.int64(3)}
    store.commit("orbits", owner, commit(1, opened=((alarm(5), evidence), (alarm(5, output="beam"), {}))))
    peak = replace(alarm(5), peak_ns=T0 + 7 * SECOND, peak_score=12.5, alarms_per_hour=1e-4, where="b/x")
    store.commit("orbits", owner, commit(2, peaks=(peak,)))
    assert store.alarms(output="monitor")[0].alarm == peak
    assert [count.open for count in store.alarm_counts()] == [1, 1]
    closed = replace(peak, end_ns=T0 + 9 * SECOND)
    store.commit("orbits", owner, commit(3, closed=(closed,)))
    (stored,) = store.alarms(status="closed")
    assert (stored.alarm, stored.is_open, stored.verdict) == (closed, False, None)
    assert [found.alarm.output for found in store.alarms(status="open")] == ["beam"]
    store.add_verdict(stored.id, "unsure", "A")
    store.add_verdict(stored.id, "not real", "B", "cable")
    file = store.alarm(stored.id)
    assert file is not None
    assert file.evidence == {"sample": [1.0, None], "interval": [0.1, None], "n": 3}
    assert file.monitor.lineage == {"model": "m1"}
    assert [(said.verdict, said.who, said.note, said.end_ns) for said in file.verdicts] == [
        ("unsure", "A", "", closed.end_ns),
        ("not real", "B", "cable", closed.end_ns),
    ]
    assert store.verdicts("orbits") == list(file.verdicts)
    assert store.alarms(status="closed")[0].verdict == "not real"
    assert store.verdicts("nobody") == []


def test_alarm_keeps_the_lineage_it_was_opened_under(store: Store, owner: Owner) -> None:
    store.claim(MONITOR, owner)
    store.commit("orbits", owner, commit(1, opened=((alarm(0), {}),)))
    store.claim(replace(MONITOR, lineage={"model": "m2"}), owner)
    file = store.alarm(store.alarms()[0].id)
    assert file is not None
    assert file.monitor.lineage == {"model": "m1"}
    assert store.monitors()[0].monitor.lineage == {"model": "m2"}


def test_alarms_are_paged_by_id(store: Store, owner: Owner) -> None:
    store.claim(MONITOR, owner)
    store.commit("orbits", owner, commit(1, opened=tuple((alarm(k), {}) for k in range(5))))
    newest = store.alarms(limit=2)
    older = store.alarms(limit=10, before=newest[-1].id)
    assert [found.alarm.start_ns for found in (*newest, *older)] == [T0 + k * SECOND for k in (4, 3, 2, 1, 0)]
    assert store.alarms(name="nobody") == []


def test_missing_and_infinite_scores_round_trip(store: Store, owner: Owner) -> None:
    store.claim(MONITOR, owner)
    store.commit("orbits", owner, commit(3, points=(window(0, math.nan), window(1, math.inf), window(2, -1.5))))
    scores = [point.score for point in store.points("orbits", "monitor")]
    assert math.isnan(scores[0])
    assert scores[1:] == [math.inf, -1.5]


def test_thinned_points_keep_every_peak(store: Store, owner: Owner) -> None:
    scores = np.random.default_rng(3).normal(size=5000)
    scores[[17, 4321]] = 50.0, 60.0
    scores[3000:3100] = np.nan
    store.claim(MONITOR, owner)
    store.commit("orbits", owner, commit(5000, points=tuple(window(k, s) for k, s in enumerate(scores))))
    thinned = store.points("orbits", "monitor", at_most=200)
    times = [point.start_ns for point in thinned]
    assert len(thinned) <= 200
    assert times == sorted(times)
    assert {T0 + 17 * SECOND, T0 + 4321 * SECOND} <= set(times)
    inside = store.points("orbits", "monitor", T0 + 10 * SECOND, T0 + 20 * SECOND)
    assert [point.start_ns for point in inside] == [T0 + k * SECOND for k in range(10, 20)]
    assert store.points("orbits", "no such output") == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(1, 70), st.integers(1, 10**17))
def test_thinning_never_loses_the_highest(tmp_path: Path, scores: list[float], at_most: int, step_ns: int) -> None:
    store, owner = Store("sqlite://"), Owner.here()
    store.claim(MONITOR, owner)
    points = [ScoredPoint("monitor", k * step_ns, (k + 1) * step_ns, s, 1.0) for k, s in enumerate(scores)]
    store.commit("orbits", owner, commit(1, points=tuple(points)))
    thinned = store.points("orbits", "monitor", at_most=at_most)
    assert len(thinned) <= max(at_most, 1)
    assert max(point.score for point in thinned) == max(scores)
    store.close()


def test_pruning_takes_old_points_of_one_monitor_only(store: Store, owner: Owner) -> None:
    for name in ("orbits", "pads"):
        store.claim(replace(MONITOR, name=name), owner)
        points = tuple(window(k) for k in range(10))
        store.commit(name, owner, commit(10, points=points, opened=((alarm(0), {}),)))
    assert store.prune_points("orbits", T0 + 6 * SECOND) == 5
    assert [len(store.points(name, "monitor")) for name in ("orbits", "pads")] == [5, 10]
    assert len(store.alarms()) == 2


def test_rate_follows_the_stream(store: Store, owner: Owner) -> None:
    store.claim(MONITOR, owner)
    begin = time.time_ns()
    for second in range(1, 60):
        rate = 10 if second < 30 else 50
        store.commit("orbits", owner, commit(second, samples=rate, heartbeat_ns=begin + second * SECOND))
    assert store.monitors()[0].samples_per_s == pytest.approx(48, abs=2.0)


def test_rate_is_right_where_a_live_source_beats_between_commits(store: Store, owner: Owner) -> None:
    store.claim(MONITOR, owner)
    for second in range(1, 40):
        store.commit("orbits", owner, commit(second, samples=10, passed_s=1.0))
        note_condition(store, "orbits", {"state": "connected"}, owner.token)  # a moment before the next
    assert store.monitors()[0].samples_per_s == pytest.approx(10, abs=0.5)


def test_two_monitors_are_refused_until_the_first_is_gone(store: Store, owner: Owner) -> None:
    store.claim(MONITOR, OTHER)
    with pytest.raises(StoreError, match=rf"two monitors on one store.*process {OTHER.pid} on .*stop that one"):
        store.claim(MONITOR, owner)
    store.claim(replace(MONITOR, name="pads"), owner)
    with store.engine.connect().execution_options(writes=True) as connection, connection.begin():
        old = time.time_ns() - 31 * SECOND
        connection.execute(tables.progress.update().values(heartbeat_ns=old))
    store.claim(MONITOR, owner)
    with pytest.raises(StoreError, match=f"now held by process {owner.pid}.*must stop"):
        store.commit("orbits", OTHER, commit(1))


def test_a_dead_owner_on_this_host_does_not_block(store: Store, owner: Owner) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    store.claim(MONITOR, Owner(owner.host, dead.pid, "gone"))
    store.claim(MONITOR, owner)
    store.claim(replace(MONITOR, name="far"), Owner("another-host", dead.pid, "who knows"))
    with pytest.raises(StoreError, match="another-host"):
        store.claim(replace(MONITOR, name="far"), owner)


def test_locked_store(tmp_path: Path, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOCK_WAIT_S", 0.1)
    path = tmp_path / "watch.db"
    store = Store(f"sqlite:///{path}")
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="is locked by another program: close that program"):
        store.claim(MONITOR, owner)
    other.close()
    store.claim(MONITOR, owner)
    store.close()


def test_full_disk_keeps_what_was_written(tmp_path: Path, owner: Owner) -> None:
    store = Store(f"sqlite:///{tmp_path / 'watch.db'}")
    store.claim(MONITOR, owner)
    store.commit("orbits", owner, commit(1, points=(window(0),)))
    # SQLite's own limit on the file's size raises what a full disk raises.
    sa.event.listen(store.engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=1"))
    with pytest.raises(StoreError, match="the disk is full: free some space"):
        store.commit("orbits", owner, commit(2, points=(window(1),), opened=((alarm(1), {"text": "x" * 10**6}),)))
    store.close()
    again = Store(f"sqlite:///{tmp_path / 'watch.db'}")
    assert [point.start_ns for point in again.points("orbits", "monitor")] == [T0]
    assert again.claim(MONITOR, owner) == commit(1).progress
    again.close()


def test_read_only_store_can_be_read(tmp_path: Path, owner: Owner) -> None:
    path = tmp_path / "watch.db"
    store = Store(f"sqlite:///{path}")
    store.claim(MONITOR, owner)
    read_only = Store(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert [pulse.monitor.name for pulse in read_only.monitors()] == ["orbits"]
    with pytest.raises(StoreError, match="is read-only: give write permission"):
        read_only.claim(MONITOR, owner)
    read_only.close()
    store.close()


def test_verdicts_are_checked(store: Store) -> None:
    with pytest.raises(StoreError, match="'maybe' is not one of real, not real, unsure"):
        store.add_verdict(1, "maybe", "A")
    with pytest.raises(StoreError, match="no alarm 12"):
        store.add_verdict(12, "real", "A")
    assert store.alarm(12) is None
    assert store.monitor("nobody") is None
