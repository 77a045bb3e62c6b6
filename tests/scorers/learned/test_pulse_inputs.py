"""Pulses as networks read them: deviations from the mean pulse, and without what all good pulses have in common."""

from collections.abc import Callable

import numpy as np
import pytest

from lynkeus.core import SettingsError
from lynkeus.files.arrays import arrays_of, part_of
from lynkeus.transforms.inputs import Inputs


def pulses(count: int, seed: int = 0) -> np.ndarray:
    """(count, 2, 30): one shape, which grows and shrinks as a whole, and a little noise."""
    rng = np.random.default_rng(seed)
    shape = 20 * np.sin(np.arange(60) / 9).reshape(2, 30)
    return (1 + 0.05 * rng.normal(size=(count, 1, 1))) * shape + 0.02 * rng.normal(size=(count, 2, 30))


def test_deviations_are_from_the_mean_pulse_number_by_number() -> None:
    good = pulses(500)
    read = Inputs.fit(good, "deviation").of(good)
    np.testing.assert_allclose(read, (good - good.mean(axis=0)) / good.std(axis=0), rtol=0.05, atol=0.05)


def test_white_pulses_show_a_small_fault_that_the_common_motion_hides(agree: Callable[..., None]) -> None:
    good, test = pulses(500), pulses(200, 1)
    test[50, 1, 4] += 0.2
    small = np.abs(Inputs.fit(good, "deviation").of(test)).reshape(200, -1).max(axis=1)
    inputs = Inputs.fit(good, "white")
    seen = np.abs(inputs.of(test)).reshape(200, -1).max(axis=1)
    assert seen.argmax() == 50
    assert small.argmax() != 50
    again = part_of(Inputs, arrays_of(inputs, "input_", ("windows",)), "input_", windows="white")
    agree(again.of(test), inputs.of(test), single=True)


def test_fewer_pulses_than_numbers_do_no_harm() -> None:
    read = Inputs.fit(pulses(20), "white").of(pulses(200, 1))
    assert np.isfinite(read).all()
    assert read.std() < 5


def test_white_samples_of_very_many_numbers_are_refused() -> None:
    with pytest.raises(SettingsError, match="at most 3000 numbers a sample, not 4000"):
        Inputs.fit(np.zeros((5, 2, 2000)), "white")


def test_pulses_are_seen_as_deviations_without_being_asked() -> None:
    inputs = Inputs.fit(pulses(160), "auto")
    assert inputs.whitening is not None
    assert inputs.centre.shape == (2, 30)


def test_windows_that_do_not_repeat_themselves_are_read_as_they_are() -> None:
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 2 * np.pi, (200, 1, 1))
    sliding = np.sin(np.arange(30) / 5 + phase) + 0.1 * rng.normal(size=(200, 2, 30))
    walks = np.cumsum(rng.normal(size=(200, 2, 30)), axis=2)
    for windows in (sliding, walks, rng.normal(size=(200, 2, 30)), np.full((200, 2, 30), np.nan)):
        assert Inputs.fit(windows, "auto").centre.shape == (2,)
