"""What a scorer says of a channel that is dead or stuck is the same incident as that it is dead or stuck."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Alarm, AlarmRule, Batch, OpenAlarm, Point, Schema
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.monitor.one_cause import SILENT, Flat, Step, in_words, incidents_of, join, of_output, step
from lynkeus.monitor.parts import parts_of
from lynkeus.monitor.publish.deliver import Delivered
from lynkeus.monitor.publish.forms import Change
from lynkeus.monitor.publish.sink import Publishing
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import WatchSettings, watch
from lynkeus.sources import InMemory

S = 1_000_000_000
NOTHING = Commit(ResumePoint(0, 0))
RULE = AlarmRule(budget_per_hour=1.0, quiet_s=10.0)
STUCK = {"A": (20 * S, 100 * S)}  # from second 20 to 100


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with contextlib.closing(Store(f"sqlite:///{tmp_path}/s.db")) as opened:
        yield opened


def point(second: int, where: str, rate: float = 0.1) -> Point:
    return Point(second * S, (second + 1) * S, 5.0, rate, where)


def silence(opened: dict[str, OpenAlarm], *channels: str, start: int = 20) -> str:
    key = f"{SILENT}/{start}"
    alarm = Alarm(SILENT, start * S, start * S, float(len(channels)), 0.1, ", ".join(channels))
    opened[key] = OpenAlarm(alarm, start * S, None, channels)
    return key


def run(
    opened: dict[str, OpenAlarm], wheres: dict[int, str], seconds: range, flat: Flat, quiet: bool = False
) -> list[Step]:
    points = [point(at, wheres[at]) if at in wheres else point(at, "B", 9.0) for at in seconds]
    return [step(RULE, opened, one, "monitor", flat, lambda names: quiet and list(names) == ["A"]) for one in points]


def test_the_first_is_the_incident_and_lasts_as_long_as_the_channel_is_stuck() -> None:
    opened: dict[str, OpenAlarm] = {}
    steps = run(opened, dict.fromkeys(range(21, 26), "A"), range(26), {})
    assert [one.opened.start_ns for one in steps if one.opened] == [21 * S]
    parts = join(opened, silence(opened, "A"), NOTHING)
    assert parts == [((SILENT, 20 * S), ("monitor", 21 * S))]
    assert [state.alarm.where for state in incidents_of(opened)] == ["A"]
    assert in_words(opened) == "monitor + silent A"
    # The scorer has nothing more to say of it from second 26 on; another channel fails meanwhile, and is another alarm.
    steps = run(opened, {70: "B"}, range(26, 100), STUCK)
    assert [one.opened.where for one in steps if one.opened] == ["B"]
    assert [one.parts for one in steps if one.parts] == []
    assert [one.where for later in steps for one in later.closed] == ["B"]
    assert of_output(opened, "monitor") is not None
    opened.pop(f"{SILENT}/20")
    (over,) = [one for later in run(opened, {}, range(100, 120), {}) for one in later.closed]
    assert (over.where, over.start_ns) == ("A", 21 * S)
    assert 98 * S <= over.end_ns <= 100 * S  # type: ignore[operator]
    assert not opened


def test_what_comes_later_is_a_part_of_it_until_that_is_over() -> None:
    opened: dict[str, OpenAlarm] = {}
    assert join(opened, silence(opened, "A"), NOTHING) == []
    wheres = dict.fromkeys(range(50, 104), "A") | {60: "C"}
    steps = run(opened, wheres, range(30, 100), STUCK)
    assert [(one.opened.where, one.parts) for one in steps if one.opened] == [
        ("A", [(("monitor", 50 * S), (SILENT, 20 * S))]),
        ("C", []),
    ]
    del opened[f"{SILENT}/20"]  # it moves again; the baseline of the scorer has yet to follow
    after = run(opened, wheres, range(100, 130), STUCK)
    assert not [one for one in after if one.opened]
    assert [one.where for later in after for one in later.closed] == ["A"]


def test_a_channel_that_moves_again_may_fail_in_another_way() -> None:
    opened: dict[str, OpenAlarm] = {}
    silence(opened, "A", "B")
    both = {"A": (20 * S, 30 * S), "B": (20 * S, 500 * S)}
    steps = run(opened, dict.fromkeys((25, 200), "A") | dict.fromkeys(range(180, 210), "B"), range(20, 220), both)
    told = [(one.opened.start_ns // S, bool(one.parts)) for one in steps if one.opened]
    assert told == [(25, True), (180, True)]
    assert [one for one in run(opened, {230: "A"}, range(220, 240), both) if one.opened and not one.parts]


def test_a_window_that_is_good_without_what_is_stuck_is_explained_by_that_wherever_it_points() -> None:
    opened: dict[str, OpenAlarm] = {}
    join(opened, silence(opened, "A"), NOTHING)
    steps = run(opened, dict.fromkeys(range(50, 60), "B"), range(40, 70), STUCK, quiet=True)
    assert [one.parts for one in steps if one.opened] == [[(("monitor", 50 * S), (SILENT, 20 * S))]]
    opened = {}
    run(opened, dict.fromkeys(range(21, 26), "B"), range(26), {})
    other = dict(opened)
    assert join(other, silence(other, "A"), NOTHING) == []
    parts = join(opened, silence(opened, "A"), NOTHING, explained=lambda output: output == "monitor")
    assert parts == [((SILENT, 20 * S), ("monitor", 21 * S))]
    assert {state.alarm.where for state in opened.values()} == {"A"}  # what is stuck, not what looks odd beside it
    run(opened, dict.fromkeys(range(30, 40), "C"), range(26, 45), STUCK, quiet=True)
    assert {state.alarm.where for state in opened.values()} == {"A"}


def machine(rows: int, seed: int) -> Batch:
    """Six channels that see two motions, at 10 Hz."""
    noise, mix = np.random.default_rng(seed), np.random.default_rng(0).normal(size=(2, 6))
    slow = [np.convolve(noise.normal(size=rows + 49), np.full(50, 0.15), "valid"), np.sin(np.arange(rows) / 400)]
    values = np.transpose(slow) @ mix + 0.3 * noise.normal(size=(rows, 6))
    schema = Schema("table", tuple(f"C{number}" for number in range(6)), ("mm",), (6,), 10.0)
    return Batch(schema, values.astype(np.float32), np.arange(1, rows + 1) * 10**8)


@pytest.mark.parametrize("scorer", ["mahalanobis", "pca_residual", "isolation_forest", "orbit"])
def test_a_stuck_channel_is_one_incident_for_every_scorer(store: Store, scorer: str) -> None:
    rows = machine(2200, 3)
    values = rows.values.copy()
    values[1000:1800, 3] = 4.0  # where it may be
    fitted = fit(InMemory(machine(4000, 1), 500), FitSettings(scorer, window=10))
    done = watch(fitted, InMemory(rows.with_values(values), 500), store, WatchSettings(rule=AlarmRule(3.0)))
    began, ended = 100 * S, 180 * S
    during = [one for one in store.alarms() if began - S <= one.alarm.start_ns < ended]
    (incident,) = [one for one in during if SILENT in (one.alarm.output, *one.also)]
    assert incident.alarm.where == "C3"
    assert incident.alarm.end_ns is not None
    assert abs(incident.alarm.end_ns - ended) <= 2 * S
    assert [one for one in during if one.alarm.where == "C3"] == [incident]
    assert done.alarms == len(store.alarms())
    (part,) = [file.stored.alarm for file in parts_of(store, incident.id) if file.stored.alarm.output == SILENT] or [
        incident.alarm
    ]
    assert abs(part.start_ns - began) <= 2 * S


def test_an_alarm_goes_on_in_the_next_source_but_not_long_after(store: Store, tmp_path: Path) -> None:
    rows = machine(1200, 3)
    values = rows.values.copy()
    values[500:900, 3] += 6.0
    rows, settings = rows.with_values(values), WatchSettings("pumps", rule=AlarmRule(3.0))
    fitted = fit(InMemory(machine(4000, 1), 500), FitSettings("mahalanobis", window=10))
    sink = Delivered(f"elog+file://{tmp_path}/elog")
    sink.begin(Publishing(fitted, settings.rule, store, settings.name, "Rows", print))
    for stop in (700, 705, 1200):  # 705: not even a window
        watch(fitted, InMemory(rows[:stop], 500), store, settings)
        assert not store.alarms(status="open")
    sink.close()
    (one,) = store.alarms()
    assert [pulse.monitor.title for pulse in store.monitors()] == ["pumps"]
    assert one.alarm.end_ns is not None
    assert abs(one.alarm.end_ns - 90 * S) <= 2 * S
    said = [path.read_text().partition("\n")[0] for path in (tmp_path / "elog").glob("*.txt")]
    assert len([line for line in said if "C3, open since" in line]) == 1
    assert len([line for line in said if "C3 goes on, open since" in line]) == 1
    assert len([line for line in said if "over after" in line]) == 2
    assert rows.time_ns is not None
    later = Batch(rows.schema, rows.values[480:700], rows.time_ns[480:700] + 7200 * S)
    watch(fitted, InMemory(later, 500), store, settings)
    assert [found.id == one.id for found in store.alarms()] == [False, True]
    assert store.alarms()[1].alarm == one.alarm


def test_it_is_carried_over_a_restart_as_plain_json() -> None:
    opened: dict[str, OpenAlarm] = {}
    run(opened, {21: "A"}, range(25), {})
    join(opened, silence(opened, "A"), NOTHING)
    again = {key: OpenAlarm.of(json.loads(json.dumps(asdict(state)))) for key, state in opened.items()}
    assert again == opened
    earlier = {"alarm": asdict(opened[f"{SILENT}/20"].alarm), "last_high_ns": 3}
    assert OpenAlarm.of(earlier) == OpenAlarm(opened[f"{SILENT}/20"].alarm, 3)


def test_the_store_counts_and_lists_incidents_and_keeps_their_parts(store: Store) -> None:
    owner, first = Owner.here(), Alarm("monitor", 21 * S, 22 * S, 9.0, 0.1, "A")
    later, other = Alarm(SILENT, 20 * S, 20 * S, 1.0, 0.5, "A"), Alarm("beam", 23 * S, 23 * S, 7.0, 0.2, "A")
    text = {"text": "A has the same value again and again.", "evidence": [1.0]}
    store.claim(Monitor("m", outputs=("monitor", "beam")), owner)
    store.commit("m", owner, Commit(ResumePoint(1, 1), opened=((first, text), (other, text))))
    whole = (first.output, first.start_ns)
    parts = tuple(((one.output, one.start_ns), whole) for one in (later, other))
    unknown = ((("beam", 3), whole),)
    store.commit("m", owner, Commit(ResumePoint(2, 2), opened=((later, text),), parts=parts + parts + unknown))
    (incident,) = store.alarms("m")
    assert (incident.alarm.output, incident.also, incident.part_of) == ("monitor", ("beam", SILENT), None)
    assert [(one.output, one.open, one.total) for one in store.alarm_counts()] == [("monitor", 1, 1)]
    assert [file.stored.part_of for file in parts_of(store, incident.id)] == [incident.id] * 2
    assert [one.alarm.output for one in store.alarms("m", output=SILENT)] == [SILENT]
    assert store.like(incident, 60.0)[1] == []
    assert parts_of(store, incident.id)[0].said


def test_what_is_sent_says_both_and_that_good_data_never_do_it() -> None:
    change = Change("m", "Orbits", "monitor", 1, 20 * S, None, "A", 9.0, 0.1, (SILENT,))
    assert change.words() == (
        "Orbits: monitor, dead or stuck A, open since 1970-01-01 00:00:20 UTC; good data does this never"
    )
    assert change.fields()["also"] == (SILENT,)
