"""Every kind of fault does exactly what it says, says where it is, and does not mind how the stream is cut."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkeus.core.errors import SettingsError
from lynkeus.transforms.faults import FAULTS, Fault, apply_faults, plan_faults

ROWS, CHANNELS, START, LENGTH = 400, 5, 100, 200
JITTER = np.array([1.0, 2.0, 0.5, 3.0, 1.5])
CENTRE = np.array([10.0, -20.0, 0.0, 5.0, 100.0])
PATTERN = (1.0, 0.0, -2.0, 0.5, 0.0)
GOOD = CENTRE + JITTER * np.random.default_rng(3).standard_normal((ROWS, CHANNELS))
DURING = slice(START, START + LENGTH)


def fault_of(kind: str, size: float = 2.0) -> Fault:
    single = FAULTS[kind].concerns == "channel"
    other = 3 if kind == "swapped" else -1
    pattern = PATTERN if kind in ("kick", "step") else ()
    return Fault(kind, START, LENGTH, 1 if single else -1, size, other, pattern)


def planted(kind: str, size: float = 2.0) -> np.ndarray:
    return apply_faults(GOOD, 0, [fault_of(kind, size)], JITTER, CENTRE, seed=7)[0]


@pytest.mark.parametrize("kind", FAULTS)
def test_only_the_named_rows_and_channels_change(kind):
    before = GOOD.copy()
    rows, truth = apply_faults(GOOD, 0, [fault_of(kind)], JITTER, CENTRE)
    np.testing.assert_array_equal(GOOD, before)
    assert truth.dtype == np.int32
    np.testing.assert_array_equal(np.flatnonzero(truth), np.arange(START, START + LENGTH))
    outside = truth == 0
    np.testing.assert_array_equal(rows[outside], GOOD[outside])
    assert not np.array_equal(rows[DURING], GOOD[DURING], equal_nan=True)
    if FAULTS[kind].concerns == "channel":
        touched = [1, 3] if kind == "swapped" else [1]
        others = [c for c in range(CHANNELS) if c not in touched]
        np.testing.assert_array_equal(rows[:, others], GOOD[:, others])


def test_noisy_adds_noise_of_size_times_jitter():
    added = (planted("noisy") - GOOD)[DURING, 1]
    assert abs(added.mean()) < 4 * 2 * JITTER[1] / np.sqrt(LENGTH)
    assert added.std() == pytest.approx(2 * JITTER[1], rel=0.2)


def test_stuck_repeats_its_first_value():
    np.testing.assert_array_equal(planted("stuck")[DURING, 1], GOOD[START, 1])


def test_offset_has_one_sign_per_fault_and_both_signs_over_many():
    added = (planted("offset") - GOOD)[DURING, 1]
    np.testing.assert_allclose(np.abs(added), 2 * JITTER[1])
    np.testing.assert_allclose(added, added[0])
    many = plan_faults("offset", 1.0, 10, 5, ROWS, [0], seed=1)
    moved = apply_faults(GOOD, 0, many, JITTER, CENTRE)[0] - GOOD
    assert (moved > 0.5).any()
    assert (moved < -0.5).any()


@pytest.mark.parametrize(("size", "factor"), [(1.0, 2.0), (-1.0, 0.0), (-2.0, -1.0)])
def test_gain_multiplies_the_deviation_from_the_centre(size, factor):
    rows = planted("gain", size)
    np.testing.assert_allclose(rows[DURING, 1] - CENTRE[1], factor * (GOOD[DURING, 1] - CENTRE[1]))


def test_swapped_exchanges_two_channels():
    rows = planted("swapped")
    np.testing.assert_allclose(rows[DURING, 1] - CENTRE[1], GOOD[DURING, 3] - CENTRE[3])
    np.testing.assert_allclose(rows[DURING, 3] - CENTRE[3], GOOD[DURING, 1] - CENTRE[1])


def test_dropout_gives_nan():
    assert np.isnan(planted("dropout")[DURING, 1]).all()


def test_drift_ramps_up_to_its_size():
    added = (planted("drift") - GOOD)[DURING, 1]
    assert abs(added[-1]) == pytest.approx(2 * JITTER[1])
    np.testing.assert_allclose(np.diff(added), added[-1] / LENGTH, rtol=1e-9)


@pytest.mark.parametrize("kind", ["kick", "step"])
def test_kick_and_step_add_the_pattern(kind):
    np.testing.assert_allclose(
        (planted(kind) - GOOD)[DURING], np.tile(2.0 * np.array(PATTERN), (LENGTH, 1)), atol=1e-12
    )


def test_flip_mirrors_about_the_centre_and_frozen_repeats_the_first_row():
    np.testing.assert_allclose(planted("flip")[DURING] - CENTRE, CENTRE - GOOD[DURING])
    np.testing.assert_array_equal(planted("frozen")[DURING], np.tile(GOOD[START], (LENGTH, 1)))


def test_other_seed_other_noise_same_seed_same_noise():
    noisy = [fault_of("noisy")]
    first, again, other = (apply_faults(GOOD, 0, noisy, JITTER, CENTRE, seed=s)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@settings(max_examples=60, deadline=None)
@given(cuts=st.sets(st.integers(1, ROWS - 1), max_size=8), seed=st.integers(0, 2**31))
def test_cutting_the_stream_changes_nothing(cuts, seed):
    faults = [replace(fault_of(kind), start=20 * i, length=170) for i, kind in enumerate(FAULTS)]
    whole, whole_truth = apply_faults(GOOD, 0, faults, JITTER, CENTRE, seed)
    memory: dict[int, np.ndarray] = {}
    edges = [0, *sorted(cuts), ROWS]
    pieces = [apply_faults(GOOD[a:b], a, faults, JITTER, CENTRE, seed, memory) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in pieces]), whole)
    np.testing.assert_array_equal(np.concatenate([truth for _, truth in pieces]), whole_truth)


def test_truth_names_the_last_of_two_overlapping_faults():
    faults = [Fault("offset", 10, 20, 0), Fault("offset", 20, 20, 1)]
    truth = apply_faults(GOOD, 0, faults, JITTER, CENTRE)[1]
    assert truth[[9, 10, 19, 20, 39, 40]].tolist() == [0, 1, 1, 2, 2, 0]


def test_rows_keep_their_type():
    assert apply_faults(GOOD.astype(np.float32), 0, [fault_of("noisy")], JITTER, CENTRE)[0].dtype == np.float32


@given(seed=st.integers(0, 1000), length=st.integers(1, 60))
def test_planned_faults_lie_one_in_each_stretch(seed, length):
    faults = plan_faults("noisy", 3.0, 60, length, 1000, [2, 4], seed)
    assert len(faults) == 1000 // 60
    for i, fault in enumerate(faults):
        assert 60 * i <= fault.start
        assert fault.stop <= 60 * (i + 1)
        assert fault.channel in (2, 4)
    assert faults == plan_faults("noisy", 3.0, 60, length, 1000, [2, 4], seed)


def test_planned_pairs_and_beam_faults():
    assert all({f.channel, f.other} == {2, 4} for f in plan_faults("swapped", 1.0, 60, 10, 600, [2, 4], 0))
    assert all(f.channel == -1 for f in plan_faults("flip", 1.0, 60, 10, 600, [2, 4], 0))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("wobbly", 0, 1, 0), "no fault called 'wobbly'"),
        (("noisy", -1, 1, 0), "start"),
        (("noisy", 0, 0, 0), "length"),
        (("noisy", 0, 1), "channel"),
        (("noisy", 0, 1, 0, float("nan")), "size"),
        (("swapped", 0, 1, 0, 1.0, 0), "second channel"),
    ],
)
def test_senseless_faults_are_refused(arguments, said):
    with pytest.raises(SettingsError, match=said):
        Fault(*arguments)


def test_faults_that_do_not_fit_the_rows_are_refused():
    with pytest.raises(SettingsError, match="channel 9 of only 5"):
        apply_faults(GOOD, 0, [Fault("noisy", 0, 1, 9)], JITTER, CENTRE)
    with pytest.raises(SettingsError, match="pattern has 0 entries"):
        apply_faults(GOOD, 0, [Fault("kick", 0, 1)], JITTER, CENTRE)
    with pytest.raises(SettingsError, match="does not fit"):
        plan_faults("noisy", 1.0, 10, 11, 100, [0], 0)
    with pytest.raises(SettingsError, match="at least 2"):
        plan_faults("swapped", 1.0, 10, 5, 100, [0], 0)
