"""The channels of an alarm over time: enough before and after it, none twice, also over a restart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Alarm, Floats, OpenAlarm
from lynkeus.monitor import traces
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint, TracePart
from lynkeus.monitor.store import Store
from lynkeus.monitor.traces import Follower, trace_of

NAMES = tuple(f"c{k}" for k in range(9))
ALARM = Alarm("anomaly", 500, 500, 9.0, 0.1, "c3")
EVIDENCE = {"evidence": [0.0, 1.0, float("nan"), 9.0, -5.0, 2.0, 0.1, 0.2, 0.3]}


@pytest.fixture
def rows() -> Floats:
    return np.random.default_rng(1).normal(size=(1500, 9)).astype(np.float32)


def walk(rows: Floats, restart_at: int | None = None, length: int = 60) -> list[TracePart]:
    """Windows 1 ns apart in commits of some; an alarm is open from 500 to 700."""
    follower, parts = Follower(), []
    for start in range(0, len(rows), length):
        time_ns = np.arange(start, min(start + length, len(rows)))
        opened = [(ALARM, EVIDENCE)] if ALARM.start_ns in time_ns else []
        still = {"anomaly": OpenAlarm(ALARM, 700)} if start <= ALARM.start_ns or start < 700 else {}
        still = still if time_ns[-1] >= ALARM.start_ns else {}
        parts += follower.move(time_ns, rows[time_ns], opened, still, NAMES)
        if restart_at is not None and start <= restart_at < start + length:
            arrays = follower.state(whole=True) | {"recent": np.zeros(3)}  # of a scorer
            follower = Follower.take(arrays)
            assert list(arrays) == ["recent"]
    return parts


@pytest.mark.parametrize("restart_at", [None, 400, 560, 800])
def test_it_goes_from_before_the_alarm_to_after_it(rows: Floats, restart_at: int | None) -> None:
    parts = walk(rows, restart_at)
    times = [at for part in parts for at in part.time_ns]
    assert times == list(range(times[0], times[-1] + 1))  # none twice, none left out
    assert times[0] <= ALARM.start_ns - traces.AROUND + 60
    assert 700 + traces.AROUND <= times[-1] <= 700 + traces.AROUND + 60
    assert {part.channels for part in parts} == {("c3", "c4", "c5", "c1", "c8", "c7")}  # the strongest first
    np.testing.assert_array_equal(np.concatenate([part.values for part in parts]), rows[times][:, [3, 4, 5, 1, 8, 7]])


def test_an_alarm_that_never_ends_is_not_followed_for_ever(rows: Floats) -> None:
    follower, kept = Follower(), 0
    for start in range(0, 6000, 60):
        time_ns = np.arange(start, start + 60)
        opened = [(ALARM, EVIDENCE)] if start == 480 else []
        still = {"anomaly": OpenAlarm(ALARM, 9999)} if start >= 480 else {}
        parts = follower.move(time_ns, rows[:60], opened, still, NAMES)
        kept += sum(len(part.time_ns) for part in parts)
    assert traces.LONGEST <= kept < traces.LONGEST + 60
    assert follower.followed == []


def test_a_fit_with_other_channels_begins_afresh(rows: Floats) -> None:
    follower = Follower()
    follower.move(np.arange(60), rows[:60], [], {}, NAMES)
    (part,) = follower.move(
        np.arange(500, 560), rows[:60, :4], [(ALARM, {"evidence": [0.0, 1.0, 2.0, 3.0]})], {}, "abcd"
    )
    assert part.time_ns == tuple(range(500, 560))
    assert part.channels == ("d", "c", "b", "a")


def test_a_trace_is_read_as_it_was_committed(tmp_path: Path) -> None:
    store, owner = Store(f"sqlite:///{tmp_path / 'watch.db'}"), Owner.here()
    store.claim(Monitor("m", outputs=("anomaly",)), owner)
    first = TracePart("anomaly", 500, ("a", "b"), (1, 2), np.array([[1.0, np.nan], [1e-8, 3.0]]))
    later = TracePart("anomaly", 500, ("a", "b"), (3,), np.array([[5.0, 6.0]]))
    store.commit("m", owner, Commit(ResumePoint(1, 2), opened=((ALARM, {}),), traces=(first,)))
    store.commit("m", owner, Commit(ResumePoint(3, 3), traces=(later,)))
    found = trace_of(store, 1)
    assert found is not None
    assert (found.channels, found.time_ns.tolist()) == (("a", "b"), [1, 2, 3])
    np.testing.assert_array_equal(found.values, [[1.0, np.nan], [1e-8, 3.0], [5.0, 6.0]])
    assert trace_of(store, 2) is None
    store.close()
