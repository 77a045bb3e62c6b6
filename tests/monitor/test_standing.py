"""What stands in a store: a monitor that stays off and a moved orbit are listed, masked channels say nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.core import Batch, SettingsError, Standing, StoreError, concatenate
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor import standing as standing_module
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint
from lynkeus.monitor.standing import (
    Maintenance,
    acknowledge,
    add_maintenance,
    changes,
    list_standing,
    maintenance_of,
    matching,
    stood_last,
)
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import WatchSettings, watch
from lynkeus.simulate.beam.orbit import OrbitSource, machine
from lynkeus.sources import InMemory

SECOND = 10**9
OFF, START = 40, 900  # the channel that is off from this row on
NAME = machine().names[OFF]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'watch.db'}")
    yield store
    store.close()


@pytest.fixture(scope="module")
def steered() -> Batch:
    """Five minutes: one monitor is off by three jitters from row 900 on, the whole orbit moves at row 1800."""
    rows = concatenate(list(OrbitSource(hours=0.084, seed=21)))
    values = np.array(rows.values)
    values[START:, OFF] += 3.0 * machine().jitter[OFF]
    values[1800:] += 6.0 * machine().kicks[120]
    return rows.with_values(values.astype(np.float16).astype(np.float32))


def events(store: Store) -> dict[str, Any]:
    return {one.standing.state: one for one in list_standing(store, WatchSettings().name)}


def test_what_lasts_is_one_alarm_and_then_stands(fitted: Fitted, steered: Batch, store: Store) -> None:
    done = watch(fitted, InMemory(steered, 700), store, WatchSettings())
    assert steered.time_ns is not None
    stands, moved = events(store)["standing"].standing, events(store)["moved"].standing
    assert stands.where == NAME
    assert "stands off by" in stands.says
    assert abs(stands.since_ns - int(steered.time_ns[START])) <= 15 * SECOND
    assert abs(moved.since_ns - int(steered.time_ns[1800])) <= 15 * SECOND
    assert moved.since_ns < moved.until_ns <= int(steered.time_ns[1800]) + 120 * SECOND
    assert done.standing
    assert {one.where for one in done.standing} >= {NAME}
    of_it = [stored.alarm for stored in store.alarms(output="monitor") if stored.alarm.where == NAME]
    assert len(of_it) == 1
    assert of_it[0].end_ns is not None
    assert of_it[0].end_ns - of_it[0].start_ns <= 60 * SECOND


def test_a_masked_channel_is_listed_with_its_reason_and_says_nothing(
    fitted: Fitted, steered: Batch, store: Store
) -> None:
    add_maintenance(store, [Maintenance(WatchSettings().name, NAME, 0, "cable", "me")])
    watch(fitted, InMemory(steered[:1700], 700), store, WatchSettings())
    masked = events(store)["maintenance"]
    assert masked.standing.where == NAME
    assert steered.time_ns is not None
    assert masked.standing.since_ns == steered.time_ns[0]
    assert masked.reason == "cable"
    assert not [stored for stored in store.alarms() if stored.alarm.where == NAME]


def test_a_mask_ends_at_its_time(fitted: Fitted, steered: Batch, store: Store) -> None:
    assert steered.time_ns is not None
    add_maintenance(store, [Maintenance(WatchSettings().name, NAME, int(steered.time_ns[600]), "cable", "me")])
    watch(fitted, InMemory(steered[:1700], 700), store, WatchSettings())
    assert "maintenance" not in events(store)
    assert [stored for stored in store.alarms() if stored.alarm.where == NAME]


def test_a_restart_goes_on_with_what_stands(fitted: Fitted, steered: Batch, store: Store) -> None:
    for stop in (1500, 2000, len(steered)):
        watch(fitted, InMemory(steered[:stop], 700), store, WatchSettings())
    assert len([one for one in stood_last(store, WatchSettings().name) if one.where == NAME]) == 1


def write(store: Store, rows: list[dict[str, Any]]) -> None:
    owner = Owner.here()
    store.claim(Monitor("m", outputs=("monitor",)), owner)
    store.commit("m", owner, Commit(ResumePoint(1, 1), standing=tuple(rows)))
    store.release("m", owner)


def test_the_list_follows_the_rows_and_what_people_said(store: Store) -> None:
    one, two = Standing("monitor", "a", "standing", 5, says="a is off"), Standing("beam", "", "moved", 6, 7, "moved")
    write(store, changes([], [one, two], 10))
    assert [row.standing for row in list_standing(store, "m")] == [one, two]
    further = one._replace(says="a is further off")
    write(store, changes([one, two], [further], 20))
    assert [row.standing for row in list_standing(store, "m")] == [further]
    over = [row for row in list_standing(store, "m", acknowledge=True) if row.over_ns]
    assert [(row.standing, row.over_ns) for row in over] == [(two, 20)]
    assert stood_last(store, "m") == (further,)
    acknowledge(store, over[0].id, "me")
    assert [row.standing for row in list_standing(store, "m", acknowledge=True)] == [further]
    with pytest.raises(StoreError, match="nothing stands under the number 99"):
        acknowledge(store, 99, "me")


def test_the_list_is_made_anew_only_where_something_was_appended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    listed = standing_module._listed
    monkeypatch.setattr(standing_module, "_listed", lambda *of: (made.append("anew"), listed(*of))[1])
    one = Standing("monitor", "a", "maintenance", 5, says="a is masked")
    write(store, changes([], [one], 10))
    first, again = list_standing(store, "m"), list_standing(store, "m")
    assert (first, len(made)) == (again, 1)
    add_maintenance(store, [Maintenance("m", "a", 0, "cable", "me")])
    assert list_standing(store, "m")[0].reason == "cable"
    acknowledge(store, first[0].id, "me")
    assert list_standing(store, "m") == []
    assert len(made) == 3


def test_the_latest_entry_of_a_channel_holds(store: Store) -> None:
    now = time.time_ns()
    entry = Maintenance("m", "a", now + SECOND, "cable", "me")
    add_maintenance(store, [entry, replace(entry, channel="b", until_ns=0)])
    assert {one.channel for one in maintenance_of(store, "m", now)} == {"a", "b"}
    assert {one.channel for one in maintenance_of(store, "m", now + SECOND)} == {"b"}
    add_maintenance(store, [replace(entry, channel="b", until_ns=now)])
    assert {one.channel for one in maintenance_of(store, "m", now)} == {"a"}
    with pytest.raises(StoreError, match="needs a reason"):
        add_maintenance(store, [replace(entry, reason=" ")])


def test_patterns_mean_channels() -> None:
    assert matching(["a*", "b/x"], ["a/x", "a/y", "b/x"]) == ["a/x", "a/y", "b/x"]
    with pytest.raises(SettingsError, match="no channel of this model is called so"):
        matching(["c*"], ["a/x"])
