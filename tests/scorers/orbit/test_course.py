"""Where a moved orbit is going, and how far channels stray, on numbers that are made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lynkeus.scorers.orbit.baseline import CENTRE_WINDOWS, Gate, OrbitBaseline, Pace
from lynkeus.scorers.orbit.course import jumped, line_through
from lynkeus.scorers.orbit.habit import EVERY, Habit
from lynkeus.scorers.orbit.walk import Means, walk

CHANNELS, SIGMA, PACE = 20, 0.3, Pace()
ORBIT = np.where(np.arange(CHANNELS) % 2, 3.0, -3.0).astype(np.float32)


def gate() -> Gate:
    eye = np.eye(CHANNELS, dtype=np.float32)
    return replace(Gate(np.full(CHANNELS, SIGMA, np.float32), 6.0, 60.0, eye, 40.0), to_jitter=eye, sway=1e3)


def start() -> OrbitBaseline:
    zeros = np.zeros(CHANNELS, np.float32)
    centres = np.zeros((len(CENTRE_WINDOWS), CHANNELS), np.float32)
    return OrbitBaseline(zeros, centres, zeros.copy(), centres[:0], np.zeros((3, CHANNELS), np.float32))


def walked(rows: np.ndarray, state: OrbitBaseline):
    return walk(state, Means(rows.astype(np.float32), np.zeros(len(rows), bool)), gate(), PACE)


def noise(windows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, SIGMA, (windows, CHANNELS))


@pytest.mark.parametrize("windows", [60, 200])
def test_a_ramp_is_news_when_it_begins_and_when_it_ends(windows: int) -> None:
    rows, state = noise(500), start()
    rows += np.clip((np.arange(500) - 100) / windows, 0.0, 1.0)[:, None] * ORBIT * windows / 20.0
    high = walked(rows, state).energy > 60.0
    end = 100 + windows
    assert not high[:100].any()
    assert high[100:130].any()
    assert high[140:end].mean() < 0.2
    assert not high[end + 40 :].any()
    np.testing.assert_allclose(state.level, ORBIT * windows / 20.0, atol=3 * SIGMA)
    assert not state.course.ramps


def test_after_a_step_it_is_less_sure_for_some_windows_and_then_as_before() -> None:
    rows, state = noise(400), start()
    rows[100:] += ORBIT
    walked(rows[:112], state)
    assert 1.0 < state.course.width(0, 1)[0, 0] < 1.2
    walked(rows[112:], state)
    assert state.course.width(0, 1)[0, 0] == 1.0


def test_a_channel_that_breaks_while_a_move_is_news_is_seen_and_not_adopted_with_it() -> None:
    rows, state = noise(200), start()
    rows[100:] += ORBIT
    rows[105:, 3] += 5.0
    found = walked(rows, state)
    assert set(range(105, 108)) <= set(found.elsewhere.tolist())
    here = found.here[np.isin(found.elsewhere, range(105, 108))]
    assert np.abs(here[:, 3]).min() > 6 * SIGMA
    assert np.abs(np.delete(here, 3, axis=1)).max() < 6 * SIGMA
    assert found.deviation[108:125, 3].min() > 6 * SIGMA


def test_an_orbit_that_jumps_from_place_to_place_is_no_ramp() -> None:
    rows = noise(20) / SIGMA
    rows[12:] += 8.0
    assert jumped(rows)
    rows[:] = noise(20, 1) / SIGMA + np.arange(20)[:, None]
    assert not jumped(rows)
    line = line_through(rows, sloped=True)
    np.testing.assert_allclose(line.slope, 1.0, atol=0.2)
    np.testing.assert_allclose(line.place, 19.0, atol=2.5)


def test_tails_become_heavier_with_what_a_channel_does_and_never_lighter() -> None:
    scale, level, quiet = np.ones(3, np.float32), np.zeros(3, np.float32), np.ones(600, bool)
    deviation = np.zeros((600, 3), np.float32)
    deviation[::2, 1] = np.sqrt(6.0)  # a channel that strays on and on
    deviation[300:306, 2] = np.sqrt(50.0)  # and one that broke once
    tails = Habit.none(3).walk(deviation, level, quiet, 0.02, scale)
    own, start = tails.scale[tails.which], tails.start[tails.which]
    assert (own[:EVERY] == 1.0).all()
    assert (own >= 1.0).all()
    assert (start <= -np.log(0.02) + 1e-6).all()
    np.testing.assert_allclose(own[:, 0], 1.0)
    assert own[-1, 1] > 4.0
    assert start[-1, 1] < 2.5
    assert own[-1, 2] < 3.0
    pieces, parts = Habit.none(3), []
    for first, last in ((0, 7), (7, 200), (200, 600)):
        pieces = Habit.from_arrays(pieces.to_arrays(), 3)
        part = pieces.walk(deviation[first:last], level, quiet[first:last], 0.02, scale)
        parts.append(part.scale[part.which])
    np.testing.assert_allclose(np.concatenate(parts), own, rtol=1e-5)


def test_a_step_soon_after_another_is_no_news_for_as_long() -> None:
    rows, state = noise(300), start()
    rows[100:] += ORBIT
    rows[116:] += ORBIT[::-1] * 1.5  # ten windows after the first one was news, the orbit is moved again
    high = walked(rows, state).energy > 60.0
    soon = PACE.adopt_of(moved=True)
    assert soon < PACE.adopt_of(moved=False) == PACE.beam_adopt
    assert high[100 : 100 + PACE.beam_adopt].all()
    assert high[116 : 116 + soon].all()
    assert not high[116 + soon + 1 :].any()


def test_quiet_stretches_at_once_are_what_they_are_window_by_window() -> None:
    rows = noise(400, seed=3)
    rows += 0.5 * np.sin(np.arange(400) / 30.0)[:, None] * ORBIT  # followed
    rows[150:190, 4] += 2.5  # pulled, then held
    rows[300:330] += ORBIT
    whole, pieces = start(), start()
    at_once = walked(rows, whole)
    one_by_one = [walked(rows[window : window + 1], pieces) for window in range(len(rows))]
    np.testing.assert_allclose(
        np.concatenate([one.deviation for one in one_by_one]), at_once.deviation, rtol=0, atol=1e-4
    )
    np.testing.assert_allclose(np.concatenate([one.away for one in one_by_one]), at_once.away, rtol=0, atol=1e-4)
    np.testing.assert_allclose(pieces.centres, whole.centres, atol=1e-4)
    noticed = [window for window, one in enumerate(one_by_one) if len(one.noticed)]
    assert noticed == at_once.noticed.tolist()
