"""The moving baseline of `orbit`: follows slow drift, stands still while something is wrong, adopts what stays.

It remembers the last few orbits that it left: an orbit that switches between two places (a corrector that is turned
on and off) is news the first time, not every time. The baseline is constant within a block of a few windows and
moves between blocks, so that long stretches are computed at once and the result does not depend on how the stream
is cut into batches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Floats

KNOWN_ORBITS = 3
MOST_WRONG = 8  # channels that are broken at once; more are a moved beam
CENTRE_WINDOWS = (30.0, 60.0, 300.0, 1800.0)  # time constants of the long-term centres, in windows
SWAY = 2  # the centre about which the whole orbit sways


@dataclass(frozen=True)
class Pace:
    """How the baseline moves: `block` windows per step, `gain` of a step, deviations clipped at `clip` sigmas.

    A channel that deviates stands still for `monitor_adopt` windows, the whole orbit for `beam_adopt` windows after
    a step; then the new place is taken for good. `warm_up` windows are averaged at a fresh start.
    """

    block: int = 10
    gain: float = 0.5
    clip: float = 2.0
    monitor_adopt: int = 600
    beam_adopt: int = 15
    warm_up: int = 10


@dataclass
class OrbitBaseline:
    """State of the baseline in units of conditional sigmas. All arrays over channels (c,); `centres` (4, c).

    `known` (k, c): orbits that were left, the latest first; `recent` (k, c): what was held against the spread of each
    channel in the last windows, in nats.
    """

    level: Floats
    centres: Floats
    held: Floats
    known: Floats
    recent: Floats
    seen: float = np.inf  # windows averaged in `level`; infinite once it is trusted
    beam_held: int = 0
    fresh: bool = True
    pending: list[Floats] = field(default_factory=list)  # window means of the block that is not complete yet
    end_ns: int = 0

    def copy(self) -> OrbitBaseline:
        """Return an independent copy."""
        arrays = (self.level.copy(), self.centres.copy(), self.held.copy(), self.known.copy(), self.recent)
        return OrbitBaseline(*arrays, self.seen, self.beam_held, self.fresh, list(self.pending), self.end_ns)

    def to_arrays(self) -> dict[str, Array]:
        """Return the whole state as arrays, for a store or a model folder."""
        pending = np.array(self.pending, np.float32).reshape(len(self.pending), len(self.level))
        numbers = np.array([self.seen, self.beam_held, self.fresh], np.float64)
        arrays: dict[str, Array] = {
            "level": self.level,
            "centres": self.centres,
            "held": self.held,
            "known": self.known,
        }
        arrays |= {"known": self.known, "recent": self.recent}
        return arrays | {"pending": pending, "numbers": numbers, "end_ns": np.array([self.end_ns], np.int64)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> OrbitBaseline:
        """Rebuild the state from the arrays of `to_arrays`."""
        seen, beam_held, fresh = (float(value) for value in arrays["numbers"])
        pending = [row.copy() for row in arrays["pending"]]
        level, centres, held = (arrays[name].copy() for name in ("level", "centres", "held"))
        return cls(
            level,
            centres,
            held,
            arrays["known"].copy(),
            arrays["recent"].copy(),
            seen,
            int(beam_held),
            bool(fresh),
            pending,
            int(arrays["end_ns"][0]),
        )


@dataclass(frozen=True)
class Gate:
    """The thresholds of what counts as wrong: `sigma` (c,) of a quiet deviation; a channel beyond `channel` sigmas;
    `energy` of all channels; from `notice` on a window is looked at more closely."""

    sigma: Floats
    channel: float
    energy: float
    correlation: Floats
    notice: float = np.inf
    energy_clip: float = 16.0
    per_sigma: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "per_sigma", 1.0 / self.sigma)

    def energies(self, deviation: Floats) -> Floats:
        """Return the clipped squared deviations (n,), summed over channels; of loud windows without the strongest
        channel."""
        scaled = deviation * self.per_sigma
        scaled *= scaled
        squares = np.add.reduce(np.minimum(scaled, self.energy_clip, out=scaled), axis=1)
        for row in np.flatnonzero(squares > self.energy):
            squares[row] = self.rest(deviation[row])
        return squares

    def rest(self, deviation: Floats) -> float:
        """Return the energy without the most deviating channel and its shadow on the others."""
        top = int(np.argmax(np.abs(deviation / self.sigma)))
        rest = deviation - deviation[top] * self.correlation[top]
        rest[top] = 0.0
        return float(np.minimum((rest / self.sigma) ** 2, self.energy_clip).sum())


@dataclass(frozen=True)
class Walk:
    """Deviations (n, c) from the baseline, their energies (n,), and `away` (n, c) from the centre of some minutes;
    `towards` gives, for the windows `noticed`, the way (k, 4 + 1, c) from the baseline to each long-term centre and to
    the centre of the fit."""

    deviation: Floats
    energy: Floats
    away: Floats
    noticed: Array
    towards: Floats


def walk(state: OrbitBaseline, means: Floats, restart: Array, gate: Gate, pace: Pace) -> Walk:
    """Move the state past n window means (n, c), in place; `restart` (n,) is True where a window follows a long gap."""
    deviation, energy, away = np.empty_like(means), np.empty(len(means)), np.empty_like(means)
    loud: list[int] = []
    towards: list[Floats] = []
    position = 0
    while position < len(means):
        if state.fresh or restart[position]:
            _anchor(state, means[position], gate)
            restart = restart.copy()
            restart[position] = False
        warm = state.seen >= pace.warm_up
        stop = min(position + (pace.block - len(state.pending) if warm else 1), len(means))
        if restart.any():
            gaps = np.flatnonzero(restart[position:stop])
            stop = position + int(gaps[0]) if len(gaps) else stop
        part = means[position:stop] - state.level
        if not warm:
            part /= np.float32(np.sqrt(1.0 + 1.0 / state.seen))
        known = _from_known(state, part, gate)
        deviation[position:stop], energy[position:stop], _ = known
        np.add(known.deviation, state.level - state.centres[SWAY], out=away[position:stop])
        if energy[position:stop].max() > gate.notice:
            high = position + np.flatnonzero(energy[position:stop] > gate.notice)
            way = np.concatenate([state.centres, np.zeros_like(state.centres[:1])]) - state.level
            loud.extend(int(index) for index in high)
            towards.extend([way] * len(high))
        if warm and not state.pending and stop - position == pace.block:
            _step(state, known, gate, pace)
        else:
            state.pending.extend(means[position:stop])
            if len(state.pending) >= pace.block or not warm:
                block = np.array(state.pending)
                _step(state, _from_known(state, block - state.level, gate), gate, pace)
                state.pending = []
        position = stop
    ways = np.array(towards, np.float32).reshape(len(loud), len(CENTRE_WINDOWS) + 1, means.shape[1])
    return Walk(deviation, energy, away, np.array(loud, np.intp), ways)


class Fitting(NamedTuple):
    """How windows fit the known orbits: deviations (n, c) and energies (n,), for loud ones from the known orbit that
    fits; `which` orbit that is (n,), -1 for the level, None where no window was loud."""

    deviation: Floats
    energy: Floats
    which: npt.NDArray[np.intp] | None


def _from_known(state: OrbitBaseline, deviation: Floats, gate: Gate) -> Fitting:
    """Return the deviations from the level, and where that does not fit from the orbits that were left; changes
    `deviation`."""
    energy = gate.energies(deviation)
    if energy.max() <= gate.energy:
        return Fitting(deviation, energy, None)
    which = np.full(len(deviation), -1)
    for row in np.flatnonzero(energy > gate.energy):
        for number, known in enumerate(state.known):
            other = deviation[row] + state.level - known
            other_energy = gate.energies(other[None])[0]
            if other_energy <= gate.energy:
                deviation[row], energy[row], which[row] = other, other_energy, number
                break
    return Fitting(deviation, energy, which)


def _anchor(state: OrbitBaseline, mean: Floats, gate: Gate) -> None:
    """At a fresh start keep the known level where the first window agrees with it, else begin to learn a new one."""
    state.fresh, state.beam_held, state.pending = False, 0, []
    state.held[:] = 0
    if gate.energies((mean - state.level)[None])[0] > gate.energy:
        state.centres += mean - state.level
        state.level, state.seen = mean.astype(np.float32), 1.0


def _step(state: OrbitBaseline, block: Fitting, gate: Gate, pace: Pace) -> None:
    """Move the baseline at the end of a block."""
    if state.seen < pace.warm_up:
        state.seen += 1.0
        state.level += block.deviation.mean(axis=0) / np.float32(state.seen)
        state.seen = state.seen if state.seen < pace.warm_up else np.inf
        return
    average = np.add.reduce(block.deviation, axis=0) * np.float32(1.0 / len(block.deviation))
    if block.which is not None:
        quiet = block.energy <= gate.energy
        if quiet.sum() * 2 < len(quiet):
            state.beam_held += len(quiet)
            if state.beam_held >= pace.beam_adopt:
                _leave(state, state.level + np.where(state.held > 0, 0.0, average))
            return
        numbers, counts = np.unique(block.which[quiet], return_counts=True)
        number = int(numbers[counts.argmax()])
        if number >= 0:
            back, state.known = state.known[number], np.delete(state.known, number, axis=0)
            _leave(state, back)
        average = block.deviation[quiet & (block.which == number)].mean(axis=0)
    state.beam_held = 0
    _follow(state, average, len(block.deviation), gate, pace)


def _follow(state: OrbitBaseline, average: Floats, windows: int, gate: Gate, pace: Pace) -> None:
    """Move each channel by its average deviation over some quiet windows, unless the channel itself is wrong.

    A channel is wrong from `gate.channel` sigmas on and until it is back within `pace.clip`.
    """
    move = np.float32(pace.gain) * average
    if float(np.abs(average * gate.per_sigma).max()) > pace.clip or state.held.any():
        wrong, shadows = _shadows(average, np.where(state.held > 0, pace.clip, gate.channel) * gate.sigma, gate)
        held = np.zeros_like(state.held)
        held[wrong] = state.held[wrong] + windows
        adopted = held[wrong] > pace.monitor_adopt
        limit = pace.clip * gate.sigma
        move = pace.gain * np.clip(average - shadows.sum(axis=0), -limit, limit)
        move = (move + shadows[adopted].sum(axis=0)).astype(np.float32)
        held[wrong[adopted]] = 0.0
        state.held = held
    state.level += move
    if len(state.known):
        state.known += move
    weight = (1.0 - (1.0 - 1.0 / np.array(CENTRE_WINDOWS)) ** windows).astype(np.float32)
    state.centres += weight[:, None] * (state.level - state.centres)


def _shadows(average: Floats, limit: Floats, gate: Gate) -> tuple[npt.NDArray[np.intp], Floats]:
    """The channels (k,) that are wrong, and what each adds to all channels (k, c): itself and its shadow.

    The baseline must not follow the shadow of a broken monitor on the others: the beam would seem to move afterwards.
    """
    wrong = np.empty(0, np.intp)
    shadows = np.zeros((0, len(average)), average.dtype)
    while len(wrong) < MOST_WRONG:
        excess = np.abs(average - shadows.sum(axis=0)) / limit
        excess[wrong] = 0.0
        if excess.max() <= 1.0:
            break
        wrong = np.append(wrong, excess.argmax())
        own = np.linalg.solve(gate.correlation[np.ix_(wrong, wrong)], average[wrong])
        shadows = own[:, None] * gate.correlation[wrong]
    return wrong, shadows


def _leave(state: OrbitBaseline, new: Floats) -> None:
    """Take a new level and remember the one that is left; the long-term centres move along."""
    state.centres += (new - state.level).astype(np.float32)
    state.known = np.concatenate([state.level[None], state.known])[:KNOWN_ORBITS]
    state.level, state.beam_held = new.astype(np.float32), 0
