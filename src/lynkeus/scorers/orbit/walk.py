"""How the baseline of `orbit` moves past the windows of a stream, in steps of a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Floats, TimesNs
from lynkeus.scorers.orbit.baseline import SWAY, Gate, OrbitBaseline, Pace
from lynkeus.scorers.orbit.course import FEW, Course
from lynkeus.scorers.orbit.gaps import Gap
from lynkeus.scorers.orbit.known import Fitting, from_known
from lynkeus.scorers.orbit.quiet import Found, Noticed, run_quietly
from lynkeus.scorers.orbit.steps import move_on, step


@dataclass(frozen=True)
class Walk:
    """Deviations (n, c) from the baseline, their energies (n,), and `away` (n, c) from the centre of some minutes;
    its squared size in jitters, `sway` (n,), NaN where it was not asked;
    `towards` (m, 4 + 1, c) gives the way from the baseline to each long-term centre and to the centre of the fit, and
    `ways` (k,) which of them goes with each of the windows `noticed`; `told` (n, c): channels that are off for a block
    and longer, which is no news; of windows `elsewhere` (m,), in which a moved orbit is quiet at its new place, the
    deviations `here` (m, c) from that one."""

    deviation: Floats
    energy: Floats
    away: Floats
    sway: Floats
    noticed: npt.NDArray[np.intp]
    ways: npt.NDArray[np.intp]
    towards: Floats
    told: npt.NDArray[np.bool_]
    elsewhere: npt.NDArray[np.intp]
    here: Floats


class Means(NamedTuple):
    """Of n windows: means (n, c); where one follows a long gap, `restart` (n,); `time_ns` (n,): when each begins, for
    what is said of what stands; `shifts` (n, c): the means in jitters, with which it is faster; `gaps`: what is missing
    in some of them."""

    mean: Floats
    restart: Array
    time_ns: TimesNs | None = None
    shifts: Floats | None = None
    gaps: Mapping[int, Gap] = {}

    def rows(self, index: Array) -> Means:
        """Return those of some windows, by index."""
        gaps = {new: self.gaps[old] for new, old in enumerate(index.tolist()) if old in self.gaps}
        times = None if self.time_ns is None else self.time_ns[index]
        shifts = None if self.shifts is None else self.shifts[index]
        return Means(self.mean[index], self.restart[index], times, shifts, gaps)


def walk(state: OrbitBaseline, given: Means, gate: Gate, pace: Pace) -> Walk:
    """Move the state past the means of some windows, in place. What is missing becomes what is expected."""
    means, restart, time_ns, shifts, _ = given
    gaps = np.isin(np.arange(len(means)), list(given.gaps))
    original = means.copy() if given.gaps else means
    deviation, energy, away = np.empty_like(means), np.empty(len(means)), np.empty_like(means)
    told, runs, before = np.zeros(means.shape, bool), np.zeros(len(means), np.intp), state.latest()
    sway = np.full(len(means), np.nan)
    noticed, into, position = Noticed(), Found(deviation, energy, away, sway, shifts), 0
    while position < len(means):
        _expect(state, given, original, slice(position, position + 1), gate)
        if state.fresh or restart[position]:
            _anchor(state, means[position], gate)
            restart = restart.copy()
            restart[position] = False
        clear = means[: _next(restart | gaps if given.gaps else restart, position)]
        quiet = run_quietly(state, clear, position, gate, pace, into, noticed)
        if quiet:
            position += quiet
            if time_ns is not None:
                state.block_ns = int(time_ns[position - pace.block])
            continue
        warm = state.seen >= pace.warm_up
        length = pace.block_of(state.moves)
        stop = min(position + (length - len(state.pending) if warm else 1), _next(restart, position))
        first = len(state.pending)
        if not first and time_ns is not None:
            state.block_ns = int(time_ns[position])
        _expect(state, given, original, slice(position, stop), gate)
        known = _deviations(state, means[position:stop], first, gate, pace)
        found = 0
        if warm and pace.settle:
            found = _elsewhere_long_enough(state, known.energy > gate.energy, pace, runs[position:stop])
        if found:
            stop, known = position + found, known.rows(found)
        deviation[position:stop], energy[position:stop] = known.deviation, known.energy
        np.add(known.deviation, state.level - state.centres[SWAY], out=away[position:stop])
        told[position:stop] = state.held >= pace.block
        if state.course.ramps:
            away[position:stop] += state.course.ahead(first, stop - position)
        noticed.note(position, known.energy, state, gate)
        if warm and not found and not first and stop - position == length:
            state.course.note(means[position:stop])
            step(state, known, gate, pace)
        else:
            state.pending.extend(means[position:stop])
            if found or len(state.pending) >= length or not warm:
                _step_past_pending(state, bool(found), gate, pace)
        position = stop
    return Walk(deviation, energy, away, sway, *noticed.arrays(), told, *_at_new_places(before, means, runs, gate))


def _expect(state: OrbitBaseline, given: Means, original: Floats, some: slice, gate: Gate) -> None:
    """Let what is missing in the means of some windows be where the orbit is expected; `original` (n, c): as found."""
    for row in range(some.start, some.stop) if given.gaps else ():
        if row in given.gaps:
            expected = state.level
            if state.course.ramps:
                expected = expected + state.course.ahead(len(state.pending) + row - some.start, 1)[0]
            given.mean[row] = given.gaps[row].filled(original[row], expected, gate.correlation)


def _next(restart: Array, position: int) -> int:
    """Return the next window from a position on that is `restart` (n,), the number of windows where there is none."""
    return position + int(restart[position:].argmax()) if restart[position:].any() else len(restart)


def _at_new_places(
    before: Floats, means: Floats, runs: npt.NDArray[np.intp], gate: Gate
) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return in which windows an orbit that is elsewhere, for so many `runs` (n,) of windows, stands as in the first
    few of them, and the deviations (m, c) from there; `before` (k, c): the windows before these."""
    rows: list[int] = []
    here: list[Floats] = []
    together = np.concatenate([before, means]) if runs.max(initial=0) > 2 else means
    for row in np.flatnonzero(runs > 2).tolist():
        first = len(before) + row - int(runs[row]) + 2  # without the window in which the step is
        some = together[first : min(first + FEW, len(before) + row)]
        deviation = (means[row] - some.mean(axis=0)) / np.float32(np.sqrt(1.0 + 1.0 / len(some)))
        if gate.energies(deviation[None])[0] <= gate.energy:
            rows.append(row)
            here.append(deviation)
    return np.array(rows, np.intp), np.array(here, np.float32).reshape(len(rows), means.shape[1])


