"""Orbit on simulated orbits: faults of every kind, long stretches of trouble, and stops in the middle."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Tracking, concatenate
from lynkeus.scorers.orbit import loops
from lynkeus.scorers.orbit.scorer import Orbit
from lynkeus.simulate.beam.orbit import OrbitSource, machine
from lynkeus.sources import Window
from lynkeus.transforms.faults import FAULTS, Fault, apply_faults

TRAINED_ROWS, ROWS = 9000, 5400  # 15 minutes to learn from, the next 9 for the faults
START, LENGTH = 1800, 60
WINDOWS = slice(START // 10, (START + LENGTH) // 10)
CHANNELS = (5, 120, 160)
MOVED = ("kick", "step")


@dataclass(frozen=True)
class Held:
    """A table in memory, in batches of `step` rows."""

    rows: Batch
    step: int = 1500

    @property
    def schema(self):
        return self.rows.schema

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        for first in range(0, len(self.rows), self.step):
            yield self.rows[first : first + self.step]


@cache
def simulated() -> Batch:
    return concatenate(list(OrbitSource(hours=(TRAINED_ROWS + ROWS) / 36000, seed=1)))


@cache
def saved() -> dict:
    """One fit for all tests; each takes its own copy."""
    return Orbit().fit(Window(Held(simulated()[:TRAINED_ROWS]), 10)).__dict__


@pytest.fixture
def orbit() -> Orbit:
    scorer = Orbit()
    scorer.__dict__.update(saved())
    scorer.resume({})
    return scorer


def unseen(*faults: Fault) -> Batch:
    """Good rows that follow the reference, with faults in them, stored as half floats."""
    rows = simulated()[TRAINED_ROWS:]
    values, _ = apply_faults(rows.values, 0, faults, machine().jitter, machine().offset, 1)
    return rows.with_values(values.astype(np.float16).astype(np.float32))


def fault(kind: str, channel: int, start: int = START, length: int = LENGTH, size: float = 3.0) -> Fault:
    pattern = tuple(machine().kicks[channel].tolist()) if kind in MOVED else ()
    other = channel + 20 if kind == "swapped" else -1
    return Fault(kind, start, length, channel, -1.0 if kind == "gain" else size, other, pattern)


def places(scorer: Orbit, batch: Batch) -> np.ndarray:
    """(n, 2) channels that it names."""
    found = [scorer.find(batch, output) for output in scorer.outputs]
    return np.array([[of_row[0].where for of_row in column] for column in found]).T


def watch(scorer: Orbit, rows: Batch, step: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n, 2) and names (n, 2) as a watch sees them."""
    scorer.resume({})
    scores, names = [], []
    for batch in Window(Held(rows, step), 10):
        scores.append(scorer.score(batch))
        names.append(places(scorer, batch))
        scorer.update(batch)
    return np.concatenate(scores), np.concatenate(names)


@cache
def good_scores() -> np.ndarray:
    scorer = Orbit()
    scorer.__dict__.update(saved())
    return watch(scorer, unseen())[0]


def limits() -> np.ndarray:
    """(2,) what good data of the same minutes reach at most, and ten nats more."""
    return good_scores().max(axis=0) + 10.0


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("kind", ["noisy", "offset", "stuck", "dropout", "gain", "drift", "swapped"])
def test_a_broken_monitor_is_named_and_the_beam_is_left_in_peace(orbit: Orbit, kind: str, channel: int) -> None:
    scores, names = watch(orbit, unseen(fault(kind, channel)))
    planted = {machine().names[channel], machine().names[channel + 20] if kind == "swapped" else ""}
    assert scores[WINDOWS, 0].max() > limits()[0]
    assert np.median(scores[WINDOWS, 0]) > limits()[0]
    assert np.isin(names[WINDOWS, 0], list(planted)).mean() >= 0.8
    if kind != "swapped":  # two channels are wrong at once
        assert scores[WINDOWS, 1].max() < limits()[1]


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("kind", [kind for kind, fault in FAULTS.items() if fault.concerns == "all channels"])
def test_a_moved_beam_is_not_blamed_on_a_monitor(orbit: Orbit, kind: str, channel: int) -> None:
    scores, _ = watch(orbit, unseen(fault(kind, channel)))
    assert (scores[WINDOWS, 1] > limits()[1]).all()
    assert scores[WINDOWS, 0].max() < limits()[0]


