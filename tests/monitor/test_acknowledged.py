"""Who sees to an alarm, and which alarms are like it: on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Alarm, StoreError
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint, TracePart
from lynkeus.monitor.store import Store
from lynkeus.monitor.traces import trace_of

SECOND = 10**9
T0 = 1_700_000_000 * SECOND


def alarm(second: int, where: str = "a", output: str = "anomaly") -> Alarm:
    return Alarm(output, T0 + second * SECOND, T0 + second * SECOND, 9.0, 0.1, where)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Four alarms of one output, one of another, and one of another monitor at the same second."""
    store, owner = Store(store_url), Owner.here()
    store.claim(Monitor("m", outputs=("anomaly", "other"), masks=True), owner)
    opened = [alarm(0), alarm(100), alarm(200, "b"), alarm(300), alarm(130, output="other")]
    trace = TracePart("anomaly", opened[1].start_ns, ("a",), (1, 2), np.array([[1.0], [np.nan]]))
    closed = tuple(replace(one, end_ns=one.start_ns + 5 * SECOND) for one in opened[:-2])
    every = tuple((one, {}) for one in opened)
    store.commit("m", owner, Commit(ResumePoint(1, 1), (), every, (), closed, traces=(trace,)))
    store.claim(Monitor("n"), owner)
    store.commit("n", owner, Commit(ResumePoint(1, 1), opened=((alarm(101), {}),)))
    yield store
    store.close()


def test_alarms_like_one_are_of_its_output_and_place(store: Store) -> None:
    found = {one.alarm.start_ns - T0: one for one in store.alarms("m", "anomaly")}
    same, beside = store.like(found[100 * SECOND], around_s=40.0)
    assert [one.alarm.start_ns - T0 for one in same] == [0, 300 * SECOND]  # earlier ones first
    assert [(one.monitor, one.alarm.output) for one in beside] == [("n", "anomaly"), ("m", "other")]
    assert store.like(found[200 * SECOND], around_s=1.0) == ([], [])


def test_an_alarm_is_acknowledged_and_that_is_no_verdict(store: Store) -> None:
    first = store.alarms("m")[-1]
    store.acknowledge(first.id, "me", "on my way")
    store.acknowledge(first.id, "you")
    (seen,) = [one for one in store.alarms("m") if one.seen_by]
    assert (seen.id, seen.seen_by, seen.verdict) == (first.id, "you", None)
    file = store.alarm(first.id)
    assert file is not None
    assert [(one.who, one.note) for one in file.seen] == [("me", "on my way"), ("you", "")]
    assert (file.verdicts, file.monitor.masks) == ((), True)
    with pytest.raises(StoreError, match="no alarm 999 in"):
        store.acknowledge(999, "me")


def test_a_trace_is_of_its_alarm(store: Store) -> None:
    traces = [trace_of(store, one.id) for one in store.alarms("m", "anomaly")]
    (found,) = [trace for trace in traces if trace is not None]
    assert (found.channels, found.time_ns.tolist(), found.values[0, 0]) == (("a",), [1, 2], 1.0)


def test_a_store_that_was_moved_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "watch.db"
    store, owner = Store(f"sqlite:///{path}"), Owner.here()
    store.claim(Monitor("m"), owner)
    path.rename(tmp_path / "elsewhere.db")
    for use in (lambda: store.commit("m", owner, Commit(ResumePoint(1, 1))), store.monitors, store.check):
        with pytest.raises(StoreError, match="was moved or deleted: put it back"):
            use()
    (tmp_path / "elsewhere.db").rename(path)
    store.commit("m", owner, Commit(ResumePoint(1, 1)))
    store.check()
    store.close()
