"""Faults planted into pulses and rows: each kind does what it says, in sigmas of its channel, and knows where it is."""

import numpy as np
import pytest

from lynkeus.commission.plant.signals import OF_PULSES, OF_ROWS, Signals
from lynkeus.core import Finding, Schema, SourceError

CHANNELS, READINGS = 3, 40
NAMES = ("a", "b", "c")
PULSES = Schema("waveform", NAMES, shape=(CHANNELS, READINGS))
ROWS = Schema("table", NAMES, shape=(CHANNELS,))


def pulses(n: int = 200) -> np.ndarray:
    """A ramp in each channel; noise of 1, 2 and 3."""
    rng = np.random.default_rng(0)
    return np.linspace(0, 50, READINGS) + rng.normal(size=(n, CHANNELS, READINGS)) * np.array([1.0, 2.0, 3.0])[:, None]


@pytest.fixture(scope="module")
def of_pulses() -> Signals:
    return Signals.fit(PULSES, pulses())


@pytest.fixture(scope="module")
def of_rows() -> Signals:
    return Signals.fit(ROWS, pulses()[:, :, 0])


def test_sizes_are_counted_in_what_a_channel_does_from_sample_to_sample(of_pulses, of_rows) -> None:
    np.testing.assert_allclose(of_pulses.sigma, [1, 2, 3], rtol=0.05)
    np.testing.assert_allclose(of_pulses.noise, [1, 2, 3], rtol=0.05)  # white noise, whatever the slope
    np.testing.assert_allclose(of_rows.sigma, [1, 2, 3], rtol=0.3)


@pytest.mark.parametrize("kind", OF_PULSES)
def test_only_the_named_channels_of_a_pulse_change_and_only_in_their_span(of_pulses, kind) -> None:
    good = pulses(1)[0]
    for seed in range(6):
        made, truth = of_pulses.plant(good, kind, 2.0, np.random.default_rng(seed))
        changed = ~np.isclose(made, good)
        if kind == "readout":
            assert truth.change == "none"
            assert truth.holds(Finding(where="a")) is None
            assert 0.5 < np.std(made - good) / np.sqrt(np.mean(of_pulses.noise**2)) / 2.0 < 1.5
            continue
        touched = {NAMES[k] for k in np.flatnonzero(changed.any(axis=1))}
        assert touched
        assert touched <= set(truth.names)
        assert truth.luck == pytest.approx(len(truth.names) / 3)
        assert all(truth.holds(Finding(where=name)) for name in truth.names)
        assert not truth.holds(Finding(where="elsewhere"))
        if truth.span is not None:
            times = np.flatnonzero(changed.any(axis=0))
            assert truth.span[0] <= times.min() <= times.max() <= truth.span[1]
            late = Finding(where=truth.names[0], region={"time": (READINGS + 1.0, READINGS + 2.0)})
            assert not truth.holds(late)


def test_an_offset_is_so_many_sigmas(of_pulses, of_rows) -> None:
    good = pulses(1)[0]
    made, truth = of_pulses.plant(good, "offset", 5.0, np.random.default_rng(1))
    k = NAMES.index(truth.names[0])
    assert np.abs(made - good).max() == pytest.approx(5.0 * of_pulses.sigma[k])
    row, truth = of_rows.plant(good[:, 0], "offset", 3.0, np.random.default_rng(1))
    k = NAMES.index(truth.names[0])
    assert np.abs(row - good[:, 0]).tolist() == pytest.approx([3.0 * of_rows.sigma[k] * (j == k) for j in range(3)])


@pytest.mark.parametrize("kind", OF_ROWS)
def test_rows_have_kinds_of_their_own(of_rows, kind) -> None:
    good = pulses(1)[0][:, 0]
    made, truth = of_rows.plant(good, kind, 1.0, np.random.default_rng(3))
    changed = {NAMES[k] for k in np.flatnonzero(made != good)}
    assert changed == set(NAMES) if kind == "flip" else changed <= set(truth.names)


def test_kinds_that_make_no_sense_are_not_offered() -> None:
    single = Signals.fit(Schema("waveform", shape=(1, 3)), pulses()[:, :1, :3])
    assert not {"swapped", "shift", "stuck"} & set(single.kinds)
    assert single.names == ("column 0",)
    with pytest.raises(SourceError, match="none of the channels varies"):
        Signals.fit(ROWS, np.ones((10, 3)))
