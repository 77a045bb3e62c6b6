"""Relative to the field: the set point drops out, a quench stays, nothing is divided by zero."""

import numpy as np

from lynkeus.scorers.learned.pulse_field import relative_to_field


def pulse(set_point: complex, quench: float = 0.0) -> np.ndarray:
    """(1, 4, 50) I and Q of probe and forward."""
    time = np.linspace(0, 1, 50)
    probe = set_point * np.minimum(2 * time, 1.0) * np.where(time > 0.8, 1 - quench, 1.0)
    forward = 0.5 * set_point * np.ones(50)
    return np.stack([probe.real, probe.imag, forward.real, forward.imag])[None]


def test_amplitude_and_phase_of_the_set_point_drop_out() -> None:
    np.testing.assert_allclose(relative_to_field(pulse(20.0 * np.exp(1j))), relative_to_field(pulse(1.0)), atol=1e-12)


def test_what_differs_within_a_pulse_stays() -> None:
    assert np.abs(relative_to_field(pulse(20.0, 0.3)) - relative_to_field(pulse(20.0)))[0, 0, 45:].min() > 0.2


def test_no_field_and_missing_values_give_no_infinities() -> None:
    silent = pulse(20.0)
    silent[:, :2] = 0.0
    assert np.isfinite(relative_to_field(silent)).all()
    assert np.isfinite(relative_to_field(0 * silent)).all()
    gaps = pulse(20.0)
    gaps[0, 0, 3] = np.nan
    relative = relative_to_field(gaps)
    assert np.isnan(relative[0, :2, 3]).all()
    assert np.isfinite(np.delete(relative, 3, axis=2)).all()
    assert np.isnan(relative_to_field(np.full((1, 4, 50), np.nan))).all()
