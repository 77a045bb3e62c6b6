"""The watch loop: alarms in time and place, and killed or interrupted anywhere it goes on as if nothing had been."""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.core import Alarm, AlarmRule, Batch, CalibrationError, SchemaError, StoreError, concatenate
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor import watch as watching
from lynkeus.monitor.records import ScoredPoint
from lynkeus.monitor.store import Store
from lynkeus.monitor.traces import trace_of
from lynkeus.monitor.unseen import NewRows
from lynkeus.monitor.watch import Watched, WatchSettings, watch
from lynkeus.simulate.beam.orbit import OrbitSource
from lynkeus.sources import InMemory, open_source
from lynkeus.sources.wrappers.time_order import Ordered

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

SECOND = 10**9
SETTINGS = WatchSettings()


class StopError(Exception):
    """Stands for Ctrl-C at a chosen commit."""


def everything(store: Store) -> tuple[list[ScoredPoint], list[Alarm], list[dict[str, Any]], int, int]:
    """All that a monitor left behind: points, alarms with their evidence, samples, missed."""
    points = [point for output in ("monitor", "beam") for point in store.points("monitor", output, at_most=10**6)]
    stored = sorted(store.alarms(limit=10**6), key=lambda found: (found.alarm.output, found.alarm.start_ns))
    files = [store.alarm(found.id) for found in stored]
    pulse = store.monitors()[0]
    told = [{"text": file.evidence["text"], "sample": file.evidence["sample"]} for file in files if file is not None]
    return points, [found.alarm for found in stored], told, pulse.samples, pulse.missed


def assert_same(one: Store, other: Store) -> None:
    """Times, places and verdicts exactly; scores to single precision, as batches of other sizes round otherwise."""
    mine, theirs = everything(one), everything(other)
    for left, right in ((mine[0], theirs[0]), (mine[1], theirs[1])):
        assert [_exact(item) for item in left] == [_exact(item) for item in right]
    scores = [
        np.array([point.score for point in found[0]] + [a.peak_score for a in found[1]]) for found in (mine, theirs)
    ]
    np.testing.assert_allclose(*scores, rtol=1e-3, atol=0.02)
    np.testing.assert_allclose([t["sample"] for t in mine[2]], [t["sample"] for t in theirs[2]])
    assert mine[3:] == theirs[3:]


def _exact(item: ScoredPoint | Alarm) -> tuple[Any, ...]:
    if isinstance(item, Alarm):
        return item.output, item.start_ns, item.end_ns, item.peak_ns, item.where
    return item.output, item.start_ns, item.end_ns, np.isnan(item.score)


def gappy(path: Path) -> Batch:
    """The later minutes with gaps, partial windows, duplicate times, a silence and times that jitter."""
    rows = concatenate(list(open_source(path, "xfel_orbits")))
    values = rows.values.copy()
    values[1000:1040] = np.nan
    assert rows.time_ns is not None
    jitter = np.random.default_rng(2).integers(-20_000_000, 20_000_000, len(rows))
    rows = replace(rows, values=values, time_ns=rows.time_ns + jitter)
    kept = np.delete(np.arange(len(rows)), np.r_[307, 655:660, 900:1000, 1803, 2004:2200, 2203:2300])
    return rows[np.sort(np.append(kept, [50, 51, 1500]))]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = Store(f"sqlite:///{tmp_path / 'watch.db'}")
    yield store
    store.close()


@pytest.fixture(scope="module")
def whole(orbits: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The later minutes as one watch sees them that nothing interrupts."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('whole') / 'whole.db'}")
    watch(Fitted.load(orbits.model), open_source(orbits.later, "xfel_orbits"), store, SETTINGS)
    yield store
    store.close()


def test_alarms_open_within_a_window_and_a_second_and_name_the_place(fitted: Fitted, orbits: Any, whole: Store) -> None:
    alarms = [stored.alarm for stored in whole.alarms()]
    start_ns = concatenate(list(open_source(orbits.later, "xfel_orbits"))).time_ns[0]
    for output, row, length in (("monitor", 603, 100), ("beam", 1800, 100)):
        began, ended = start_ns + row * SECOND // 10, start_ns + (row + length) * SECOND // 10
        (alarm,) = [a for a in alarms if a.output == output and began - SECOND <= a.start_ns < ended]
        assert alarm.start_ns + SECOND <= began + 2 * SECOND  # the end of its first window
        assert alarm.end_ns is not None
        assert abs(alarm.end_ns - ended) <= 2 * SECOND
        assert alarm.start_ns <= alarm.peak_ns < alarm.end_ns
        if output == "monitor":
            assert alarm.where == fitted.view.schema.names[40]
    assert len(alarms) <= 4  # an interval each, not one row per window
    pulse = whole.monitors()[0]
    assert (pulse.samples, pulse.missed, pulse.finished) == (3600, 0, True)
    assert time.time_ns() - pulse.heartbeat_ns < 600 * SECOND
    assert len(whole.points("monitor", "beam")) == 360


