"""Planted faults: what a broken channel or a disturbance of all of them does to rows of a table, with truth.

The same faults go into real good data (commissioning) and into simulated data. They do not depend on how a
stream is cut into batches: random numbers are keyed by (seed, number of the fault), and what a fault remembers
(the value at which a channel is stuck) travels in `memory`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Array, Floats
from lynkeus.core.errors import SettingsError

Reach = Literal["channel", "all channels"]


class FaultKind(NamedTuple):
    """How much a fault reaches, one channel or all of them, and what it does in one line."""

    concerns: Reach
    says: str


FAULTS: dict[str, FaultKind] = {
    "noisy": FaultKind("channel", "adds Gaussian noise of size times the channel's jitter"),
    "stuck": FaultKind("channel", "repeats the channel's value of the first row"),
    "offset": FaultKind("channel", "adds plus or minus size times the jitter, one sign for the fault"),
    "gain": FaultKind("channel", "multiplies the deviation from the centre by 1 + size (-1: dead, -2: inverted)"),
    "swapped": FaultKind("channel", "exchanges the cables of two channels, as deviations from their centres"),
    "dropout": FaultKind("channel", "gives no value: NaN"),
    "drift": FaultKind("channel", "ramps linearly up to plus or minus size times the jitter"),
    "kick": FaultKind("all channels", "a corrector deflects the beam: adds size times the pattern to all channels"),
    "step": FaultKind(
        "all channels", "the orbit moves by size times the pattern and stays there to the end of the fault"
    ),
    "flip": FaultKind("all channels", "mirrors all channels about the centre"),
    "frozen": FaultKind("all channels", "all channels repeat their first row: the readout hangs"),
}
_NEED_PATTERN = ("kick", "step")


@dataclass(frozen=True)
class Fault:
    """One fault: rows [start, start + length) of the stream.

    `channel`: column of a fault of one channel, `other`: the second column of `swapped`. `size` is in jitters (gain:
    see FAULTS; stuck, swapped, dropout, flip, frozen have none). `pattern`: for kick and step, what size 1 adds to
    each channel, in the unit of the data. Raises SettingsError for values that make no sense.
    """

    kind: str
    start: int
    length: int
    channel: int = -1
    size: float = 1.0
    other: int = -1
    pattern: tuple[float, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise SettingsError(f"no fault called {self.kind!r}; there are: {', '.join(FAULTS)}")
        if self.start < 0 or self.length < 1:
            raise SettingsError(f"{self.kind}: start must be >= 0 and length >= 1, got {self.start}, {self.length}")
        if not np.isfinite(self.size):
            raise SettingsError(f"{self.kind}: size must be finite, got {self.size}")
        if self.concerns == "channel" and self.channel < 0:
            raise SettingsError(f"{self.kind} is a fault of one channel: give channel >= 0, got {self.channel}")
        if self.kind == "swapped" and (self.other < 0 or self.other == self.channel):
            raise SettingsError(f"swapped needs a second channel in other, got {self.other}")

    @property
    def concerns(self) -> Reach:
        """Return `channel` (one of them) or `all channels` (the whole row)."""
        return FAULTS[self.kind].concerns

    @property
    def stop(self) -> int:
        """Return the first row after the fault."""
        return self.start + self.length


@dataclass(frozen=True)
class _Place:
    """What a fault needs to know of the rows it acts on: `step` (n,) counts rows since its start."""

    fault: Fault
    step: npt.NDArray[np.int64]
    jitter: Floats
    centre: Floats
    rng: np.random.Generator
    held: Floats  # (c,) all channels at the first row of the fault


def apply_faults(
    rows: Array,
    first: int,
    faults: Sequence[Fault],
    jitter: Floats,
    centre: Floats,
    seed: int = 0,
    memory: dict[int, Array] | None = None,
) -> tuple[Array, npt.NDArray[np.int32]]:
    """Return new rows with the faults in them, and the truth (n,): 0, or the 1-based number of the fault.

    `rows` (n, c) floats, `first`: index in the stream of rows[0]; `jitter`, `centre` (c,). Faults act in the order of
    their numbers; where they overlap the truth names the last. `memory` carries what a fault holds from one batch to
    the next: an empty dict for each pass over a stream. Raises SettingsError for a channel or a pattern that does not
    fit the rows.
    """
    memory = {} if memory is None else memory
    rows = np.array(rows, copy=True)
    truth = np.zeros(len(rows), np.int32)
    for number, fault in enumerate(faults, start=1):
        begin, end = max(fault.start - first, 0), min(fault.stop - first, len(rows))
        if begin >= end:
            continue
        _check_fits(fault, rows.shape[1])
        here = rows[begin:end].astype(float)
        held = memory.setdefault(number, here[0].copy())
        step = np.arange(begin, end) + first - fault.start
        _ACTIONS[fault.kind](here, _Place(fault, step, jitter, centre, np.random.default_rng([seed, number]), held))
        rows[begin:end] = here
        truth[begin:end] = number
    return rows, truth


def plan_faults(
    kind: str, size: float, every: int, length: int, rows: int, channels: Sequence[int], seed: int
) -> tuple[Fault, ...]:
    """Return one fault of `length` rows at a random place in each full stretch of `every` rows, on a random one of
    `channels`.

    A fault of all channels keeps channel -1; kick and step still want their pattern (`dataclasses.replace`).
    """
    if not 1 <= length <= every:
        raise SettingsError(f"a fault of {length} rows does not fit into every {every} rows")
    wanted = 2 if kind == "swapped" else 1
    single = kind in FAULTS and FAULTS[kind].concerns == "channel"
    if single and len(channels) < wanted:
        raise SettingsError(f"{kind} needs at least {wanted} channel(s) to choose from, got {len(channels)}")
    rng = np.random.default_rng(seed)
    planned = []
    for begin in range(0, rows - every + 1, every):
        start = begin + int(rng.integers(every - length + 1))
        chosen = [int(c) for c in rng.choice(np.asarray(channels), wanted, replace=False)] if single else [-1]
        other = chosen[1] if wanted == 2 else -1
        planned.append(Fault(kind, start, length, chosen[0], size, other))
    return tuple(planned)


def _check_fits(fault: Fault, channels: int) -> None:
    if max(fault.channel if fault.concerns == "channel" else -1, fault.other) >= channels:
        raise SettingsError(f"{fault.kind}: channel {max(fault.channel, fault.other)} of only {channels} channels")
    if fault.kind in _NEED_PATTERN and len(fault.pattern) != channels:
        raise SettingsError(f"{fault.kind}: the pattern has {len(fault.pattern)} entries for {channels} channels")


def _noisy(rows: Floats, at: _Place) -> None:
    noise = at.rng.standard_normal(at.fault.length)[at.step]
    rows[:, at.fault.channel] += at.fault.size * at.jitter[at.fault.channel] * noise


def _stuck(rows: Floats, at: _Place) -> None:
    rows[:, at.fault.channel] = at.held[at.fault.channel]


def _offset(rows: Floats, at: _Place) -> None:
    rows[:, at.fault.channel] += at.rng.choice([-1, 1]) * at.fault.size * at.jitter[at.fault.channel]


def _gain(rows: Floats, at: _Place) -> None:
    centre = at.centre[at.fault.channel]
    rows[:, at.fault.channel] = centre + (1 + at.fault.size) * (rows[:, at.fault.channel] - centre)


def _swapped(rows: Floats, at: _Place) -> None:
    here, there = at.fault.channel, at.fault.other
    deviation = rows[:, [there, here]] - at.centre[[there, here]]
    rows[:, [here, there]] = at.centre[[here, there]] + deviation


def _dropout(rows: Floats, at: _Place) -> None:
    rows[:, at.fault.channel] = np.nan


def _drift(rows: Floats, at: _Place) -> None:
    full = at.rng.choice([-1, 1]) * at.fault.size * at.jitter[at.fault.channel]
    rows[:, at.fault.channel] += full * (at.step + 1) / at.fault.length


def _move(rows: Floats, at: _Place) -> None:
    rows += at.fault.size * np.asarray(at.fault.pattern)


def _flip(rows: Floats, at: _Place) -> None:
    rows[:] = 2 * at.centre - rows


def _frozen(rows: Floats, at: _Place) -> None:
    rows[:] = at.held


_ACTIONS: dict[str, Callable[[Any, _Place], None]] = {
    "noisy": _noisy,
    "stuck": _stuck,
    "offset": _offset,
    "gain": _gain,
    "swapped": _swapped,
    "dropout": _dropout,
    "drift": _drift,
    "kick": _move,
    "step": _move,
    "flip": _flip,
    "frozen": _frozen,
}
