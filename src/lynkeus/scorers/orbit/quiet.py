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


class Noticed:
    """Windows that are to be looked at more closely: their `rows`, and of each which of the `towards` (4 + 1, c), the
    ways from the baseline to each long-term centre and to the centre of the fit, goes with it."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.which: list[int] = []
        self.towards: list[Floats] = []

    def note(self, first: int, energy: Floats, state: OrbitBaseline, gate: Gate) -> None:
        """Note those of some windows, `first` and later, whose energy (n,) asks for it."""
        high = np.flatnonzero(energy > gate.notice)
        if len(high):
            self.rows.extend((first + high).tolist())
            self.which.extend([len(self.towards)] * len(high))
            self.towards.append(np.concatenate([state.centres, np.zeros_like(state.centres[:1])]) - state.level)

    def arrays(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
        """Return all of it as arrays."""
        towards = np.array(self.towards, np.float32) if self.towards else np.empty((0, 0, 0), np.float32)
        return np.array(self.rows, np.intp), np.array(self.which, np.intp), towards


class Found(NamedTuple):
    """Where a walk writes what it finds of windows: `deviation` (n, c), `energy` (n,) and `away` (n, c)."""

    deviation: Floats
    energy: Floats
    away: Floats


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
    known_places = places(state, gate, pace)
    squares, share, position = np.empty((pace.block, means.shape[1]), np.float32), np.float32(1.0 / pace.block), first
    gain, weights = np.float32(pace.gain), centre_weights(pace.block)
    while position + pace.block <= len(means):
        some = slice(position, position + pace.block)
        part = np.subtract(means[some], state.level, out=found.deviation[some])
        there = at_other_places(part, known_places, gate)
        if there.any() and (there.sum(axis=0) * 2 > pace.block).any():
            break
        np.multiply(part, gate.per_sigma, out=squares)
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
    if position > first:
        state.beam_held = 0
        state.course.note(means[max(position - LONGEST, first) : position])
    return position - first


def _nothing_goes_on(state: OrbitBaseline, pace: Pace) -> bool:
    """Whether the baseline is trusted, no channel is held, the orbit does not move, and a block begins."""
    if not pace.settle or state.pending or state.moves or state.seen < pace.warm_up:
        return False
    return not state.held.any()


@cache
def centre_weights(windows: int) -> Floats:
    """Return by what share (4, 1) of the way each long-term centre follows in some windows."""
    return (1.0 - (1.0 - 1.0 / np.array(CENTRE_WINDOWS)) ** windows).astype(np.float32)[:, None]
