"""The equation of a pulsed cavity, inverted: calibration, half bandwidth and detuning from its three signals.

Complex envelopes, probe V, drive F without crosstalk, half bandwidth w and detuning d in rad/s (Schilcher 1998; arXiv
2407.08408): dV/dt = -(w - i d) V + alpha F + beam, and V = x forward + y reflected. Units and gains need not be known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Floats, SchemaError

Complex = npt.NDArray[np.complex128]
DRIVEN = 0.3  # share of its top from which the drive counts as on
BLOCK_S = 50e-6  # time over which the equation is integrated
NODE_S = 250e-6  # detuning is piecewise linear over this time where it is fitted together with the half bandwidth
EDGE = 2  # samples beside a step of the drive in which an average over a sample is not what the equation needs
DECAY = 6  # samples without drive that are enough to see the decay
STEP = 0.08  # share of the drive by which it falls at once where the flat top begins
FILLED = 0.9  # share of its top where the field counts as filled


@dataclass(frozen=True)
class RfSignals:
    """Complex envelopes of probe, forward and reflected (n, time), divided by `scale` (n,) so that the probe of each
    pulse has amplitude 1 and phase 0."""

    probe: Complex
    forward: Complex
    reflected: Complex
    scale: Complex


def signals_of(values: Array) -> RfSignals:
    """Return the complex envelopes of I and Q of the three signals (n, 6, time); gaps are interpolated in time."""
    filled = fill_gaps(values)
    signals = filled[:, 0::2] + 1j * filled[:, 1::2]
    probe = signals[:, 0]
    amplitude = np.abs(probe)
    top = np.quantile(amplitude, 0.95, axis=1)
    # A dead probe is noise: divided by its own size it would look like a field.
    least = 0.05 * np.abs(signals).max(axis=(1, 2), initial=0.0)
    turned = np.angle((probe * amplitude).sum(axis=1))
    size = np.maximum(top, least)
    scale = np.where(size > 0, size, 1.0) * np.exp(1j * turned)
    probe, forward, reflected = np.moveaxis(signals / scale[:, None, None], 1, 0)
    return RfSignals(probe, forward, reflected, scale)


def fill_gaps(values: Array) -> Floats:
    """Return the values (n, channel, time) in double precision with NaN interpolated in time; a channel without any
    value is 0."""
    filled = values.astype(np.float64)
    for pulse, channel in np.argwhere(~np.isfinite(filled).all(axis=2)):
        row = filled[pulse, channel]
        known = np.isfinite(row)
        row[:] = np.interp(np.arange(len(row)), np.flatnonzero(known), row[known]) if known.any() else 0.0
    return filled


def in_blocks(rows: Array, length: int) -> Array:
    """Return the trapezoidal means (n, block) of (n, time) over blocks of `length` steps that share their ends."""
    area = np.cumsum(0.5 * (rows[:, 1:] + rows[:, :-1]), axis=1)
    area = np.concatenate([np.zeros_like(area[:, :1]), area], axis=1)[:, ::length]
    return np.asarray(np.diff(area, axis=1) / length)


@dataclass(frozen=True)
class CavityModel:
    """A cavity as its healthy pulses show it. `alpha` 1/s, `crosstalk` of the field in the forward signal, `x`, `y`:
    probe = x forward + y reflected; `half_bandwidth`, `detuning` (block,) in rad/s; `step_s` between samples, `length`
    of a block in samples; the drive is on in samples [`start`, `stop`), the field filled at `filled`."""

    alpha: complex
    crosstalk: complex
    x: complex
    y: complex
    half_bandwidth: float
    detuning: Floats
    step_s: float
    length: int
    start: int
    filled: int
    stop: int

    @classmethod
    def fit(cls, signals: RfSignals, step_s: float) -> Self:
        """Calibrate a cavity on the median of healthy pulses, so that some faulty ones do no harm.

        The half bandwidth comes from fill and decay, where no beam is; the crosstalk from the decay, where no drive is.
        Raises SchemaError where there is no pulse to be seen.
        """
        probe, forward, reflected = (
            np.median(part.real, axis=0) + 1j * np.median(part.imag, axis=0)
            for part in (signals.probe, signals.forward, signals.reflected)
        )
        start, filled, stop = find_phases(probe, forward)
        crosstalk = 0.0j
        if len(probe) - stop - EDGE >= DECAY:
            decay = slice(stop + EDGE, None)
            crosstalk = complex(np.vdot(probe[decay], forward[decay]) / np.vdot(probe[decay], probe[decay]))
        alpha, half_bandwidth = _fit_fill_and_decay(
            probe, forward - crosstalk * probe, (start, filled, stop), step_s
        )  # fmt: skip
        both = np.stack([forward, reflected], axis=1)
        x, y = np.linalg.lstsq(both, probe, rcond=1e-6)[0]
        length = max(1, round(BLOCK_S / step_s))
        model = cls(
            alpha, crosstalk, complex(x), complex(y), half_bandwidth, np.zeros((len(probe) - 1) // length),
            step_s, length, start, filled, stop,
        )  # fmt: skip
        medians = RfSignals(probe[None], forward[None], reflected[None], signals.scale[:1])
        return cls(**(vars(model) | {"detuning": _detuning(model, medians)}))

    def drive(self, signals: RfSignals) -> Complex:
        """Return forward without crosstalk (n, time), in units of the field that it would hold up in the end."""
        return np.asarray((signals.forward - self.crosstalk * signals.probe) * (self.alpha / self.half_bandwidth))

    def residual(self, signals: RfSignals) -> Complex:
        """Return what the equation leaves over (n, block), in units of half bandwidth times field: beam, or a fault."""
        field = self.field(signals)
        change = np.diff(signals.probe[:, :: self.length], axis=1)[:, : field.shape[1]]
        rate = change / (self.length * self.step_s * self.half_bandwidth)
        drive = in_blocks(self.drive(signals), self.length)
        return np.asarray(rate - drive + field * (1 - 1j * self.detuning / self.half_bandwidth))

    def field(self, signals: RfSignals) -> Complex:
        """Return the mean of the probe in each block (n, block)."""
        return np.asarray(in_blocks(signals.probe, self.length))

    def contradiction(self, signals: RfSignals) -> Complex:
        """Return the probe minus what forward and reflected say of it (n, time): 0 whatever the cavity does."""
        return np.asarray(signals.probe - self.x * signals.forward - self.y * signals.reflected)

    @property
    def blocks_s(self) -> Floats:
        """Return the time (block,) in the middle of each block, in s."""
        return (np.arange(len(self.detuning)) + 0.5) * self.length * self.step_s


def chi_square(rows: Complex) -> Floats:
    """Return the sum (n,) of the squared magnitudes of each row."""
    return along(rows, rows)


def along(rows: Complex, other: Complex) -> Floats:
    """Return the real part (n,) of the product of each row with the conjugate of the other one: quick, as nothing is
    kept but the sum."""
    one, two = (np.ascontiguousarray(part, complex).view(float) for part in (rows, other))
    return np.asarray(np.einsum("ij,ij->i", one, two))


def find_phases(probe: Complex, forward: Complex) -> tuple[int, int, int]:
    """Return the first sample with drive, the first with the field filled, and the first after the drive. Raises
    SchemaError without a pulse."""
    power = np.abs(forward)
    driven = np.flatnonzero(power > DRIVEN * np.quantile(power, 0.9))
    amplitude = np.abs(probe)
    if len(driven) < DECAY or not amplitude.max() > 0:
        raise SchemaError("cavity finds no drive in the forward signal of these pulses; is it the right channel?")
    start, stop = int(driven[0]), int(driven[-1]) + 1
    filled = int(np.argmax(amplitude >= FILLED * amplitude.max()))
    falls = power[2 * EDGE : stop - EDGE] - power[: stop - 3 * EDGE] < -STEP * np.median(power[driven])
    falls[: start + 4 * EDGE] = False
    if falls.any():  # the flat top begins where the drive steps down, and the beam no earlier
        filled = min(filled, int(np.argmax(falls)))
    if not start < filled < stop:
        raise SchemaError(
            "cavity finds no field that rises while there is drive; are these pulses with probe, forward and reflected?"
        )
    return start, filled, stop


def _fit_fill_and_decay(
    probe: Complex, drive: Complex, phases: tuple[int, int, int], step_s: float
) -> tuple[complex, float]:
    """Return alpha (1/s) and half bandwidth (rad/s) by least squares; the detuning is piecewise linear, apart in fill
    and decay."""
    start, filled, stop = phases
    field, driving = 0.5 * (probe[1:] + probe[:-1]), 0.5 * (drive[1:] + drive[:-1])
    rate = np.diff(probe) / step_s
    parts = [np.arange(start + EDGE, filled), np.arange(stop + EDGE, len(rate))]
    hats, rows = [], []
    for part in parts:
        if len(part) < DECAY:
            continue
        nodes = np.linspace(part[0], part[-1], max(2, round(len(part) * step_s / NODE_S) + 1))
        hats.append(np.stack([np.interp(part, nodes, unit) for unit in np.eye(len(nodes))], axis=1))
        rows.append(part)
    if not rows:
        raise SchemaError("cavity finds neither a fill nor a decay to learn the half bandwidth from; give whole pulses")
    at = np.concatenate(rows)
    shapes = np.zeros((len(at), sum(hat.shape[1] for hat in hats)))
    row = column = 0
    for hat in hats:
        shapes[row : row + len(hat), column : column + hat.shape[1]] = hat
        row, column = row + len(hat), column + hat.shape[1]
    columns = np.concatenate(
        [driving[at, None], 1j * driving[at, None], -field[at, None], 1j * field[at, None] * shapes], axis=1
    )
    found = np.linalg.lstsq(
        np.concatenate([columns.real, columns.imag]), np.concatenate([rate[at].real, rate[at].imag]), rcond=1e-9
    )[0]
    if not found[2] > 0:
        raise SchemaError(
            "cavity finds a field that does not decay without drive; are the channels in the right order?"
        )
    return complex(found[0], found[1]), float(found[2])


def _detuning(model: CavityModel, medians: RfSignals) -> Floats:
    """Return the detuning (block,) in rad/s from the phase of what the equation leaves over; where the field is too
    weak it is interpolated between blocks that have some."""
    field = model.field(medians)[0]
    ratio = model.residual(medians)[0] / np.where(field == 0, 1, field)
    strong = np.flatnonzero(np.abs(field) > 0.15)  # of the top: below it noise is divided by hardly any field
    detuning = ratio.imag * model.half_bandwidth
    return np.asarray(np.interp(np.arange(len(field)), strong, detuning[strong]))
