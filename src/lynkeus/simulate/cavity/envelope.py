"""The cavity equation: complex envelopes and mechanical modes of many pulses at once, in exact exponential steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lynkeus.core.batch import Array, Floats


@dataclass
class Drive:
    """What acts on n pulses: arrays (samples, n) in MV/m or rad/s, complex unless said otherwise; `gate` is 0 or 1.

    While `gate` is open, the amplifier gives `feed_forward` plus `feedback_gain` / 2 times the error, `set_point` less
    `probe_gain` times the field, at most `limit` (n,) MV/m in amplitude. `beam`: dV/dt in MV/m/s.
    `half_bandwidth` (real) is the loaded one, `coupling` (n,) its external part. `detuning` (real): tuner, piezo and
    microphonics, without the modes. `mode_pole`, `mode_residue`, `mode_start` (modes, n): see Cavities.
    """

    feed_forward: Array
    set_point: Array
    gate: Floats
    beam: Array
    half_bandwidth: Floats
    coupling: Floats
    detuning: Floats
    probe_gain: Array
    mode_pole: Array
    mode_residue: Array
    mode_start: Array
    feedback_gain: float = 0.0
    limit: Floats | float = np.inf


@dataclass(frozen=True)
class Envelope:
    """The true envelopes (samples, n) in MV/m, and the detuning (samples, n) in rad/s that they saw."""

    probe: Array
    forward: Array
    reflected: Array
    detuning: Floats


def integrate(drive: Drive, step_s: float) -> Envelope:
    """Solve dV/dt = -(w_half - i detuning) V + 2 w_ext V_forward + beam, the modes driven by |V|^2, from V = 0.

    Inputs are held for one step, in which the solution is exact: stable for any step. Source: S. Simrock, Z. Geng,
    Low-Level Radio Frequency Systems, Springer 2022, sections 3.3.7 and 3.3.10.
    """
    samples, count = drive.feed_forward.shape
    probe, forward = np.empty((samples, count), complex), np.empty((samples, count), complex)
    detuning = np.empty((samples, count))
    mode_decay = np.exp(drive.mode_pole * step_s)
    mode_gain = 2 * drive.mode_residue * (mode_decay - 1) / drive.mode_pole
    modes = 2 * drive.mode_residue * drive.mode_start  # each scaled to what its real part detunes
    field, gain, coupling = np.zeros(count, complex), drive.feedback_gain / 2, 2 * drive.coupling
    for n in range(samples):
        probe[n] = field
        error = drive.set_point[n] - drive.probe_gain[n] * field
        wave = drive.gate[n] * (drive.feed_forward[n] + gain * error)
        forward[n] = wave / np.maximum(np.abs(wave) / drive.limit, 1)
        detuning[n] = drive.detuning[n] + np.add.reduce(modes.real)
        modes = mode_decay * modes + mode_gain * (field.real**2 + field.imag**2)
        pole = drive.half_bandwidth[n] - 1j * detuning[n]
        target = (coupling * forward[n] + drive.beam[n]) / pole
        field = target + (field - target) * np.exp(-step_s * pole)
    return Envelope(probe, forward, probe - forward, detuning)
