"""The moving baseline on window means that are made up."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkeus.scorers.orbit.baseline import CENTRE_WINDOWS, Gate, OrbitBaseline, Pace
from lynkeus.scorers.orbit.habit import Habit
from lynkeus.scorers.orbit.steps import clipped
from lynkeus.scorers.orbit.tails import Energy, Line, Tails
from lynkeus.scorers.orbit.walk import Means, walk

CHANNELS = 20
SIGMA = 0.3
PACE = Pace()


def gate(correlation: np.ndarray | None = None) -> Gate:
    sigma = np.full(CHANNELS, SIGMA, np.float32)
    shadow = np.eye(CHANNELS) if correlation is None else correlation
    return Gate(sigma, 6.0, 60.0, shadow.astype(np.float32))


def start() -> OrbitBaseline:
    zeros = np.zeros(CHANNELS, np.float32)
    centres = np.zeros((len(CENTRE_WINDOWS), CHANNELS), np.float32)
    return OrbitBaseline(zeros, centres, zeros.copy(), centres[:0], np.zeros((3, CHANNELS), np.float32))


def means(windows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, SIGMA, (windows, CHANNELS)).astype(np.float32)


def no_gap(rows: np.ndarray) -> np.ndarray:
    return np.zeros(len(rows), bool)


def test_slow_drift_is_followed() -> None:
    rows, state = means(2000), start()
    rows[:, 3] += np.linspace(0, 20, 2000, dtype=np.float32)  # 0.1 sigma a block times 3
    walked = walk(state, Means(rows, no_gap(rows)), gate(), PACE)
    assert abs(state.level[3] - 20) < 1.0
    assert np.abs(walked.deviation[:, 3]).max() < 6 * SIGMA
    assert np.abs(np.delete(state.level, 3)).max() < 4 * SIGMA


def test_a_wrong_channel_is_held_and_adopted_in_the_end() -> None:
    rows, state = means(1000), start()
    rows[100:, 3] += 10.0
    walked = walk(state, Means(rows, no_gap(rows)), gate(), PACE)
    assert walked.deviation[100 : 100 + PACE.monitor_adopt, 3].min() > 8.0
    assert np.abs(walked.deviation[-100:, 3]).max() < 6 * SIGMA
    assert state.held[3] == 0


@pytest.mark.parametrize("windows", [6, 25, 400, 900])
def test_the_shadow_of_a_wrong_channel_is_not_followed(windows: int) -> None:
    shadow = np.eye(CHANNELS)
    shadow[3, [4, 5, 9]] = shadow[[4, 5, 9], 3] = [-0.3, 0.2, 0.1]
    rows = means(1200)
    faulty = rows.copy()
    faulty[100 : 100 + windows] += 5.0 * shadow[3].astype(np.float32)
    state, undisturbed = start(), start()
    walked = walk(state, Means(faulty, no_gap(rows)), gate(shadow), PACE)
    clean = walk(undisturbed, Means(rows, no_gap(rows)), gate(shadow), PACE)
    if windows < PACE.monitor_adopt:
        others = np.delete(np.arange(CHANNELS), 3)
        after = slice(100 + windows, None)
        np.testing.assert_allclose(walked.deviation[after][:, others], clean.deviation[after][:, others], atol=0.25)
    else:  # adopted with its shadow, so that nothing is left of it
        adopted = slice(100 + PACE.monitor_adopt + 2 * PACE.block, 100 + windows)
        np.testing.assert_allclose(walked.deviation[adopted], clean.deviation[adopted], atol=1.0)


def test_two_wrong_channels_in_each_others_shadow() -> None:
    shadow = np.eye(CHANNELS)
    shadow[3, 4] = shadow[4, 3] = -0.4
    shadow[[3, 4], 5] = shadow[5, [3, 4]] = 0.3
    rows, state = means(200), start()
    rows[100:110] += (5.0 * shadow[3] + 4.0 * shadow[4]).astype(np.float32)
    walk(state, Means(rows[:110], no_gap(rows[:110])), gate(shadow), PACE)
    assert (state.held[[3, 4]] == PACE.block).all()
    assert np.abs(state.level).max() < 2 * SIGMA


def test_an_orbit_that_moved_is_adopted_soon_and_known_afterwards() -> None:
    rows, state = means(400), start()
    orbit = np.where(np.arange(CHANNELS) % 2, 3.0, -3.0).astype(np.float32)
    rows[100:200] += orbit
    rows[300:] += orbit
    walked = walk(state, Means(rows, no_gap(rows)), gate(), PACE)
    high = walked.energy > 60.0
    adopted = 100 + PACE.beam_adopt
    assert high[100:adopted].all()
    assert not high[adopted:200].any()
    assert not high[200:].any()  # back where it was, and there again
    assert len(state.known) == 1


def test_a_gap_lets_it_learn_anew() -> None:
    rows, state = means(200), start()
    rows[100:] += 5.0
    restart = no_gap(rows)
    restart[100] = True
    walked = walk(state, Means(rows, restart), gate(), PACE)
    assert (walked.energy[101:] < 60.0).all()
    np.testing.assert_allclose(state.level, 5.0, atol=4 * SIGMA)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 299), max_size=8), st.integers(0, 5))
def test_how_the_stream_is_cut_does_not_matter(cuts: list[int], seed: int) -> None:
    rows = means(300, seed)
    rows[50:120, 3] += 10.0
    rows[150:200] += 3.0
    restart = no_gap(rows)
    restart[220] = True
    whole, pieces = start(), start()
    expected = walk(whole, Means(rows, restart), gate(), PACE)
    ends = sorted({0, *cuts, 300})
    parts = []
    for first, last in pairwise(ends):
        pieces = OrbitBaseline.from_arrays(pieces.to_arrays())  # also through a store
        parts.append(walk(pieces, Means(rows[first:last], restart[first:last]), gate(), PACE))
    np.testing.assert_allclose(np.concatenate([part.deviation for part in parts]), expected.deviation, atol=1e-4)
    np.testing.assert_allclose(pieces.level, whole.level, atol=1e-4)


def test_walking_changes_neither_the_means_nor_the_gaps() -> None:
    rows = means(60)
    rows[20:40] += 3.0
    before, restart = rows.copy(), no_gap(rows)
    restart[30] = True
    walk(start(), Means(rows, restart), gate(), PACE)
    np.testing.assert_array_equal(rows, before)
    assert restart.sum() == 1


def test_what_is_clipped_is_one_channel_and_leaves_the_common_motions_alone() -> None:
    random = np.random.default_rng(3)
    mixed = random.normal(size=(2, CHANNELS)) * 20.0  # two motions of all channels, twenty times the noise of each
    covariance = mixed.T @ mixed + np.eye(CHANNELS)
    precision = np.linalg.inv(covariance)
    scale = np.sqrt(np.diag(precision))
    of_all = gate(precision / np.outer(scale, scale))
    rest = (0.9 * np.eye(CHANNELS)[5] + 0.05 * random.normal(size=CHANNELS)).astype(np.float32)
    taken = clipped(rest, np.full(CHANNELS, 2 * SIGMA, np.float32), of_all, PACE)
    assert taken[5] == pytest.approx(2 * SIGMA)
    left = np.linalg.inv(precision / scale[:, None]) @ (rest - taken)  # in the units of the channels
    others = np.delete(np.abs(left), 5)
    assert others.max() < 1e-3 * abs(left[5])
    cut = np.linalg.inv(precision / scale[:, None]) @ (rest - np.clip(rest, -2 * SIGMA, 2 * SIGMA))
    assert np.delete(np.abs(cut), 5).max() > 10.0 * others.max() + 1.0


def test_an_hour_in_which_the_orbit_is_restless_counts_less_and_one_odd_window_does_not() -> None:
    random = np.random.default_rng(0)
    line, energy = Line(np.zeros(1, np.float32), np.ones(1, np.float32)), Energy(5.0, 1.0)
    tails = Tails(line, line, line, np.zeros(1, np.float32), energy, energy)
    quiet, restless = random.exponential(0.5, 3000), random.exponential(0.5, 3000)
    restless[::8] += 8.0
    here = np.ones(3000, bool)
    before = tails.rest_of_late(Habit.none(1), np.append(quiet, 20.0), np.append(here, False))[-1]
    habit = Habit.none(1)
    found = tails.rest_of_late(habit, restless, here)
    after = tails.rest_of_late(habit, np.array([20.0]), np.array([False]))[0]
    assert before == pytest.approx(20.0, rel=0.02)
    assert after < 10.0
    assert found[:8].max() > found[-8:].max()


def test_the_shadow_of_a_wrong_channel_is_no_other_place_of_a_channel() -> None:
    """Channel 4 has jumped before, by as much as channel 3 throws on it now."""
    shadow = np.eye(CHANNELS, dtype=np.float32)
    shadow[3, 4] = shadow[4, 3] = -0.4
    rows, state = means(400), start()
    rows[100:140] += 5.0 * shadow[4]
    rows[200:240] += -12.5 * shadow[3]
    rows[300:340] += 5.0 * shadow[4]
    walked = walk(state, Means(rows, no_gap(rows)), gate(shadow), PACE)
    assert (np.abs(walked.deviation[205:215, 3] + 12.5) < 2.0).all()
    assert np.abs(state.standing.offset[4]) < 1e-3
    assert np.median(np.abs(walked.deviation[305:315, 4])) < 2.0  # it is there again, which is known


def test_the_mean_of_a_block_in_which_a_channel_comes_back_is_no_place() -> None:
    rows, state = means(600), start()
    rows[100:122, 3] += 8.0
    walk(state, Means(rows, no_gap(rows)), gate(), replace(PACE, monitor_adopt=100))
    assert state.standing.other[3] == 0
    assert state.standing.offset[3] == 0
