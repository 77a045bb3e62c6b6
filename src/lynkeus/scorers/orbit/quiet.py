"""Stretches in which nothing happens: steps of the baseline of `orbit`, without what they do where something does."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats
from lynkeus.scorers.orbit.baseline import CENTRE_WINDOWS, SWAY, Gate, OrbitBaseline, Pace
from lynkeus.scorers.orbit.course import LONGEST
from lynkeus.scorers.orbit.known import at_other_places, places
from lynkeus.scorers.orbit.loops import compiled

AT_ONCE = 25_000  # values of which the state of the baseline is kept on the way: they stay in the cache


class Noticed:
    """Windows that are to be looked at more closely: their `rows`, and of each which of the `towards` (4 + 1, c), the
    ways from the baseline to each long-term centre and to the centre of the fit, goes with it."""

    def __init__(self) -> None:
        self.rows: list[npt.NDArray[np.intp]] = []
        self.which: list[npt.NDArray[np.intp]] = []
        self.towards: list[Floats] = []
        self.ways = 0

    def note(self, first: int, energy: Floats, state: OrbitBaseline, gate: Gate) -> None:
        """Note those of some windows, `first` and later, whose energy (n,) asks for it."""
        high = np.flatnonzero(energy > gate.notice)
        if len(high):
            ways = np.concatenate([state.centres, np.zeros_like(state.centres[:1])]) - state.level
            self.add(first + high, np.zeros_like(high), ways[None])

    def add(self, rows: npt.NDArray[np.intp], which: npt.NDArray[np.intp], towards: Floats) -> None:
        """Add some rows (n,), and `which` (n,) of some ways (k, 4 + 1, c) goes with each."""
        self.rows.append(rows)
        self.which.append(self.ways + which)
        self.towards.append(towards)
        self.ways += len(towards)

    def arrays(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
        """Return all of it as arrays."""
        if not self.rows:
            return np.empty(0, np.intp), np.empty(0, np.intp), np.empty((0, 0, 0), np.float32)
        return np.concatenate(self.rows), np.concatenate(self.which), np.concatenate(self.towards)


class Found(NamedTuple):
    """Where a walk writes what it finds of windows: `deviation` (n, c), `energy` (n,), `away` (n, c) and, where it is
    known at once, the squared `sway` (n,); and what it reads, if it is known: the `shifts` (n, c) of their means in
    jitters."""

    deviation: Floats
    energy: Floats
    away: Floats
    sway: Floats
    shifts: Floats | None = None

    def after(self, first: int) -> Found:
        """Return where to write of the windows from the `first` on."""
        return Found(*(None if each is None else each[first:] for each in self))  # type: ignore[arg-type]


def run_quietly(
    state: OrbitBaseline, means: Floats, first: int, gate: Gate, pace: Pace, found: Found, noticed: Noticed
) -> int:  # fmt: skip
    """Move the baseline past the blocks of window means (n, c), from the `first` on, in which all is as it always is;
    return how many windows these are.

    A block is left to the full step in which the orbit is off, or a channel is mostly at the other place that it is
    known at, and one that would pull a channel by more than is followed, or the orbit too far from its centre.
    """
    if not _nothing_goes_on(state, pace) or gate.to_jitter is None:
        return 0
    if compiled() is not None and found.shifts is not None:
        done = _many_blocks(state, means, first, gate, pace, found, noticed)
    else:
        done = _blocks(state, means, first, gate, pace, found, noticed)
    if done:
        state.beam_held = 0
        state.course.note(means[first + max(done - LONGEST, 0) : first + done])
    return done


def _blocks(
    state: OrbitBaseline, means: Floats, first: int, gate: Gate, pace: Pace, found: Found, noticed: Noticed
) -> int:  # fmt: skip
    """Move the baseline past quiet blocks, from the window `first` on; return how many windows these are."""
    known_places = places(state, gate, pace)
    squares, share, position = np.empty((pace.block, means.shape[1]), np.float32), np.float32(1.0 / pace.block), first
    gain, weights = np.float32(pace.gain), centre_weights(pace.block)
    while position + pace.block <= len(means):
        some = slice(position, position + pace.block)
        part = np.subtract(means[some], state.level, out=found.deviation[some])
        there = at_other_places(part, known_places, gate)
        if there.any() and (there.sum(axis=0) * 2 > pace.block).any():
            break
        if there.any() and np.abs(part * gate.per_sigma).max() > gate.channel:
            break
        np.multiply(part, gate.per_sigma, out=squares)
        with np.errstate(over="ignore"):  # as in `energies`
            np.multiply(squares, squares, out=squares)
        energy = np.add.reduce(np.minimum(squares, gate.energy_clip, out=squares), axis=1, out=found.energy[some])
        average = np.add.reduce(part, axis=0)
        average *= share
        pull = average * gate.per_sigma
        most = float(energy.max())
        if not (most <= gate.energy and max(pull.max(), -pull.min()) <= pace.clip):
            break
        lag = state.level - state.centres[SWAY]
        shift = (average + lag) @ gate.to_jitter
        if not float(shift @ shift) <= gate.sway:
            break
        np.add(part, lag, out=found.away[some])
        if most > gate.notice:
            noticed.note(position, energy, state, gate)
        average *= gain
        state.level += average
        if len(state.known):
            state.known += average
        lags = state.level - state.centres
        lags *= weights
        state.centres += lags
        position += pace.block
    return position - first


def _many_blocks(
    state: OrbitBaseline, means: Floats, first: int, gate: Gate, pace: Pace, found: Found, noticed: Noticed
) -> int:  # fmt: skip
    """Return what `_blocks` does, compiled. Where the orbit is in jitters follows from the means of the rows."""
    assert gate.to_jitter is not None
    block, most = pace.block, max(1, AT_ONCE // means.shape[1])
    limits = (block, pace.gain, gate.energy, gate.energy_clip, pace.clip, gate.notice, gate.sway, gate.channel)
    channels, others, widths = places(state, gate, pace)
    steps = others * np.asarray(gate.correlation[channels] @ gate.to_jitter)[np.arange(len(channels)), channels]
    others_too, weights = (channels, others, widths, steps), centre_weights(block)[:, 0].copy()
    fixed = gate.correlation, gate.per_sigma, np.array(limits, np.float32), weights
    levels = np.stack([state.level, state.level @ gate.to_jitter, state.centres[SWAY] @ gate.to_jitter])
    moved, loops = (levels, state.centres, state.known), compiled()
    assert loops is not None
    towards = np.empty((most, len(CENTRE_WINDOWS) + 1, means.shape[1]), np.float32)
    done = first
    while (asked := min(most, (len(means) - done) // block)) > 0:
        into = found.after(done)
        quiet = loops.quiet_blocks(means[done:], into.shifts, moved, others_too, fixed, into[:4], towards[:asked])
        high = np.flatnonzero(into.energy[: quiet * block] > gate.notice)
        if len(high):
            blocks, which = np.unique(high // block, return_inverse=True)
            noticed.add(done + high, which, towards[blocks])
        done += quiet * block
        if quiet < asked:
            break
    state.level = levels[0]
    return done - first


def _nothing_goes_on(state: OrbitBaseline, pace: Pace) -> bool:
    """Whether the baseline is trusted, no channel is held, the orbit does not move, and a block begins."""
    if not pace.settle or state.pending or state.moves or state.seen < pace.warm_up:
        return False
    return not state.held.any()


@cache
def centre_weights(windows: int) -> Floats:
    """Return by what share (4, 1) of the way each long-term centre follows in some windows."""
    return (1.0 - (1.0 - 1.0 / np.array(CENTRE_WINDOWS)) ** windows).astype(np.float32)[:, None]
