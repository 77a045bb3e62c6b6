"""Stretches of a reference that are far from the rest: one broken channel, or a bump that moves several alike."""

import numpy as np
import pytest

from lynkeus.core import Batch, Schema
from lynkeus.fitting.second_population import second_population
from lynkeus.sources import InMemory

ROWS, CHANNELS, FIRST, LAST = 3000, 30, 1200, 1320
NOISE = 0.3


def _reference(moved: tuple[int, ...], sigmas: float) -> InMemory:
    random = np.random.default_rng(0)
    values = random.normal(size=(ROWS, 2)) @ random.normal(size=(2, CHANNELS))
    values += NOISE * random.normal(size=(ROWS, CHANNELS))
    values[FIRST:LAST, list(moved)] += sigmas * NOISE
    names = tuple(f"BPM{k}" for k in range(CHANNELS))
    time_ns = 1_700_000_000_000_000_000 + np.arange(ROWS) * 10**8
    return InMemory(Batch(Schema("table", names, shape=(CHANNELS,)), values, time_ns=time_ns))


@pytest.mark.parametrize(("moved", "sigmas", "alone"), [((7,), 9.0, True), ((7,), 14.0, True), ((7, 8, 9), 8.0, False)])
def test_one_broken_channel_differs_from_a_bump(moved: tuple[int, ...], sigmas: float, alone: bool) -> None:
    found = second_population(_reference(moved, sigmas))
    assert len(found.intervals) == 1
    start_ns, end_ns = found.intervals[0]
    first, last = (1_700_000_000_000_000_000 + row * 10**8 for row in (FIRST, LAST))
    assert abs(start_ns - first) < 10**9
    assert abs(end_ns - last) < 10**9
    assert set(found.where) <= {f"BPM{k}" for k in moved}
    # a scorer that follows its instrument is to learn from a bump, not from a broken monitor
    assert len(found.single().intervals) == (1 if alone else 0)


def test_a_clean_reference_has_none() -> None:
    found = second_population(_reference((), 0.0))
    assert found.intervals == ()
    assert found.lines == []


def test_single_rows_in_which_one_channel_fails_are_left_out_and_pulses_of_the_machine_are_not() -> None:
    random = np.random.default_rng(1)
    good = np.concatenate([batch.values for batch in _reference((), 0.0)])
    rows = np.sort(random.choice(ROWS, ROWS // 10, replace=False))
    broken, pulsed = good.copy(), good.copy()
    broken[rows, random.integers(0, CHANNELS, len(rows))] += 20 * NOISE
    pulsed[np.ix_(rows, (3, 4, 5))] += 20 * NOISE
    time_ns = 1_700_000_000_000_000_000 + np.arange(ROWS) * 10**8
    schema = Schema("table", tuple(f"BPM{k}" for k in range(CHANNELS)), shape=(CHANNELS,))
    found = second_population(InMemory(Batch(schema, broken, time_ns=time_ns)))
    inside = np.zeros(ROWS, bool)
    for start_ns, end_ns in found.intervals:
        inside |= (time_ns >= start_ns) & (time_ns < end_ns)
    assert inside[rows].mean() > 0.98
    assert np.delete(inside, rows).mean() < 0.005
    (line,) = found.lines
    assert "here and there, look like a second population, each in one channel" in line
    assert "left out as incidents" in line
    kept = second_population(InMemory(Batch(schema, pulsed, time_ns=time_ns)))
    assert kept.intervals == ()
    assert "they are kept" in kept.lines[0]


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("kind", ["normal", "t", "lognormal", "states", "faults", "faults of one channel"])
def test_what_lies_apart_is_left_out_or_said_and_what_has_long_tails_is_not(kind: str, timed: bool) -> None:
    random = np.random.default_rng(2)
    values = random.normal(size=(2000, 2)) @ random.normal(size=(2, 8)) + NOISE * random.normal(size=(2000, 8))
    rows = np.sort(random.choice(2000, 200, replace=False))
    if kind == "t":
        values += NOISE * random.standard_t(3.0, values.shape)
    elif kind == "lognormal":
        values = np.exp(values)
    elif kind == "states":
        values[rows] += 2.0 * random.normal(size=8)
    elif kind != "normal":
        values[rows, 3 if "one" in kind else random.integers(0, 8, 200)] += 10 * NOISE
    time_ns = 1_700_000_000_000_000_000 + np.arange(2000) * 10**9 if timed else None
    schema = Schema("table", tuple(f"c{k}" for k in range(8)), shape=(8,))
    found = second_population(InMemory(Batch(schema, values, time_ns=time_ns)))
    if kind in ("normal", "t", "lognormal"):
        assert found.lines == []
    else:
        assert len(found.lines) == 1
        assert ("left out" in found.lines[0]) == bool(found.intervals)
        assert timed or not found.intervals
