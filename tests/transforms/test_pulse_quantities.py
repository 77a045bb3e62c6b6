"""Quantities of pulses against closed forms."""

import numpy as np
import pytest

from lynkeus.transforms.pulse_quantities import QUANTITIES, measure_pulses

STEP_NS = 10.0
AT_NS = (np.arange(400) + 0.5) * STEP_NS - 1000.0


def measured(*waveforms: np.ndarray) -> list[dict[str, float]]:
    return [dict(zip(QUANTITIES, row, strict=True)) for row in measure_pulses(np.stack(waveforms), STEP_NS, 1e-3)]


def test_an_exponential_has_the_widths_of_an_exponential():
    tau = 300.0
    wave = np.where(AT_NS > 0, np.exp(-np.maximum(AT_NS, 0) / tau), 0.0)
    (found,) = measured(50 * wave / wave.sum())
    assert found["area_phd"] == pytest.approx(50, rel=0.01)
    assert found["height_phd_ns"] == pytest.approx(50 / tau, rel=0.03)
    assert found["width_ns"] == pytest.approx(tau * np.log(9), rel=0.03)
    assert found["rise_ns"] == pytest.approx(tau * np.log(0.9 / 0.5), rel=0.03)
    assert found["rise_ns"] + found["fall_ns"] == pytest.approx(found["width_ns"])


def test_a_box_is_as_wide_as_it_is_and_what_is_far_below_threshold_does_not_count():
    box = ((AT_NS > 0) & (AT_NS < 1000)).astype(float) + 1e-4 * np.cos(AT_NS)
    (found,) = measured(box)
    assert found["width_ns"] == pytest.approx(800, rel=0.01)
    assert found["above_ns"] == 1000
    assert found["undershoot_phd_ns"] < 1e-4


def test_nothing_and_less_than_nothing():
    empty, below = measured(np.zeros(400), -((AT_NS > 0) & (AT_NS < 100)).astype(float))
    assert (empty["area_phd"], empty["height_phd_ns"]) == (0.0, 0.0)
    assert np.isnan([empty["width_ns"], below["width_ns"]]).all()
    assert below["area_phd"] == -10
    assert below["undershoot_phd_ns"] == pytest.approx(0.1)
    assert measure_pulses(np.zeros((0, 40)), STEP_NS, 1e-3).shape == (0, len(QUANTITIES))
