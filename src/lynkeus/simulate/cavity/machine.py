"""What stays the same from pulse to pulse: the physics of a pulsed TESLA-type cavity, and the cavities of a machine."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from scipy.signal import lfilter

from lynkeus.core.batch import Array, Floats
from lynkeus.core.errors import SettingsError

SAMPLES = 1820
SAMPLE_RATE_HZ = 1e6
STEP_S = 1 / SAMPLE_RATE_HZ
MACHINE_SEED = 2021  # cavities belong to the machine: every seed of a source has the same ones


@dataclass(frozen=True)
class CavityPhysics:
    """Parameters of a pulsed superconducting cavity and of its surroundings; docs/explanations/cavity_simulator.md.

    `mode_k_hz`: static Lorentz-force detuning of each mechanical mode in Hz per (MV/m)^2. `piezo`: share of the nominal
    Lorentz-force detuning that the piezo takes away. `feedback_gain`: proportional loop gain that one cavity of a
    vector sum sees. `power_reserve`: largest forward amplitude over the planned one. `calibration`, `crosstalk`: rms of
    the gain errors, size of the leak between forward and reflected.
    """

    frequency_hz: float = 1.3e9
    loaded_q: float = 4.6e6
    loaded_q_spread: float = 0.05
    r_over_q_ohm: float = 1036.0
    length_m: float = 1.038
    gradient_mv_m: tuple[float, float] = (16.0, 28.0)
    start_us: int = 20
    fill_us: int = 780
    flat_top_us: int = 600
    repetition_hz: float = 10.0
    mode_hz: tuple[float, ...] = (235.0, 290.0, 450.0)
    mode_q: tuple[float, ...] = (100.0, 100.0, 100.0)
    mode_k_hz: tuple[float, ...] = (0.45, 0.33, 0.22)
    piezo: float = 0.9
    feedback_gain: float = 4.0
    power_reserve: float = 1.25
    microphonics_hz: float = 4.0
    beam_ma: float = 0.8
    set_point_spread: float = 0.03
    calibration: float = 0.01
    crosstalk: float = 0.03
    noise_mv_m: float = 0.02

    def __post_init__(self) -> None:
        if not len(self.mode_hz) == len(self.mode_q) == len(self.mode_k_hz) >= 1:
            raise SettingsError("CavityPhysics: mode_hz, mode_q and mode_k_hz need one number per mechanical mode")
        for field in fields(self):
            if not np.all(np.asarray(getattr(self, field.name)) >= 0):
                raise SettingsError(f"CavityPhysics: {field.name} must not be negative")
        if min(self.frequency_hz, self.loaded_q, self.length_m, self.repetition_hz, *self.mode_hz) <= 0:
            raise SettingsError("CavityPhysics: frequencies, loaded_q and length_m must be positive")
        if min(self.mode_q) <= 0.5 or not 0 < self.fill_us < self.end_us < SAMPLES:
            raise SettingsError(f"CavityPhysics: modes must be underdamped and the pulse end before {SAMPLES} us")

    @property
    def flat_top_start_us(self) -> int:
        """Return the time of the first sample of the flat top."""
        return self.start_us + self.fill_us

    @property
    def end_us(self) -> int:
        """Return the time of the first sample without drive."""
        return self.flat_top_start_us + self.flat_top_us

    @property
    def beam_mv_m_per_s_ma(self) -> float:
        """Return how fast one milliampere on crest takes field from an undriven cavity: (omega / 2) (r/Q) I /
        length."""
        return np.pi * self.frequency_hz * self.r_over_q_ohm * 1e-3 / self.length_m * 1e-6


@dataclass(frozen=True)
class Cavities:
    """The cavities of one machine: arrays (cavities,) unless said otherwise; angular frequencies in rad/s.

    `mode_pole`, `mode_residue` (modes, cavities): each mechanical mode is the complex envelope z' = pole z + |V|^2, and
    detunes by 2 Re(residue z). `shape` (samples, cavities): field the feed-forward aims at, flat top 1.
    `lorentz` (samples, cavities): detuning by that shape at 1 MV/m in the periodic steady state; `mode_start`
    (modes, cavities): z at the start of such a pulse. `calibration` (3, 3, cavities): what the channels read of
    probe, forward and reflected.
    """

    names: tuple[str, ...]
    gradient_mv_m: Floats
    half_bandwidth: Floats
    tuner: Floats
    mode_pole: Array
    mode_residue: Array
    mode_start: Array
    shape: Floats
    lorentz: Floats
    calibration: Array


@lru_cache(maxsize=4)
def cavities_of(physics: CavityPhysics, count: int) -> Cavities:
    """The first `count` cavities of the machine, always the same ones for the same physics."""
    draws = np.stack([np.random.default_rng([MACHINE_SEED, c]).standard_normal(40) for c in range(count)], axis=1)
    uniform = np.stack([np.random.default_rng([MACHINE_SEED, c, 1]).random(8) for c in range(count)], axis=1)
    low, high = physics.gradient_mv_m
    gradient = low + (high - low) * uniform[0]
    half_bandwidth = np.pi * physics.frequency_hz / physics.loaded_q * np.exp(physics.loaded_q_spread * draws[0])
    modes = len(physics.mode_hz)
    omega = 2 * np.pi * np.asarray(physics.mode_hz)[:, None] * (1 + 0.03 * np.resize(draws[1:7], (modes, count)))
    strength = 2 * np.pi * np.asarray(physics.mode_k_hz)[:, None] * (1 + 0.1 * np.resize(draws[7:13], (modes, count)))
    damping = omega / (2 * np.asarray(physics.mode_q)[:, None])
    pole = -damping + 1j * np.sqrt(omega**2 - damping**2)
    residue = -strength * omega**2 / (2j * pole.imag)
    shape = _shape(physics, half_bandwidth)
    start, lorentz = _periodic(physics, shape, pole, residue)
    flat_top = lorentz[physics.flat_top_start_us : physics.end_us].mean(0)
    tuner = -(1 - physics.piezo) * gradient**2 * flat_top + 2 * np.pi * 5.0 * draws[13]
    return Cavities(
        tuple(f"C{1 + c % 8}.M{1 + c // 8 % 4}.A{10 + c // 32}.L3" for c in range(count)),
        gradient, half_bandwidth, tuner, pole, residue, start, shape, lorentz,
        _calibration(physics, draws[14:], uniform),
    )  # fmt: skip


def _shape(physics: CavityPhysics, half_bandwidth: Floats) -> Floats:
    """Return (samples, cavities) field for constant drive in the fill, 1 in the flat top, free decay after it."""
    time = (np.arange(SAMPLES)[:, None] - physics.start_us) * STEP_S
    fill, end = physics.fill_us * STEP_S, (physics.end_us - physics.start_us) * STEP_S
    rising = np.expm1(-half_bandwidth * np.clip(time, 0, fill)) / np.expm1(-half_bandwidth * fill)
    return np.asarray(rising * np.exp(-half_bandwidth * np.clip(time - end, 0, None)))


def _periodic(physics: CavityPhysics, shape: Floats, pole: Array, residue: Array) -> tuple[Array, Floats]:
    """Mode states (modes, cavities) at the start, and detuning (samples, cavities), of pulses repeated for ever."""
    step = np.exp(pole * STEP_S)
    start, lorentz = np.empty_like(pole), np.zeros_like(shape)
    for c in range(shape.shape[1]):
        for m in range(len(pole)):
            decay, gain = step[m, c], (step[m, c] - 1) / pole[m, c]
            driven = lfilter([gain], [1, -decay], shape[:, c] ** 2)
            rest_s = 1 / physics.repetition_hz - SAMPLES * STEP_S
            period = np.exp(pole[m, c] / physics.repetition_hz)
            start[m, c] = driven[-1] * np.exp(pole[m, c] * rest_s) / (1 - period)
            before = np.concatenate([[0], driven[:-1]]) + start[m, c] * decay ** np.arange(SAMPLES)
            lorentz[:, c] += 2 * (residue[m, c] * before).real
    return start, lorentz


def _calibration(physics: CavityPhysics, draws: Floats, uniform: Floats) -> Array:
    """(3, 3, cavities): gain and phase errors on the diagonal, crosstalk between forward and reflected beside it."""
    matrix = np.zeros((3, 3, draws.shape[1]), complex)
    for channel in range(3):
        matrix[channel, channel] = 1 + physics.calibration * (draws[channel] + 1j * draws[3 + channel])
    matrix[1, 2] = physics.crosstalk * (0.5 + 0.5 * uniform[1]) * np.exp(2j * np.pi * uniform[2])
    matrix[2, 1] = physics.crosstalk * (0.5 + 0.5 * uniform[3]) * np.exp(2j * np.pi * uniform[4])
    return matrix