@pytest.mark.parametrize("first", ["offset", "noisy"])
@pytest.mark.parametrize("second", ["noisy", "offset"])
def test_a_second_broken_monitor_is_named_beside_one_that_is_known(orbit: Orbit, first: str, second: str) -> None:
    both = (fault(first, 120, START - 150, 400, 10.0), fault(second, 60, size=2.0))
    _, names = watch(orbit, unseen(*both))
    at_first = slice(WINDOWS.start - 14, WINDOWS.start - 4)
    assert (names[at_first, 0] == machine().names[120]).all()
    assert (names[WINDOWS, 0] == machine().names[60]).mean() > 0.6


@pytest.mark.parametrize("kind", ["noisy", "offset", "stuck", "dropout", "kick", "flip", "frozen"])
def test_when_the_fault_is_over_it_is_over(orbit: Orbit, kind: str) -> None:
    """In particular the baseline has not followed the shadow of the broken channel on the others."""
    scores, _ = watch(orbit, unseen(fault(kind, 120)))
    after = slice(WINDOWS.stop + 4, None)
    assert (scores[after].max(axis=0) < limits()).all()


@pytest.mark.parametrize("kind", ["offset", "noisy", "dropout"])
def test_a_fault_that_lasts_stays_flagged_as_long_as_asked(kind: str) -> None:
    """Five minutes and more where no place is taken for the new reference before that."""
    scorer = Orbit()
    scorer.__dict__.update(saved())
    scorer._sight = replace(scorer._sight, pace=replace(scorer.pace_, monitor_adopt=600, mask_after=600))
    scores, names = watch(scorer, unseen(fault(kind, 60, START, 3300)))
    lasting = slice(START // 10, START // 10 + 330)
    assert (scores[lasting, 0] > limits()[0]).mean() > 0.95
    assert (names[lasting, 0] == machine().names[60]).mean() > 0.95
    assert scores[lasting, 1].max() < limits()[1]


@pytest.mark.parametrize("channel", CHANNELS)
def test_slow_drift_is_followed_without_an_alarm(orbit: Orbit, channel: int) -> None:
    one = replace(fault("drift", channel, 0, ROWS), size=0.7)
    scores, _ = watch(orbit, unseen(one))
    assert (scores.max(axis=0) < limits()).all()
    rows = unseen()
    ramp = np.linspace(0, 1.5, ROWS)[:, None] * machine().kicks[channel]
    scores, _ = watch(orbit, rows.with_values((rows.values + ramp).astype(np.float16).astype(np.float32)))
    assert (scores.max(axis=0) < limits()).all()


def test_an_orbit_that_comes_back_is_no_news(orbit: Orbit) -> None:
    """A corrector is switched on for a minute, again and again: the first time is an event, then it is known."""
    times = (900, 2100, 3300, 4500)
    scores, _ = watch(orbit, unseen(*(fault("step", 120, start, 600) for start in times)))
    on = np.stack([scores[start // 10 + 1 : start // 10 + 59, 1] for start in times])  # edges are mixed windows
    assert on[0].max() > limits()[1]
    assert on[1:].max() < limits()[1]
    assert scores[960 // 10 + 60 : 2100 // 10, 1].max() < limits()[1]


def test_after_a_restart_it_goes_on_as_if_it_had_never_stopped(
    orbit: Orbit, tmp_path: Path, agree: Callable[..., None]
) -> None:
    rows = unseen(fault("offset", 60, 1000, 800), fault("step", 120, 2400, 600))
    batches = list(Window(Held(rows, 970), 10))
    orbit.save(tmp_path)
    state: dict = {}
    for batch in batches:
        restarted = Orbit.load(tmp_path)
        restarted.resume(state)
        agree(restarted.score(batch), orbit.score(batch))
        agree(restarted.explain(batch), orbit.explain(batch))
        orbit.update(batch)
        restarted.update(batch)
        state = {name: np.array(array) for name, array in restarted.state().items()}
    assert isinstance(orbit, Tracking)


@pytest.mark.parametrize("step", [10, 70, 333, 5400])
def test_how_the_stream_is_cut_does_not_matter(orbit: Orbit, step: int) -> None:
    rows = unseen(fault("offset", 60, 1000, 800), fault("step", 120, 2400, 600), fault("dropout", 5, 3600))[:4000]
    whole, _ = watch(orbit, rows, 1500)
    cut, _ = watch(orbit, rows, step)
    # Sums are rounded otherwise, which rarely decides whether a window is looked at more closely.
    differs = np.abs(cut - whole) > 0.02 + 1e-3 * np.abs(whole)
    assert differs.any(axis=1).mean() < 0.01
    assert np.abs(cut - whole)[differs].max(initial=0.0) < 3.0


def test_windows_without_values_have_no_score_and_leave_no_trace(orbit: Orbit) -> None:
    rows = unseen()
    values = np.array(rows.values)
    values[1000:1200] = np.nan
    values[2500:2510, : len(machine().names) * 2 // 3] = np.nan
    scores, _ = watch(orbit, rows.with_values(values))
    gone = [*range(100, 120), 250]
    assert np.isnan(scores[gone]).all()
    kept = np.delete(scores, gone, axis=0)
    assert np.isfinite(kept).all()
    assert (kept.max(axis=0) < limits()).all()
    assert all(np.isfinite(array).all() for name, array in orbit.state().items() if name != "numbers")
    batch = next(iter(Window(Held(rows.with_values(values)), 10)))
    assert np.isfinite(orbit.explain(batch)).all()


def test_after_a_long_gap_it_starts_anew_at_another_orbit(orbit: Orbit) -> None:
    rows = unseen()
    moved = np.array(rows.values)
    moved[2700:] += 3.0 * np.asarray(machine().kicks[120], np.float32)
    late = np.array(rows.time_ns)
    late[2700:] += 3_600_000_000_000
    scores, _ = watch(orbit, replace(rows.with_values(moved.astype(np.float16).astype(np.float32)), time_ns=late))
    assert (scores[271:].max(axis=0) < limits()).all()
    scores, _ = watch(orbit, rows.with_values(moved.astype(np.float16).astype(np.float32)))
    assert scores[270, 1] > limits()[1]  # without the gap it is an event


def test_single_rows_do_as_well(orbit: Orbit) -> None:
    scorer = Orbit().fit(Held(simulated()[:6000]))
    batch = unseen(fault("offset", 60, 300, 60, 8.0))[:600]
    scores = scorer.score(batch)
    assert scores.shape == (600, 2)
    assert scores[300:360, 0].min() > np.quantile(scores[:300, 0], 0.99)
    assert (places(scorer, batch)[300:360, 0] == machine().names[60]).all()


def test_the_shadow_of_a_broken_monitor_is_no_habit_of_the_others(orbit: Orbit) -> None:
    rows, beyond = [unseen(), unseen(fault("offset", 60, 600, 200, 20.0))], []
    for one in rows:
        watch(orbit, one[:1500])
        beyond.append(orbit.state()["habit.beyond"])
    good, broken = beyond
    assert broken[60] > good[60] + 10.0
    shadow = np.argsort(-np.abs(orbit.gate_.correlation[60]))[1:6]
    assert (broken[shadow] < good[shadow] + 5.0).all()


@pytest.mark.slow(12)
def test_compiled_loops_say_what_numpy_says(orbit: Orbit, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba", reason="install the extra that compiles loops")
    rows = unseen(
        fault("noisy", 5, 600, 1500), fault("offset", 60, 1000, 800), fault("step", 120, 2400, 600),
        fault("dropout", 6, 3600), fault("stuck", 160, 4200),
    )  # fmt: skip
    plain, names = watch(orbit, rows)
    monkeypatch.setattr(loops, "ENOUGH", 0)
    assert loops.compiled() is not None
    fast, named = watch(orbit, rows)
    differs = np.abs(fast - plain) > 0.02 + 1e-3 * np.abs(plain)
    assert differs.any(axis=1).mean() < 0.01
    assert np.abs(fast - plain)[differs].max(initial=0.0) < 3.0
    assert (names == named).mean() > 0.98
