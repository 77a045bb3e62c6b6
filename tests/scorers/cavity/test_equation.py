"""The cavity equation inverted, against closed forms: constant drive gives exponentials."""

import numpy as np
import pytest

from lynkeus.core import SchemaError
from lynkeus.scorers.cavity.equation import CavityModel, RfSignals, fill_gaps, find_phases, in_blocks, signals_of
from lynkeus.scorers.cavity.likelihood import find_changes
from lynkeus.scorers.cavity.pulse_shapes import ChannelSpread, find_cut, find_jump, find_ringing, find_shift
from lynkeus.scorers.cavity.spread import EquationSpread

STEP_S, SAMPLES, START, STOP = 1e-5, 182, 2, 140


def closed_form(half_bandwidth_hz: float, detuning_hz: float, n: int = 1) -> np.ndarray:
    """(n, 3, SAMPLES) averages over each sample of exponentials, drive 1 in [START, STOP)."""
    w, d = 2 * np.pi * half_bandwidth_hz, 2 * np.pi * detuning_hz
    pole, fine = w - 1j * d, (np.arange(SAMPLES * 10) + 0.5) * STEP_S / 10
    end = 2 * w / pole * (1 - np.exp(-pole * (STOP - START) * STEP_S))
    inside = 2 * w / pole * (1 - np.exp(-pole * np.clip(fine - START * STEP_S, 0, None)))
    probe = np.where(fine < STOP * STEP_S, inside, end * np.exp(-pole * (fine - STOP * STEP_S)))
    forward = ((fine >= START * STEP_S) & (fine < STOP * STEP_S)).astype(complex)
    signals = np.stack([probe, forward, probe - forward]).reshape(3, SAMPLES, 10).mean(axis=2)
    return np.repeat(signals[None], n, axis=0)


def as_signals(signals: np.ndarray) -> RfSignals:
    parts = np.stack([signals.real, signals.imag], axis=2).reshape(len(signals), 6, -1)
    return signals_of(parts)


@pytest.mark.parametrize("half_bandwidth_hz", [50.0, 141.3, 500.0])
@pytest.mark.parametrize("detuning_hz", [0.0, -80.0])
def test_the_calibration_of_exponentials_is_exact(half_bandwidth_hz: float, detuning_hz: float) -> None:
    gains = np.array([3.0, 0.2 * np.exp(1j), 7 * np.exp(-2j)])[:, None]
    crosstalk = closed_form(half_bandwidth_hz, detuning_hz)
    crosstalk[:, 1] += 0.03j * crosstalk[:, 2]
    signals = as_signals(crosstalk * gains)
    model = CavityModel.fit(signals, STEP_S)
    assert model.half_bandwidth / (2 * np.pi) == pytest.approx(half_bandwidth_hz, rel=2e-3)
    assert np.median(model.detuning) / (2 * np.pi) == pytest.approx(detuning_hz, abs=0.5)
    np.testing.assert_allclose(model.contradiction(signals), 0, atol=1e-9)
    inner = np.abs(np.arange(36) * 5 - STOP) > 5
    np.testing.assert_allclose(model.residual(signals)[:, inner][:, 1:], 0, atol=5e-3)
    assert (model.start, model.stop) == (START, STOP)


def test_blocks_are_trapezoids() -> None:
    rows = np.arange(11.0)[None] ** 2
    np.testing.assert_allclose(in_blocks(rows, 5), [[np.trapezoid(rows[0, :6]) / 5, np.trapezoid(rows[0, 5:]) / 5]])


def test_gaps_are_filled_in_time() -> None:
    values = np.array([[[0.0, np.nan, 2.0, np.nan], [np.nan] * 4]])
    np.testing.assert_array_equal(fill_gaps(values), [[[0, 1, 2, 2], [0, 0, 0, 0]]])


