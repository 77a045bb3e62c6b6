"""How the baseline of `orbit` moves past the windows of a stream, in steps of a block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Floats, TimesNs
from lynkeus.scorers.orbit.baseline import CENTRE_WINDOWS, SWAY, Gate, OrbitBaseline, Pace
from lynkeus.scorers.orbit.course import FEW, Course
from lynkeus.scorers.orbit.known import Fitting, from_known
from lynkeus.scorers.orbit.steps import move_on, step


@dataclass(frozen=True)
class Walk:
    """Deviations (n, c) from the baseline, their energies (n,), and `away` (n, c) from the centre of some minutes;
    `towards` gives, for the windows `noticed`, the way (k, 4 + 1, c) from the baseline to each long-term centre and to
    the centre of the fit; `told` (n, c): channels that are off for a block and longer, which is no news; of windows
    `elsewhere` (m,), in which a moved orbit is quiet at its new place, the deviations `here` (m, c) from that one."""

    deviation: Floats
    energy: Floats
    away: Floats
    noticed: Array
    towards: Floats
    told: npt.NDArray[np.bool_]
    elsewhere: npt.NDArray[np.intp]
    here: Floats


def walk(
    state: OrbitBaseline, means: Floats, restart: Array, gate: Gate, pace: Pace, time_ns: TimesNs | None = None
) -> Walk:
    """Move the state past n window means (n, c), in place; `restart` (n,) is True where a window follows a long gap;
    `time_ns` (n,): when each begins, for what is said of what stands."""
    deviation, energy, away = np.empty_like(means), np.empty(len(means)), np.empty_like(means)
    told, runs, before = np.zeros(means.shape, bool), np.zeros(len(means), np.intp), state.latest()
    loud: list[int] = []
    towards: list[Floats] = []
    position = 0
    while position < len(means):
        if state.fresh or restart[position]:
            _anchor(state, means[position], gate)
            restart = restart.copy()
            restart[position] = False
        warm = state.seen >= pace.warm_up
        length = pace.block_of(state.moves)
        stop = min(position + (length - len(state.pending) if warm else 1), len(means))
        if restart.any():
            gaps = np.flatnonzero(restart[position:stop])
            stop = position + int(gaps[0]) if len(gaps) else stop
        first = len(state.pending)
        if not first and time_ns is not None:
            state.block_ns = int(time_ns[position])
        known = _deviations(state, means[position:stop], first, gate, pace)
        found = _elsewhere_long_enough(state, known.energy > gate.energy, warm, pace, runs[position:stop])
        if found:
            stop, known = position + found, known.rows(found)
        deviation[position:stop], energy[position:stop] = known.deviation, known.energy
        np.add(known.deviation, state.level - state.centres[SWAY], out=away[position:stop])
        told[position:stop] = state.held >= pace.block
        if state.course.ramps:
            away[position:stop] += state.course.ahead(first, stop - position)
        if energy[position:stop].max() > gate.notice:
            high = position + np.flatnonzero(energy[position:stop] > gate.notice)
            way = np.concatenate([state.centres, np.zeros_like(state.centres[:1])]) - state.level
            loud.extend(int(index) for index in high)
            towards.extend([way] * len(high))
        if warm and not found and not first and stop - position == length:
            state.course.note(means[position:stop])
            step(state, known, gate, pace)
        else:
            state.pending.extend(means[position:stop])
            if found or len(state.pending) >= length or not warm:
                _step_past_pending(state, bool(found), gate, pace)
        position = stop
    ways = np.array(towards, np.float32).reshape(len(loud), len(CENTRE_WINDOWS) + 1, means.shape[1])
    return Walk(
        deviation, energy, away, np.array(loud, np.intp), ways, told, *_at_new_places(before, means, runs, gate)
    )


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
    state: OrbitBaseline, loud: npt.NDArray[np.bool_], warm: bool, pace: Pace, runs: npt.NDArray[np.intp]
) -> int:
    """Count how many windows in a row were `loud`, in `runs` (n,); return after which of them the orbit was elsewhere
    for `beam_adopt`, 0 where it was not."""
    if not warm or not pace.settle:
        return 0
    for window, one in enumerate(loud.tolist() if loud.any() else (), start=1):
        state.beam_held = runs[window - 1] = state.beam_held + 1 if one else 0
        if state.beam_held >= pace.beam_adopt:
            return window
    state.beam_held = state.beam_held if loud[-1] else 0
    return 0


def _anchor(state: OrbitBaseline, mean: Floats, gate: Gate) -> None:
    """At a fresh start keep the known level where the first window agrees with it, else begin to learn a new one."""
    state.fresh, state.beam_held, state.pending = False, 0, []
    state.held[:] = 0
    state.course = Course.none(len(mean))
    if gate.energies((mean - state.level)[None])[0] > gate.energy:
        state.centres += mean - state.level
        state.level, state.seen = mean.astype(np.float32), 1.0
