"""Beam orbits of a FODO line with the channels, modes and noise of the European XFEL undulators, and faults with truth.

Two lines leave the linac: north carries SA1 and, behind a long section without monitors, SA3; south carries SA2.
Incoming betatron jitter, an energy jitter through leaked dispersion, weak kicks inside the line, slow drifts and
the resolution of every monitor make the orbit. The table below holds the summary statistics that it was tuned to;
docs/explanations/orbit_simulator.md says how close it comes, and where it is not like the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Self

import h5py
import numpy as np
from scipy.signal import lfilter
from scipy.special import ndtri

from lynkeus.core.batch import Array, Batch, Floats, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.core.protocols import Source
from lynkeus.simulate.beam.optics import Fodo, Plane
from lynkeus.transforms.faults import Fault, apply_faults

RATE_HZ = 10.0
MINUTE = 600  # shots; random numbers are keyed by (seed, minute), so that batches can be cut anywhere
START_NS = 1_645_747_200_000_000_000  # 2022-02-25 00:00 UTC
MACHINE_SEED = 2022  # offsets and resolutions belong to the machine: every simulated hour has the same ones

LINES = {"north": Fodo(stations=120), "south": Fodo(stations=39)}
LINE_START_M = {"north": 2241.0, "south": 2203.0}
PLANES: tuple[Plane, Plane] = ("x", "y")


@dataclass(frozen=True)
class Branch:
    """Monitors at consecutive stations of a line, and their resolution: median (x, y) in um, log-normal spread."""

    name: str
    line: str
    station: int
    monitors: int
    resolution_um: tuple[float, float]
    spread: tuple[float, float]


@dataclass(frozen=True)
class BetatronJitter:
    """Incoming betatron jitter at a station: rms in um at mean beta of the cosine- and sine-like part, (x, y)."""

    line: str
    station: int
    cosine_um: tuple[float, float]
    sine_um: tuple[float, float]


BRANCHES = (
    Branch("SA1", "north", 0, 37, (0.36, 0.14), (0.45, 0.45)),
    Branch("SA2", "south", 0, 39, (0.39, 0.14), (0.50, 0.45)),
    Branch("SA3", "north", 93, 27, (0.52, 0.22), (0.50, 0.50)),
)
JITTERS = (
    BetatronJitter("north", 0, (1.40, 0.95), (1.00, 0.60)),
    BetatronJitter("north", 93, (0.80, 0.25), (0.30, 0.15)),
    BetatronJitter("south", 0, (1.50, 0.75), (0.95, 0.45)),
)
ENERGY_JITTER = 1.5e-4
DISPERSION_MM = {"north": (4.0, 2.5), "south": (-6.0, 4.0)}  # leaked into each line, amplitude in (x, y)
LINE_KICK_UM = 0.45  # rms at mean beta of a weak kick halfway through each branch
SLOW_SHARE, SLOW_SHOTS = 0.25, 14.0  # share of the variance of a mode that lasts for this many shots
MODE_DRIFT, MODE_DRIFT_MINUTES = 0.25, 15.0  # rms in units of the mode's jitter, correlation time
CHANNEL_DRIFT, CHANNEL_DRIFT_MINUTES = 0.35, 60.0  # median rms in units of the resolution; log-normal, spread 0.8
OFFSET_UM = 90.0


@dataclass(frozen=True)
class Machine:
    """What stays the same from shot to shot; (c,) per channel in mm, all x before all y.

    `modes` (k, c): what one standard deviation of each source adds to each channel. `kicks` (c, c): row i is what the
    corrector beside monitor i adds in its plane, scaled so that size 1 moves the most disturbed channel by its jitter.
    """

    names: tuple[str, ...]
    modes: Floats
    resolution: Floats
    drift: Floats
    offset: Floats
    kicks: Floats

    @property
    def jitter(self) -> Floats:
        """Return (c,) shot-to-shot standard deviation of each channel without drifts."""
        return np.asarray(np.sqrt((self.modes**2).sum(0) + self.resolution**2))


def _channels(line: str, plane: Plane, orbit: Floats) -> Floats:
    """Return (c,) what all channels see of an orbit (stations,) in one plane of one line."""
    seen = [
        orbit[b.station : b.station + b.monitors] if (p, b.line) == (plane, line) else np.zeros(b.monitors)
        for p in PLANES
        for b in BRANCHES
    ]
    return np.concatenate(seen)


def _modes() -> Floats:
    rows: list[Floats] = []
    energy: Floats = np.zeros(2 * sum(branch.monitors for branch in BRANCHES))
    for p, plane in enumerate(PLANES):
        for jitter in JITTERS:
            fodo = LINES[jitter.line]
            # Mean over all phases of an orbit sqrt(beta) cos is sqrt(beta / 2).
            unit = np.sqrt(2 / fodo.beta_m(plane).mean()) * fodo.trajectories(plane, jitter.station)
            rows.append(1e-3 * jitter.cosine_um[p] * _channels(jitter.line, plane, unit[0]))
            rows.append(1e-3 * jitter.sine_um[p] * _channels(jitter.line, plane, unit[1]))
        for branch in BRANCHES:
            fodo, middle = LINES[branch.line], branch.station + branch.monitors // 2
            sine = np.sqrt(2 / fodo.beta_m(plane).mean()) * fodo.trajectories(plane, middle)[1]
            rows.append(1e-3 * LINE_KICK_UM * _channels(branch.line, plane, sine))
        for line, fodo in LINES.items():
            leaked = fodo.trajectories(plane) / np.sqrt(fodo.beta_m(plane).mean())
            energy = energy + ENERGY_JITTER * DISPERSION_MM[line][p] * _channels(line, plane, leaked.sum(0))
    return np.stack([*rows, energy])


def _kicks(jitter: Floats) -> Floats:
    rows = []
    for plane in PLANES:
        for branch in BRANCHES:
            for station in range(branch.station, branch.station + branch.monitors):
                orbit = _channels(branch.line, plane, LINES[branch.line].kick_response_m_per_rad(plane, station))
                rows.append(orbit / max(np.abs(orbit / jitter).max(), 1e-12))
    return np.stack(rows)


@cache
def machine() -> Machine:
    """The simulated machine, always the same one."""
    rng = np.random.default_rng(MACHINE_SEED)
    names, resolution = [], []
    for p, plane in enumerate(PLANES):
        for b in BRANCHES:
            metres = LINE_START_M[b.line] + LINES[b.line].half_cell_m * (b.station + np.arange(b.monitors))
            names += [f"BPME.{metre:.0f}.{b.name}/{plane}" for metre in metres]
            normal = rng.permutation(ndtri((np.arange(b.monitors) + 0.5) / b.monitors))
            resolution.append(1e-3 * b.resolution_um[p] * np.exp(b.spread[p] * normal))
    sigma, modes, count = np.concatenate(resolution), _modes(), len(names)
    drift = CHANNEL_DRIFT * sigma * np.exp(0.8 * rng.permutation(ndtri((np.arange(count) + 0.5) / count)))
    offset = 1e-3 * rng.normal(0, OFFSET_UM, count)
    bare = Machine(tuple(names), modes, sigma, drift, offset, kicks=np.zeros(0))
    return replace(bare, kicks=_kicks(bare.jitter))


class OrbitSource:
    """A stream of simulated orbits at 10 Hz: a table of 206 channels in mm, stored as float16 like the real file.

    The same (hours, seed, faults) give the same numbers however `batch` cuts them. `faults`: Fault objects, or text
    `kind:start:length:channel:size:other,...` as in a URL (what is not given keeps its default). The channel of a kick
    or step names the monitor beside its corrector. Raises SettingsError for options that make no sense.
    """

    def __init__(
        self,
        hours: float | str = 1.0,
        seed: int | str = 1,
        faults: Sequence[Fault] | str = (),
        batch: int | str = 6000,
        start_ns: int | str = START_NS,
    ) -> None:
        self.machine = machine()
        try:
            self.hours, self.seed, self.batch, self.start_ns = float(hours), int(seed), int(batch), int(start_ns)
        except ValueError as error:
            raise SettingsError(f"sim://orbit: an option is not a number: {error}") from None
        if not (0 < self.hours < 1e6 and self.seed >= 0 and self.batch >= 1 and self.start_ns >= 0):
            raise SettingsError("sim://orbit: hours and batch must be positive, seed and start_ns not negative")
        given = _faults_from_text(faults) if isinstance(faults, str) else faults
        self.faults = tuple(self._with_pattern(fault) for fault in given)
        names = self.machine.names
        self.schema = Schema("table", names, ("mm",), (len(names),), sample_rate_hz=RATE_HZ, instrument="xfel_orbits")

    def __len__(self) -> int:
        return max(round(self.hours * 3600 * RATE_HZ), 1)

    def of_length(self, samples: int) -> Self:
        """Return the same simulation with so many orbits."""
        return type(self)(samples / (3600 * RATE_HZ), self.seed, self.faults, self.batch, self.start_ns)

    def __iter__(self) -> Iterator[Batch]:
        memory: dict[int, Array] = {}
        first, pending = 0, np.empty((0, len(self.machine.names)), np.float32)
        for minute in self._minutes():
            pending = np.concatenate([pending, minute]) if len(pending) else minute
            last = first + len(pending) == len(self)
            while len(pending) >= self.batch or (last and len(pending)):
                rows, pending = pending[: self.batch], pending[self.batch :]
                yield self._batch(rows, first, memory)
                first += len(rows)

    def _batch(self, rows: Floats, first: int, memory: dict[int, Array]) -> Batch:
        at = self.machine
        rows, truth = apply_faults(rows, first, self.faults, at.jitter, at.offset, self.seed, memory)
        position = first + np.arange(len(rows))
        time_ns = self.start_ns + position * round(1e9 / RATE_HZ)
        stored = rows.astype(np.float16).astype(np.float32)
        return Batch(self.schema, stored, time_ns=time_ns, truth=truth, meta={"position": position})

    def _minutes(self) -> Iterator[Floats]:
        """Good orbits (600, c) in mm, minute after minute."""
        at, decay = self.machine, np.exp(-1 / SLOW_SHOTS)
        start = np.random.default_rng([self.seed, 0])
        modes, channels = len(at.modes), len(at.names)
        slow = start.standard_normal(modes)
        mode_drift: Floats = start.standard_normal(modes)
        channel_drift: Floats = start.standard_normal(channels)
        ramp = (np.arange(MINUTE) / MINUTE)[:, None]
        for minute in range(-(-len(self) // MINUTE)):
            rng = np.random.default_rng([self.seed, minute + 1])
            steps = np.sqrt(1 - decay**2) * rng.standard_normal((MINUTE, modes))
            lasting, _ = lfilter([1.0], [1.0, -decay], steps, axis=0, zi=decay * slow[None])
            slow = lasting[-1]
            amplitude = np.sqrt(1 - SLOW_SHARE) * rng.standard_normal((MINUTE, modes)) + np.sqrt(SLOW_SHARE) * lasting
            after = _later(mode_drift, MODE_DRIFT_MINUTES, rng), _later(channel_drift, CHANNEL_DRIFT_MINUTES, rng)
            amplitude += MODE_DRIFT * (mode_drift + ramp * (after[0] - mode_drift))
            rows = rng.standard_normal((MINUTE, channels), dtype=np.float32)
            rows *= at.resolution.astype(np.float32)
            rows += np.hstack([amplitude, 1 - ramp, ramp]).astype(np.float32) @ np.vstack(
                [at.modes, at.offset + at.drift * channel_drift, at.offset + at.drift * after[1]]
            ).astype(np.float32)
            mode_drift, channel_drift = after
            yield rows[: len(self) - minute * MINUTE]

    def _with_pattern(self, fault: Fault) -> Fault:
        if fault.kind not in ("kick", "step") or fault.pattern:
            return fault
        if not 0 <= fault.channel < len(self.machine.names):
            raise SettingsError(
                f"sim://orbit: {fault.kind} needs the channel beside its corrector, got {fault.channel}"
            )
        pattern = self.machine.kicks[fault.channel]
        if not pattern.any():
            raise SettingsError(f"sim://orbit: no monitor behind the corrector of {self.machine.names[fault.channel]}")
        return replace(fault, pattern=tuple(pattern.tolist()))


def _later(drift: Floats, minutes: float, rng: np.random.Generator) -> Floats:
    """An Ornstein-Uhlenbeck process of unit variance one minute later."""
    decay = np.exp(-1 / minutes)
    return np.asarray(decay * drift + np.sqrt(1 - decay**2) * rng.standard_normal(len(drift)))


def _faults_from_text(text: str) -> tuple[Fault, ...]:
    faults = []
    for item in filter(None, text.split(",")):
        kind, *numbers = item.split(":")
        try:
            values = [convert(n) for convert, n in zip((int, int, int, float, int), numbers, strict=False)]
            faults.append(Fault(kind, *values))
        except (TypeError, ValueError):
            raise SettingsError(f"fault {item!r} is not of the form kind:start:length:channel:size:other") from None
    return tuple(faults)


def write_orbits_h5(source: Source, path: Path | str) -> None:
    """Write orbits in the layout of the real file, orbit/{x, y, bpm, time_ns}; x, y (shots, monitors) float16.

    Wants a table whose channels are `<monitor>/x` then `<monitor>/y`; adds orbit/truth where the source knows it.
    """
    names = source.schema.names
    half = len(names) // 2
    monitors = [name.removesuffix("/x") for name in names[:half]]
    if names != (*(f"{m}/x" for m in monitors), *(f"{m}/y" for m in monitors)):
        raise SettingsError(f"{path}: an orbit file wants the channels <monitor>/x, then the same <monitor>/y")
    with h5py.File(path, "w") as file:
        orbit = file.create_group("orbit")
        orbit["bpm"] = [f"XFEL.DIAG/BPM/{monitor}" for monitor in monitors]
        for batch in source:
            values = batch.values.astype(np.float16)
            columns = {"x": values[:, :half], "y": values[:, half:], "time_ns": batch.time_ns, "truth": batch.truth}
            for name, column in columns.items():
                if column is not None:
                    _append(orbit, name, column)
        for name in {"x", "y"} & set(orbit):
            orbit[name].attrs["unit"] = "mm"


def _append(group: h5py.Group, name: str, rows: Array) -> None:
    if name not in group:
        group.create_dataset(name, data=rows, maxshape=(None, *rows.shape[1:]), chunks=(MINUTE, *rows.shape[1:]))
        return
    held = group[name]
    held.resize(len(held) + len(rows), axis=0)
    held[-len(rows) :] = rows
