"""Pulses of superconducting RF cavities as in the European XFEL: probe, forward, reflected, and faults with truth.

The physics and its sources: docs/explanations/cavity_simulator.md. One file each: the cavities (cavity_machine), what
changes from pulse to pulse (cavity_pulses), the cavity equation (cavity_envelope), the faults (cavity_faults).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats, Schema, concatenate
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.cavity.envelope import Envelope, integrate
from lynkeus.simulate.cavity.faults import CLASSES, Plan, plan_faults, plant_in_cavity, plant_in_readout
from lynkeus.simulate.cavity.machine import SAMPLE_RATE_HZ, SAMPLES, STEP_S, Cavities, CavityPhysics, cavities_of
from lynkeus.simulate.cavity.pulses import CavityPulses, drive_of, join, pulses_of

AVERAGED = 10  # samples that become one
BLOCK = 256  # pulses integrated together
FIRST_PID = 1_200_000_000
NAMES = tuple(f"{signal}_{part}" for signal in ("probe", "forward", "reflected") for part in "iq")
SCHEMA = Schema(
    "waveform", NAMES, ("MV/m",), (6, SAMPLES // AVERAGED), SAMPLE_RATE_HZ / AVERAGED, instrument="xfel_llrf"
)


class RawPulses(NamedTuple):
    """n pulses as the channels read them at 1 MHz: `signals` (3, 1820, n) complex64 in MV/m; `first`: first row."""

    first: int
    signals: Array
    truth: Array
    meta: dict[str, Array]


@dataclass
class CavitySource:
    """A stream of simulated pulses, cavity by cavity: waveforms (6, 182) in MV/m at 100 kHz.

    `pulses` of each of `cavities`. `fault`: a class of CLASSES, "all" or "healthy"; `share` of the pulses are faulty,
    `size` scales how badly. The same options give the same numbers however `batch` cuts them, and without the fault
    the same pulses healthy. Batch.truth is the index in CLASSES. meta: `cavity`, `pid`; `event`, number of the sequence
    of faulty pulses, 0 for healthy; `onset_us` (0: the whole pulse) and `strength` as in cavity_faults, else NaN;
    `field_drop`, how far the true field falls below the set point in the flat top, relative.
    Raises SettingsError for options that make no sense.
    """

    pulses: int = 1000
    cavities: int = 1
    seed: int = 1
    fault: str = "healthy"
    share: float = 0.1
    size: float = 1.0
    batch: int = 500
    physics: CavityPhysics = field(default_factory=CavityPhysics)

    def __post_init__(self) -> None:
        for name in ("pulses", "cavities", "seed", "batch"):
            setattr(self, name, _number(name, getattr(self, name), int))
        for name in ("share", "size"):
            setattr(self, name, _number(name, getattr(self, name), float))
        if min(self.pulses, self.cavities, self.batch) < 1 or self.seed < 0:
            raise SettingsError("sim://cavity: pulses, cavities and batch must be positive, seed not negative")
        if not (0 <= self.share <= 1 and 0 < self.size < np.inf):
            raise SettingsError("sim://cavity: share must lie between 0 and 1, size must be positive and finite")
        if self.fault not in (*CLASSES, "all"):
            raise SettingsError(f"sim://cavity: no fault called {self.fault!r}; there are: all, {', '.join(CLASSES)}")
        if not isinstance(self.physics, CavityPhysics):
            raise SettingsError("sim://cavity: physics is a CavityPhysics; it cannot be given in a URL")

    @property
    def schema(self) -> Schema:
        """Six channels, in-phase and quadrature of probe, forward and reflected."""
        return SCHEMA

    def __len__(self) -> int:
        return self.pulses * self.cavities

    def of_length(self, samples: int) -> Self:
        """Return the same simulation with at least so many pulses of all cavities together."""
        return replace(self, pulses=-(-samples // self.cavities))

    @property
    def pid(self) -> Array:
        """Return (pulses,) macro-pulse numbers, the same for every cavity."""
        return FIRST_PID + np.arange(self.pulses)

    @cached_property
    def machine(self) -> Cavities:
        """The cavities: the same ones for every seed."""
        return cavities_of(self.physics, self.cavities)

    @cached_property
    def plan(self) -> Plan:
        """Return (len,) records of cavity_faults.RECORD: what is wrong with each pulse."""
        classes = CLASSES[1:] if self.fault == "all" else (self.fault,)
        share = 0.0 if self.fault == "healthy" else self.share
        plans, events = [], 0
        for cavity in range(self.cavities):
            rng = np.random.default_rng([self.seed, 2, cavity])
            plan = plan_faults(self.physics, self.pulses, (classes, share, self.size), rng)
            plan["event"] += np.where(plan["event"] > 0, events, 0)
            events = max(events, int(plan["event"].max()))
            plans.append(plan)
        return np.concatenate(plans)

    @cached_property
    def planned(self) -> CavityPulses:
        """Return what each pulse would be if nothing were wrong."""
        each = range(self.cavities)
        pulses = join([pulses_of(self.physics, self.machine, c, self.pulses, self.seed) for c in each])
        needs_beam = (self.plan["truth"] == CLASSES.index("beam_loss")) & (pulses.beam_planned_ma == 0)
        pulses.beam_planned_ma[needs_beam] = pulses.beam_ma[needs_beam] = self.physics.beam_ma
        return pulses

    def __iter__(self) -> Iterator[Batch]:
        pending: list[Batch] = []
        for raw in self.raw():
            values = to_rows(raw.signals)
            pending.append(Batch(SCHEMA, values, truth=raw.truth, meta=raw.meta))
            while (held := sum(map(len, pending))) >= self.batch or (raw.first + len(values) == len(self) and held):
                joined = concatenate(pending)
                yield joined[: self.batch]
                pending = [joined[self.batch :]]

    def raw(self) -> Iterator[RawPulses]:
        """Yield the pulses at 1 MHz in blocks."""
        for first in range(0, len(self), BLOCK):
            rows = slice(first, min(first + BLOCK, len(self)))
            pulses, plan = self.planned[rows], self.plan[rows]
            drive = drive_of(self.physics, self.machine, pulses)
            plant_in_cavity(drive, plan, pulses.set_point)
            envelope = integrate(drive, STEP_S)
            rng = np.random.default_rng([self.seed, 3, first])
            signals = _readout(envelope, self.machine.calibration[:, :, pulses.cavity], self.physics.noise_mv_m, rng)
            plant_in_readout(signals, plan, rng)
            yield RawPulses(first, signals, plan["truth"].copy(), self._meta(rows, pulses, envelope))

    def _meta(self, rows: slice, pulses: CavityPulses, envelope: Envelope) -> dict[str, Array]:
        plan, at = self.plan[rows], self.physics
        held = np.abs(envelope.probe[at.flat_top_start_us : at.end_us]).min(0)
        healthy = plan["truth"] == 0
        return {
            "cavity": np.array(self.machine.names)[pulses.cavity],
            "pid": self.pid[np.arange(rows.start, rows.stop) % self.pulses],
            "event": plan["event"].copy(),
            "onset_us": np.where(healthy, np.nan, plan["onset_us"]),
            "strength": np.where(healthy, np.nan, plan["strength"]),
            "field_drop": 1 - held / np.abs(pulses.set_point),
        }


def _number(name: str, value: object, kind: type[int] | type[float]) -> int | float:
    try:
        number = float(value)  # type: ignore[arg-type]
        if kind(number) == number:
            return kind(number)
    except (TypeError, ValueError, OverflowError):
        pass
    raise SettingsError(
        f"sim://cavity: {name} must be {'a whole number' if kind is int else 'a number'}, got {value!r}"
    )


def _readout(envelope: Envelope, calibration: Array, noise_mv_m: float, rng: np.random.Generator) -> Array:
    """(3, samples, n) complex64: true envelopes with the errors of calibration, crosstalk and noise."""
    true = [values.astype(np.complex64) for values in (envelope.probe, envelope.forward, envelope.reflected)]
    factor = calibration.astype(np.complex64)
    read = rng.standard_normal((3, *true[0].shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    read *= np.float32(noise_mv_m)
    for channel, source in zip(*np.nonzero(factor.any(-1)), strict=True):
        read[channel] += factor[channel, source] * true[source]
    return read


def to_rows(signals: Array) -> Floats:
    """Return I and Q (n, 6, 182) of complex signals (3, 1820, n), each the mean of AVERAGED samples."""
    mean = signals.reshape(3, -1, AVERAGED, signals.shape[-1]).mean(2)
    parts = np.stack([mean.real, mean.imag], axis=1)
    return np.ascontiguousarray(parts.reshape(6, -1, signals.shape[-1]).transpose(2, 0, 1), dtype=np.float32)