@contextlib.contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """No file grows to more than a little beyond what the store has: SQLite is refused as by a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    sizes = [file.stat().st_size for file in path.parent.glob(f"{path.name}*")]
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(sizes) + 8192, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def clock_jumps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clock of this machine is set an hour back."""
    real_ns = time.time_ns
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: real_ns() - 3600 * SECOND)
        yield


@pytest.mark.parametrize("stride", [0, 5])
def test_interrupted_anywhere_it_goes_on_as_if_nothing_had_been(
    orbits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    monkeypatch.setattr(watching, "COMMIT_WINDOWS", 8)
    settings = FitSettings("orbit", window=10, stride=stride)
    fitted = fit(open_source(orbits.good, "xfel_orbits"), settings) if stride else Fitted.load(orbits.model)
    source = Ordered(InMemory(gappy(orbits.later), 1000))
    whole = Store(f"sqlite:///{tmp_path / 'whole.db'}")
    watch(fitted, source, whole, SETTINGS)
    pieces = Store(f"sqlite:///{tmp_path / 'pieces.db'}")
    rng, stops, full, finished = np.random.default_rng(4), 0, 0, False
    no_trouble = contextlib.nullcontext()
    while not finished:
        left = int(rng.integers(1, 6))

        def tick(run: Watched, left: int = left) -> None:
            if run.windows >= 8 * left:
                raise StopError

        trouble = (no_trouble, full_disk(tmp_path / "pieces.db"), clock_jumps(monkeypatch))[stops % 3]
        try:
            with trouble:
                watch(fitted, source, pieces, SETTINGS, tick)
            finished = True
        except (StopError, StoreError) as stop:
            full += isinstance(stop, StoreError)
            stops += 1
            assert not pieces.monitors()[0].finished
    assert stops > 5
    assert full >= 1
    assert_same(whole, pieces)
    assert everything(whole)[4] > 100
    whole.close()
    pieces.close()


@pytest.mark.slow(5)
def test_killed_at_random_moments(orbits: Any, store_url: str, whole: Store) -> None:
    command = [sys.executable, "-m", "lynkeus", "watch", str(orbits.model), str(orbits.later), "--store", store_url]
    pieces = Store(store_url)
    for share in (0.17, 0.52) if store_url.startswith("sqlite") else (0.52,):  # while alarms are open
        with subprocess.Popen([*command, "--replay", "500"], stderr=subprocess.DEVNULL) as running:
            while running.poll() is None and _windows(pieces) < share * 360:
                time.sleep(0.02)
            running.kill()
    assert 0 < _windows(pieces) < 360
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    assert_same(whole, pieces)
    pieces.close()


def _windows(store: Store) -> int:
    pulses = store.monitors()
    return pulses[0].samples // 10 if pulses else 0


@pytest.mark.slow(3)
def test_ctrl_c_stops_cleanly_and_lets_go(orbits: Any, store: Store, tmp_path: Path) -> None:
    words = ["watch", orbits.model, orbits.later, "--store", f"sqlite:///{tmp_path / 'watch.db'}", "--replay", "10"]
    with subprocess.Popen(
        [sys.executable, "-m", "lynkeus", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as running:
        while running.poll() is None and _windows(store) < 3:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=20)
    assert (running.returncode, said) == (0, "stopped; everything that was committed is kept\n")
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT token, finished FROM progress").one() == ("", 0)


def test_replay_speed_is_honoured(fitted: Fitted, orbits: Any, store: Store) -> None:
    minute = concatenate(list(open_source(orbits.good, "xfel_orbits")))[:600]
    begun = time.monotonic()
    watch(fitted, InMemory(minute), store, replace(SETTINGS, speed=100.0))
    assert 0.55 < time.monotonic() - begun < 1.9


def test_messages_are_told_once_and_nothing_new_is_said(fitted: Fitted, orbits: Any, store: Store) -> None:
    source = Ordered(InMemory(gappy(orbits.later)))
    done = watch(fitted, source, store, SETTINGS)
    assert sum("samples were missed" in line for line in done.messages) == 1
    before = everything(store)
    again = watch(fitted, source, store, SETTINGS)
    assert (again.windows, again.alarms) == (0, 0)
    assert again.messages[-1].startswith("nothing new: this monitor has seen all until 2022-02-25 00:")
    assert everything(store) == before


def test_a_model_that_was_fitted_again_starts_afresh(fitted: Fitted, orbits: Any, store: Store) -> None:
    rows = concatenate(list(open_source(orbits.later, "xfel_orbits")))
    watch(fitted, InMemory(rows[:2000]), store, SETTINGS)
    other = fit(open_source(orbits.good, "xfel_orbits"), FitSettings("three_sigma", window=10))
    watch(other, InMemory(rows[:3000]), store, SETTINGS)  # no state, other outputs
    again = fit(Ordered(InMemory(rows[:1800])), FitSettings("orbit", window=10))
    assert watch(again, InMemory(rows), store, SETTINGS).windows == 60
    assert len(store.points("monitor", "anomaly")) == 100


def test_nothing_is_written_for_what_cannot_be_watched(fitted: Fitted, orbits: Any, store: Store) -> None:
    rare = replace(SETTINGS, rule=AlarmRule(budget_per_hour=1e-5))
    with pytest.raises(CalibrationError, match=r"cannot be supported by 0\.20 h of reference"):
        watch(fitted, open_source(orbits.later, "xfel_orbits"), store, rare)
    batch = concatenate(list(open_source(orbits.later, "xfel_orbits")))
    renamed = replace(batch.schema, names=(*batch.schema.names[:-1], "other"))
    with pytest.raises(SchemaError, match="1 missing"):
        watch(fitted, InMemory(batch.with_values(batch.values, renamed)), store, SETTINGS)
    assert store.monitors() == []


def test_a_channel_that_is_missing_is_an_alarm_of_its_own(fitted: Fitted, orbits: Any, store: Store) -> None:
    batch = concatenate(list(open_source(orbits.later, "xfel_orbits")))[:1200]
    gone = batch.schema.names[-1]
    fewer = replace(batch.schema, names=batch.schema.names[:-1], shape=(205,))
    run = watch(fitted, InMemory(batch.with_values(batch.values[:, :-1], fewer)), store, SETTINGS)
    (silent,) = store.alarms(output="silent")
    assert silent.alarm.where == gone
    assert batch.time_ns is not None
    assert silent.alarm.start_ns == batch.time_ns[0]
    assert not silent.is_open
    assert any(line.startswith(f"{gone} has no values in") for line in run.messages)
    known = store.alarm(silent.id)
    assert known is not None
    assert "no values" in known.evidence["text"]
    assert known.evidence["top"][0]["channel"] == gone


def test_memory_of_missed_samples_is_exact() -> None:
    batch = next(iter(OrbitSource(hours=0.01)))
    kept = batch[np.delete(np.arange(360), np.r_[100:110, 205:206])]
    assert kept.time_ns is not None
    rows = NewRows(InMemory(kept, 64), int(batch.time_ns[98]))  # type: ignore[index]
    assert sum(map(len, rows)) == 360 - 11 - 99
    assert rows.missed_until(int(batch.time_ns[204])) == 10  # type: ignore[index]
    assert rows.missed_until(int(batch.time_ns[206])) == 1  # type: ignore[index]
    assert rows.missed_until(int(batch.time_ns[359])) == 0  # type: ignore[index]


def test_a_stuck_channel_is_one_alarm_as_long_as_it_is_stuck_however_often_the_source_ends(
    fitted: Fitted, orbits: Any, store: Store, tmp_path: Path
) -> None:
    batch = concatenate(list(open_source(orbits.later, "xfel_orbits")))[:3000]
    values = batch.values.copy()
    values[600:2200, 7] = values[600, 7]
    values[1500:, 9] = np.nan
    rows = batch.with_values(values)
    told: list[int] = []
    for stop in (700, 1100, 1900, 3000):
        done = watch(fitted, InMemory(rows[:stop], 700), store, SETTINGS)
        told.append(done.alarms)
        assert not store.alarms(status="open")
    assert batch.time_ns is not None
    names, said = batch.schema.names, sorted(store.alarms(output="silent"), key=lambda one: one.alarm.start_ns)
    assert [one.alarm.where for one in said] == [names[7], names[9]]
    for one, begun, ended in zip(said, (600, 1500), (2200, 2999), strict=True):
        assert abs(one.alarm.start_ns - int(batch.time_ns[begun])) <= SECOND
        assert one.alarm.end_ns is not None
        assert abs(one.alarm.end_ns - int(batch.time_ns[ended])) <= 2 * SECOND
    known = store.alarm(said[0].id)
    assert known is not None
    assert "the same value again and again" in known.evidence["text"]
    shown = trace_of(store, said[0].id)
    assert shown is not None
    assert shown.channels == (names[7],)
    assert len(set(shown.values[-20:, 0])) > 1  # from before it stopped to after it moved again
    assert sum(told) == len(store.alarms())
    # What the scorer says of them is the same incident.
    incidents = [one for one in store.alarms() if one.alarm.where in (names[7], names[9])]
    assert len(incidents) == 2
    assert all("silent" in (one.alarm.output, *one.also) for one in incidents)
    assert any(len({one.alarm.output, *one.also}) > 1 for one in incidents)
