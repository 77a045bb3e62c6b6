"""What differs from pulse to pulse when all is well: set point, beam, microphonics, drive; and the Drive they make."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.cavity.envelope import Drive
from lynkeus.simulate.cavity.machine import SAMPLES, STEP_S, Cavities, CavityPhysics

SEGMENT = 100  # pulses between two changes by the operators
BEAM_SHARE = 0.85  # of the segments have beam
DRIVE_ERROR = 0.003  # rms from pulse to pulse, of amplitude; of phase in rad


@dataclass(frozen=True)
class CavityPulses:
    """Arrays (n,): cavity number; complex set point in MV/m; microphonics in rad/s; the beam in mA on crest as planned
    and as it came, complex, and when it is on; complex factor on the feed-forward."""

    cavity: Array
    set_point: Array
    microphonics: Floats
    beam_planned_ma: Array
    beam_ma: Array
    beam_start_us: Floats
    beam_stop_us: Floats
    drive_error: Array

    def __getitem__(self, rows: slice) -> CavityPulses:
        return CavityPulses(*(getattr(self, field.name)[rows] for field in fields(self)))


def join(parts: list[CavityPulses]) -> CavityPulses:
    """The pulses of several cavities one after the other."""
    return CavityPulses(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(CavityPulses))
    )


def pulses_of(physics: CavityPhysics, machine: Cavities, cavity: int, count: int, seed: int) -> CavityPulses:
    """`count` healthy pulses of one cavity; every SEGMENT pulses its set point and everybody's beam change."""
    rng, station = np.random.default_rng([seed, 1, cavity]), np.random.default_rng([seed, 0])
    segments = -(-count // SEGMENT)
    beam = station.random((segments, 4)).repeat(SEGMENT, axis=0)[:count]
    current = physics.beam_ma * (beam[:, 0] < BEAM_SHARE) * (0.5 + beam[:, 1]) * np.exp(0.25j * (2 * beam[:, 2] - 1))
    start = np.full(count, physics.flat_top_start_us + 20.0)
    level, turn = rng.standard_normal((2, segments)).repeat(SEGMENT, axis=1)[:, :count]
    level = 1 + physics.set_point_spread * np.clip(level, -2.5, 2.5)
    error = rng.standard_normal((2, count))
    return CavityPulses(
        cavity=np.full(count, cavity),
        set_point=machine.gradient_mv_m[cavity] * level * np.exp(1j * physics.set_point_spread * turn),
        microphonics=2 * np.pi * physics.microphonics_hz * _microphonics(count, rng),
        beam_planned_ma=current,
        beam_ma=current * (1 + 0.03 * rng.standard_normal(count)),
        beam_start_us=start,
        beam_stop_us=start + (physics.end_us - start) * (0.4 + 0.6 * beam[:, 3]),
        drive_error=1 + DRIVE_ERROR * (error[0] + 1j * error[1]),
    )


def _microphonics(count: int, rng: np.random.Generator) -> Floats:
    """Return (count,) of unit variance: eight lines between minutes and the aliased rhythm of pumps, and a white
    part."""
    cycles, phase = 0.5 * 1000 ** -rng.random(8), 2 * np.pi * rng.random(8)
    lines = np.cos(2 * np.pi * cycles * np.arange(count)[:, None] + phase).sum(1) / 2
    return np.asarray(np.sqrt(0.8) * lines + np.sqrt(0.2) * rng.standard_normal(count))


def drive_of(physics: CavityPhysics, machine: Cavities, pulses: CavityPulses) -> Drive:
    """Return what acts on the pulses: feed-forward that would hold the planned field, the beam, the detuning from
    outside.

    The feed-forward inverts the cavity equation for the planned field and beam, as learning feed-forward does in the
    end; it knows the Lorentz force, the piezo and the tuner, but not the microphonics.
    """
    at, time_us = pulses.cavity, np.arange(SAMPLES)[:, None]
    half_bandwidth, shape = machine.half_bandwidth[at], machine.shape[:, at]
    after = np.concatenate([machine.shape[1:], machine.shape[-1:]])
    middle, slope = (machine.shape + after) / 2, (after - machine.shape) / STEP_S
    outside = machine.tuner - physics.piezo * machine.gradient_mv_m**2 * machine.lorentz
    steady, lorentz = slope + (machine.half_bandwidth - 1j * outside) * middle, machine.lorentz * middle
    wanted = steady[:, at] - 1j * np.abs(pulses.set_point) ** 2 * lorentz[:, at]
    wanted *= pulses.drive_error * pulses.set_point / (2 * half_bandwidth)
    beam_on = (time_us >= pulses.beam_start_us) & (time_us < pulses.beam_stop_us)
    per_ma = -physics.beam_mv_m_per_s_ma * pulses.set_point / np.abs(pulses.set_point)
    wanted -= beam_on * (pulses.drive_error * per_ma * pulses.beam_planned_ma / (2 * half_bandwidth))
    gate = (time_us >= physics.start_us) & (time_us < physics.end_us)
    return Drive(
        feed_forward=wanted,
        set_point=pulses.set_point * shape,
        gate=np.broadcast_to(gate, shape.shape).astype(float),
        beam=beam_on * (per_ma * pulses.beam_ma),
        half_bandwidth=np.broadcast_to(half_bandwidth, shape.shape).copy(),
        coupling=half_bandwidth,
        detuning=outside[:, at] + pulses.microphonics,
        probe_gain=np.ones(shape.shape, complex),
        mode_pole=machine.mode_pole[:, at],
        mode_residue=machine.mode_residue[:, at],
        mode_start=machine.mode_start[:, at] * np.abs(pulses.set_point) ** 2,
        feedback_gain=physics.feedback_gain,
        limit=physics.power_reserve * np.abs(wanted).max(0),
    )