def test_pulses_without_drive_or_field_are_refused() -> None:
    zero, pulse = np.zeros(SAMPLES, complex), closed_form(141.3, 0.0)[0]
    for probe, forward in ((pulse[0], zero), (zero, pulse[1])):
        with pytest.raises(SchemaError, match="no drive"):
            find_phases(probe, forward)
    with pytest.raises(SchemaError, match="no field"):
        find_phases(pulse[0], np.roll(pulse[1], 60) * (np.arange(SAMPLES) > 150))


def healthy(noise: float = 1e-3, n: int = 80) -> tuple[CavityModel, EquationSpread, ChannelSpread]:
    rng = np.random.default_rng(0)
    made = closed_form(141.3, 20.0, n)
    made = made + noise * (rng.normal(size=made.shape) + 1j * rng.normal(size=made.shape))
    signals = as_signals(made)
    model = CavityModel.fit(signals, STEP_S)
    return model, EquationSpread.fit(model, signals), ChannelSpread.fit(model, signals)


def with_losses(rise: float, onset: int) -> np.ndarray:
    """A pulse whose losses rise in a step: the cavity equation in small steps."""
    w, d, field, fine = 2 * np.pi * 141.3, 2 * np.pi * 20.0, 0j, []
    for k in range(SAMPLES * 100):
        driven = 1.0 if START * 100 <= k < STOP * 100 else 0.0
        field += STEP_S / 100 * (-(w * (1 + rise * (k >= onset * 100)) - 1j * d) * field + 2 * w * driven)
        fine.append((field, driven))
    probe, forward = np.array(fine).T.reshape(2, SAMPLES, 100).mean(axis=2)
    return np.stack([probe, forward, probe - forward])[None]


@pytest.mark.parametrize("rise", [0.05, 0.4, 3.0])
def test_a_planted_quench_is_measured(rise: float) -> None:
    model, spread, _ = healthy()
    change = find_changes(model, spread, as_signals(with_losses(rise, 90)))
    assert change.quench[0] > 6
    assert change.rise[0] == pytest.approx(rise, rel=0.15, abs=0.01)
    assert change.quench_s[0] == pytest.approx(90 * STEP_S, abs=1.5e-4 if rise < 0.1 else 6e-5)
    assert change.beam_loss[0] == 0


def test_a_planted_detuning_is_measured() -> None:
    model, spread, _ = healthy()
    change = find_changes(model, spread, as_signals(closed_form(141.3, 32.0)))
    assert change.detuning[0] > 10
    assert change.quench[0] < 3
    assert change.detuning_hz[0] == pytest.approx(12.0, abs=0.5)


def test_what_channels_do_is_measured() -> None:
    model, _, spread = healthy()
    time = np.arange(SAMPLES)
    usual = closed_form(141.3, 20.0)
    jumps, late, rings, cut = usual.copy(), usual.copy(), usual.copy(), usual.copy()
    jumps[:, 0, 100:] *= 1.1
    late[:, 2, 3:] = usual[:, 2, :-3]
    rings[:, 0] *= 1 + 0.05 * (time > 80) * np.sin(2 * np.pi * 9e3 * time * STEP_S)
    cut[:, 1, 101:] = 0

    def white(signals: np.ndarray) -> np.ndarray:
        return spread.contradicts(model, as_signals(signals))

    jump = find_jump(model, spread, as_signals(jumps), white(jumps))
    assert jump.size[0] == pytest.approx(0.1, rel=0.02)
    assert jump.at_s[0] == pytest.approx(1e-3)
    shift = find_shift(model, spread, as_signals(late), white(late))
    assert shift.size[0] == pytest.approx(3e-5, abs=1e-6)
    assert shift.signal[0] == 2
    assert find_ringing(model, white(rings)).size[0] == pytest.approx(9e3, rel=0.05)
    found = find_cut(model, spread, as_signals(cut))
    assert found.size[0] == pytest.approx((STOP - 101) * STEP_S)
    for statistic in (jump, shift, found):
        assert statistic.sigmas[0] > 100
    assert find_cut(model, spread, as_signals(usual)).sigmas[0] < 5