def _deviations(state: OrbitBaseline, means: Floats, first: int, gate: Gate, pace: Pace) -> Fitting:
    """Return how window means (n, c), `first` windows after the last step, fit what is known."""
    part = means - state.level
    if state.seen < pace.warm_up:
        part /= np.float32(np.sqrt(1.0 + 1.0 / state.seen))
    raw = part
    if state.course.sums[0]:
        raw = part.copy()
        part -= state.course.ahead(first, len(means))
        part /= state.course.width(first, len(means))
    return from_known(state, part, raw, gate, pace)


def _step_past_pending(state: OrbitBaseline, elsewhere: bool, gate: Gate, pace: Pace) -> None:
    """Move the baseline past windows that did not come at once, or in which the orbit was long enough `elsewhere`."""
    block, state.pending = np.array(state.pending), []
    state.course.note(block)
    if elsewhere:
        move_on(state, len(block), gate, pace)
    else:
        step(state, _deviations(state, block, 0, gate, pace), gate, pace)


def _elsewhere_long_enough(
    state: OrbitBaseline, loud: npt.NDArray[np.bool_], pace: Pace, runs: npt.NDArray[np.intp]
) -> int:
    """Count how many windows in a row were `loud`, in `runs` (n,); return after which of them the orbit was elsewhere
    for `beam_adopt`, or half of that where it was moved not long ago; 0 where it was not."""
    if not loud.any():
        state.beam_held = 0
        return 0
    enough = pace.adopt_of(bool(state.course.sums[0]))
    for window, one in enumerate(loud.tolist(), start=1):
        state.beam_held = runs[window - 1] = state.beam_held + 1 if one else 0
        if state.beam_held >= enough:
            return window
    return 0


def _anchor(state: OrbitBaseline, mean: Floats, gate: Gate) -> None:
    """At a fresh start keep the known level where the first window agrees with it, else begin to learn a new one."""
    state.fresh, state.beam_held, state.pending = False, 0, []
    state.held[:] = 0
    state.course = Course.none(len(mean))
    if gate.energies((mean - state.level)[None])[0] > gate.energy:
        state.centres += mean - state.level
        state.level, state.seen = mean.astype(np.float32), 1.0
