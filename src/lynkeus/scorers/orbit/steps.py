"""One step of the baseline of `orbit`: follow what drifts, hold what is wrong, adopt what stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats
from lynkeus.scorers.orbit.baseline import KNOWN_ORBITS, MOST_WRONG, SWAY, Gate, OrbitBaseline, Pace
from lynkeus.scorers.orbit.course import ALONE, FEW, FIT, LONGEST, ON_LINE, SHORTEST, Course, Line, jumped, line_through
from lynkeus.scorers.orbit.known import Fitting
from lynkeus.scorers.orbit.quiet import centre_weights

TIMES = np.arange(LONGEST) - 0.5 * (LONGEST - 1)
SLOPE = (TIMES / np.square(TIMES).sum()).astype(np.float32)  # weights of the latest windows in the slope of their line
SLOPE_SIGMA = float(1.0 / np.sqrt(np.square(TIMES).sum()))
ALL = slice(None)
MOST_CLIPPED = 40  # channels that are taken for so many faults; of more each is clipped by itself
NOTHING = np.zeros(1, np.float32)
Chosen = slice | npt.NDArray[np.bool_]


def step(state: OrbitBaseline, block: Fitting, gate: Gate, pace: Pace) -> None:
    """Move the baseline at the end of a block."""
    if state.seen < pace.warm_up:
        state.seen += 1.0
        state.level += block.deviation.mean(axis=0) / np.float32(state.seen)
        state.seen = state.seen if state.seen < pace.warm_up else np.inf
        return
    if block.there.any():
        _come_back(state, block, gate)
    if state.course.sums[0]:
        block = block._replace(deviation=block.deviation * state.course.width(0, len(block.deviation)))
        state.level += state.course.go_on(len(block.deviation))
        state.centres += state.course.slope * np.float32(len(block.deviation))
    average = np.add.reduce(block.deviation, axis=0) * np.float32(1.0 / len(block.deviation))
    chosen: Chosen = ALL
    if block.which is not None:
        quiet = block.energy <= gate.energy
        if quiet.sum() * 2 < len(quiet):
            _hold(state, average, len(quiet), gate, pace)
            return
        numbers, counts = np.unique(block.which[quiet], return_counts=True)
        number = int(numbers[counts.argmax()])
        if number >= 0:
            back, state.known = state.known[number], np.delete(state.known, number, axis=0)
            _leave(state, back)
            state.course = replace(Course.none(len(back)), recent=state.course.recent)  # it is known as well as before
        chosen = quiet & (block.which == number)
        average = block.deviation[chosen].mean(axis=0)
    state.beam_held = state.beam_held if pace.settle else 0
    _settle(state, average, len(block.deviation), gate, pace, loud=False)
    _follow(state, block.deviation, chosen, average, gate, pace)


def _hold(state: OrbitBaseline, average: Floats, windows: int, gate: Gate, pace: Pace) -> None:
    """Stand still while the orbit is elsewhere."""
    _settle(state, average, windows, gate, pace, loud=True)
    if not pace.settle:
        state.beam_held += windows
        if state.beam_held >= pace.beam_adopt:
            _leave(state, state.level + np.where(state.held > 0, 0.0, average))


def move_on(state: OrbitBaseline, windows: int, gate: Gate, pace: Pace) -> None:
    """Take the place of an orbit that has been elsewhere for long enough, and its speed on a ramp: that it moved has
    been news. An orbit that still jumps is waited for. `windows` have passed since the last step."""
    state.level += state.course.go_on(windows)
    state.centres += state.course.slope * np.float32(windows)
    recent = state.course.recent
    _settle(state, recent[-1] - state.level, windows, gate, pace, loud=True)
    line = _course_of(recent[1 - state.beam_held :], gate, pace)  # the step may be in the middle of the first window
    if line is None:
        return
    _take_broken(state, gate)
    place = line.place
    if not line.slope.any():  # a channel that broke at the new place is wrong there, too
        early = recent[1 - state.beam_held :][:FEW].mean(axis=0)
        wrong, shadows = _shadows(place - early, gate.channel * gate.sigma, gate)
        place = place - shadows.sum(axis=0) if len(wrong) <= ALONE else place
    _leave(state, place, remember=not state.course.ramps)
    state.course = Course(line.slope, line.sums, recent)


def _take_broken(state: OrbitBaseline, gate: Gate) -> None:
    """Take broken channels as they are when the orbit gets a new place: they stand off by what they were off before,
    also of the orbits that are remembered."""
    broken = np.flatnonzero(state.held)
    if len(broken):
        shadows = (state.own[broken][:, None] * gate.correlation[broken]).sum(axis=0)
        state.level += shadows
        state.centres += shadows
        state.known += shadows
        state.standing.adopt(broken, state.own[broken], state.held_ns[broken])
        state.held[:] = 0.0


def _course_of(run: Floats, gate: Gate, pace: Pace) -> Line | None:
    """Return where the orbit stands or goes after some windows: at one place, along a line, or for the last few of them
    at one place; None where it does neither."""
    line = line_through(run, sloped=True)
    if _is_ramp(line.slope, 1.0 / np.sqrt(_square(line.sums)), gate, pace):
        found = [line]
    else:
        found = [line_through(run, sloped=False)]
    found.append(line_through(run[-SHORTEST:], sloped=False))
    for one in found:
        if (gate.energies(one.residual) <= gate.energy).mean() >= FIT:
            return one
    return found[-1] if len(run) + 1 >= 2 * pace.beam_adopt else None


def _square(sums: Floats) -> float:
    """Return the sum of squared times about their mean."""
    count, time, square = sums
    return float(square - time * time / count)


def _is_ramp(slope: Floats, sigma: float, gate: Gate, pace: Pace) -> bool:
    """Whether an orbit moves on: by more than chance, and so far within a step that it matters."""
    if not gate.rest(slope * np.float32(pace.block)) > gate.energy - gate.notice:
        return False
    return gate.rest(slope / np.float32(sigma)) > gate.energy


def _come_back(state: OrbitBaseline, block: Fitting, gate: Gate) -> None:
    """Move the channels that were at their other place through most of a block there."""
    there = block.channels[block.there.sum(axis=0) * 2 > len(block.there)]
    if len(there):
        moves = (state.standing.other[there][:, None] * gate.correlation[there]).sum(axis=0)
        state.level += moves
        state.centres += moves
        state.known += moves
        state.standing.come_back(there)


def _settle(state: OrbitBaseline, average: Floats, windows: int, gate: Gate, pace: Pace, loud: bool) -> None:
    """Notice where the orbit begins to move, and take it for the new reference once it is quiet at a new place."""
    if not pace.settle or gate.to_jitter is None:
        return
    standing = state.standing
    if not standing.moving_ns[0]:
        shift = (average + (state.level - state.centres[SWAY])) @ gate.to_jitter
        if not loud and float(shift @ shift) <= gate.sway and not state.course.ramps:
            return
        standing.moving_ns[0], standing.anchor = max(state.block_ns, 1), state.centres[SWAY].copy()
        standing.quiet[0] = 0
    here = float(np.square(average @ gate.to_jitter).sum())
    standing.quiet[0] = 0 if loud or here > gate.sway or state.course.ramps else standing.quiet[0] + windows
    if standing.quiet[0] < pace.settle:
        return
    residual = state.level - standing.anchor
    moved = residual @ gate.to_jitter
    if np.square(moved).sum() > gate.sway or gate.energies(residual[None])[0] > gate.energy:
        standing.moved, standing.moved_ns[:] = moved, (standing.moving_ns[0], state.block_ns)
    state.centres += state.level - state.centres[SWAY]
    standing.moving_ns[0] = standing.quiet[0] = 0


def _follow(
    state: OrbitBaseline, deviation: Floats, chosen: Chosen, average: Floats, gate: Gate, pace: Pace
) -> None:  # fmt: skip
    """Move each channel by the `average` (c,) of the `chosen` ones of the deviations (n, c) of some windows, unless the
    channel itself is wrong.

    A channel is wrong from `gate.channel` sigmas on and until it is back within `pace.clip`.
    """
    windows = len(deviation)
    move, shadow, taken = np.float32(pace.gain) * average, NOTHING, NOTHING
    unusual = _largest(average * gate.per_sigma) > pace.clip or state.held.any()
    if (unusual or state.moves) and pace.settle and not state.course.ramps and _goes_on(state, gate, pace):
        return
    if unusual:
        wrong, shadows = _shadows(average, np.where(state.held > 0, pace.clip, gate.channel) * gate.sigma, gate)
        held = np.zeros_like(state.held)
        held[wrong] = state.held[wrong] + windows
        state.held_ns[wrong] = np.where(state.held[wrong] > 0, state.held_ns[wrong], state.block_ns)
        adopted = held[wrong] >= pace.monitor_adopt + (0 if pace.settle else 1)
        shadow, taken = shadows.sum(axis=0), shadows[adopted].sum(axis=0)
        limit = _limits(state, average - shadow, windows, gate, pace)
        move = pace.gain * clipped(average - shadow, limit, gate, pace)
        _remember(state, held, gate, pace)
        state.own[wrong] = shadows[np.arange(len(wrong)), wrong]
        if adopted.any() and pace.settle:
            stays = wrong[adopted]
            state.standing.adopt(stays, state.own[stays], state.held_ns[stays])
            state.centres += taken
        held[wrong[adopted]] = 0.0
        state.held = held
        move = (move + taken).astype(np.float32)
    if state.course.sums[0]:
        times = np.arange(1 - windows, 1)[chosen]
        move = _learn_course(state.course, deviation[chosen] - shadow, times, gate, pace) + taken
    state.level += move
    if len(state.known):
        state.known += move
    state.centres += centre_weights(windows) * (state.level - state.centres)


def _goes_on(state: OrbitBaseline, gate: Gate, pace: Pace) -> bool:
    """Notice an orbit that creeps along, and go with it: channels that stood still as if they were broken, too, where
    they are on the line."""
    course = state.course
    if len(course.recent) < LONGEST or not _is_ramp(SLOPE @ course.recent, SLOPE_SIGMA, gate, pace):
        return False
    line = line_through(course.recent, sloped=True)
    if (gate.energies(line.residual) <= gate.energy).mean() < FIT or jumped(course.recent * gate.per_sigma):
        return False
    held = state.held > 0
    if (np.square(line.residual[:, held] * gate.per_sigma[held]).mean(axis=0) > ON_LINE).any():
        return False
    _take_broken(state, gate)
    state.centres += line.place - state.centres[SWAY]
    state.level = line.place
    state.course = replace(course, slope=line.slope, sums=line.sums)
    return True


def _learn_course(course: Course, deviation: Floats, times: npt.NDArray[np.int64], gate: Gate, pace: Pace) -> Floats:
    """Return by how much (c,) the place of an orbit that moved not long ago is another one than was expected."""
    move = course.learn(deviation, times)
    if course.ramps and not _is_ramp(course.slope, course.slope_sigma, gate, pace):
        course.stand_still()
    return move


def clipped(rest: Floats, limit: Floats, gate: Gate, pace: Pace) -> Floats:
    """Return deviations (c,), with those of channels that are beyond a limit (c,) taken back to it, as if that were
    their own fault: without its shadow on the others the orbit would seem to be far from where it is."""
    within = np.clip(rest, -limit, limit)
    beyond = np.flatnonzero(within != rest)
    if not pace.settle or not 0 < len(beyond) <= MOST_CLIPPED:
        return within
    own = np.linalg.solve(gate.correlation[np.ix_(beyond, beyond)], (rest - within)[beyond])
    return np.asarray(rest - own @ gate.correlation[beyond])


def _remember(state: OrbitBaseline, held: Floats, gate: Gate, pace: Pace) -> None:
    """Know the place of a channel that was elsewhere for two blocks and more and is back: its habit is to jump. The
    mean of a block in which it came back is no place."""
    if pace.settle:
        back = np.flatnonzero((state.held >= 2 * pace.block) & (held == 0))
        back = back[np.abs(state.own[back]) > gate.channel * gate.sigma[back]]
        state.standing.other[back] = state.own[back]


def _largest(values: Floats) -> float:
    """Return the largest absolute value: numpy finds a largest and a smallest one faster than absolute values."""
    return max(float(values.max()), -float(values.min()))


def _limits(state: OrbitBaseline, rest: Floats, windows: int, gate: Gate, pace: Pace) -> Floats:
    """Return how far (c,) a step may go: `clip` sigmas, and further where a channel creeps on and on to one side, or
    the whole orbit moves."""
    limit = pace.clip * gate.sigma
    if not pace.settle:
        return limit
    creep = state.standing.creep
    beyond = np.abs(rest) > limit
    same = np.sign(creep) == np.sign(rest)
    creep[:] = np.where(beyond, np.sign(rest) * (np.where(same, np.abs(creep), 0.0) + windows), 0.0)
    if state.standing.moving_ns[0]:
        return np.full_like(limit, np.inf)
    return limit * np.maximum(np.abs(creep) / pace.block, 1.0)


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


def _leave(state: OrbitBaseline, new: Floats, remember: bool = True) -> None:
    """Take a new level and `remember` the one that is left; the long-term centres move along."""
    state.centres += (new - state.level).astype(np.float32)
    if remember:
        state.known = np.concatenate([state.level[None], state.known])[:KNOWN_ORBITS]
    state.level, state.beam_held = new.astype(np.float32), 0
