"""One step of the baseline of `orbit`: follow what drifts, hold what is wrong, adopt what stays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats
from lynkeus.scorers.orbit.baseline import CENTRE_WINDOWS, KNOWN_ORBITS, MOST_WRONG, SWAY, Gate, OrbitBaseline, Pace


class Fitting(NamedTuple):
    """How windows fit what is known: deviations (n, c) and energies (n,), for loud ones from the known orbit that
    fits; `which` orbit that is (n,), -1 for the level, None where no window was loud; the `channels` (k,) that are
    known at two places, and whether each is at its other one, `there` (n, k)."""

    deviation: Floats
    energy: Floats
    which: npt.NDArray[np.intp] | None
    channels: npt.NDArray[np.intp]
    there: npt.NDArray[np.bool_]


def from_known(state: OrbitBaseline, deviation: Floats, gate: Gate, pace: Pace) -> Fitting:
    """Return the deviations from the level; where that does not fit, from the orbits that were left, and of channels
    from the place that they were at before. Changes `deviation`."""
    channels, there = _elsewhere(state, deviation, gate, pace)
    energy = gate.energies(deviation)
    if energy.max() <= gate.energy:
        return Fitting(deviation, energy, None, channels, there)
    which = np.full(len(deviation), -1)
    for row in np.flatnonzero(energy > gate.energy):
        for number, known in enumerate(state.known):
            other = deviation[row] + state.level - known
            other_energy = gate.energies(other[None])[0]
            if other_energy <= gate.energy:
                deviation[row], energy[row], which[row] = other, other_energy, number
                break
    return Fitting(deviation, energy, which, channels, there)


def _elsewhere(
    state: OrbitBaseline, deviation: Floats, gate: Gate, pace: Pace
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return the channels (k,) that are known at another place too, and in which windows each is there (n, k); takes
    what that adds off `deviation`."""
    channels = np.flatnonzero(state.standing.other)
    there = np.zeros((len(deviation), len(channels)), bool)
    for column, channel in enumerate(channels.tolist()):
        other, sigma = state.standing.other[channel], gate.sigma[channel]
        near = np.abs(deviation[:, channel] - other) < min(pace.clip * sigma, abs(other) / 2)
        if near.any():
            there[:, column] = near
            deviation[near] -= other * gate.correlation[channel]
    return channels, there


def step(state: OrbitBaseline, block: Fitting, gate: Gate, pace: Pace) -> None:
    """Move the baseline at the end of a block."""
    if state.seen < pace.warm_up:
        state.seen += 1.0
        state.level += block.deviation.mean(axis=0) / np.float32(state.seen)
        state.seen = state.seen if state.seen < pace.warm_up else np.inf
        return
    _come_back(state, block, gate)
    average = np.add.reduce(block.deviation, axis=0) * np.float32(1.0 / len(block.deviation))
    if block.which is not None:
        quiet = block.energy <= gate.energy
        if quiet.sum() * 2 < len(quiet):
            state.beam_held += len(quiet)
            _settle(state, average, len(quiet), gate, pace, loud=True)
            if state.beam_held >= pace.beam_adopt:
                _adopt_all(state, average, pace)
            return
        numbers, counts = np.unique(block.which[quiet], return_counts=True)
        number = int(numbers[counts.argmax()])
        if number >= 0:
            back, state.known = state.known[number], np.delete(state.known, number, axis=0)
            _leave(state, back)
        average = block.deviation[quiet & (block.which == number)].mean(axis=0)
    state.beam_held = 0
    _settle(state, average, len(block.deviation), gate, pace, loud=False)
    _follow(state, average, len(block.deviation), gate, pace)


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
    shift = np.stack([average, average + state.level - state.centres[SWAY]]) @ gate.to_jitter
    here, away = np.square(shift).sum(axis=1)
    if not standing.moving_ns[0]:
        if not loud and away <= gate.sway:
            return
        standing.moving_ns[0], standing.anchor = max(state.block_ns, 1), state.centres[SWAY].copy()
        standing.quiet[0] = 0
    standing.quiet[0] = 0 if loud or here > gate.sway else standing.quiet[0] + windows
    if standing.quiet[0] < pace.settle:
        return
    residual = state.level - standing.anchor
    moved = residual @ gate.to_jitter
    if np.square(moved).sum() > gate.sway or gate.energies(residual[None])[0] > gate.energy:
        standing.moved, standing.moved_ns[:] = moved, (standing.moving_ns[0], state.block_ns)
    state.centres += state.level - state.centres[SWAY]
    standing.moving_ns[0] = standing.quiet[0] = 0


def _adopt_all(state: OrbitBaseline, average: Floats, pace: Pace) -> None:
    """Take the place of an orbit that stays away; broken channels, too, are taken as they are: they stand off by what
    they were off before."""
    if not pace.settle:
        _leave(state, state.level + np.where(state.held > 0, 0.0, average))
        return
    broken = np.flatnonzero(state.held)
    if len(broken):
        state.standing.adopt(broken, state.own[broken], state.held_ns[broken])
        state.held[:] = 0.0
    _leave(state, state.level + average)


def _follow(state: OrbitBaseline, average: Floats, windows: int, gate: Gate, pace: Pace) -> None:
    """Move each channel by its average deviation over some quiet windows, unless the channel itself is wrong.

    A channel is wrong from `gate.channel` sigmas on and until it is back within `pace.clip`.
    """
    move = np.float32(pace.gain) * average
    if float(np.abs(average * gate.per_sigma).max()) > pace.clip or state.held.any():
        wrong, shadows = _shadows(average, np.where(state.held > 0, pace.clip, gate.channel) * gate.sigma, gate)
        held = np.zeros_like(state.held)
        held[wrong] = state.held[wrong] + windows
        state.held_ns[wrong] = np.where(state.held[wrong] > 0, state.held_ns[wrong], state.block_ns)
        adopted = held[wrong] > pace.monitor_adopt
        rest = average - shadows.sum(axis=0)
        limit = _limits(state, rest, windows, gate, pace)
        move = pace.gain * np.clip(rest, -limit, limit)
        move = (move + shadows[adopted].sum(axis=0)).astype(np.float32)
        _remember(state, held, pace)
        state.own[wrong] = shadows[np.arange(len(wrong)), wrong]
        if adopted.any() and pace.settle:
            stays = wrong[adopted]
            state.standing.adopt(stays, state.own[stays], state.held_ns[stays])
            state.centres += shadows[adopted].sum(axis=0)
        held[wrong[adopted]] = 0.0
        state.held = held
    state.level += move
    if len(state.known):
        state.known += move
    weight = (1.0 - (1.0 - 1.0 / np.array(CENTRE_WINDOWS)) ** windows).astype(np.float32)
    state.centres += weight[:, None] * (state.level - state.centres)


def _remember(state: OrbitBaseline, held: Floats, pace: Pace) -> None:
    """Know the place of a channel that was elsewhere for two blocks and more and is back: its habit is to jump."""
    if pace.settle:
        back = np.flatnonzero((state.held >= 2 * pace.block) & (held == 0))
        state.standing.other[back] = state.own[back]


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


def _leave(state: OrbitBaseline, new: Floats) -> None:
    """Take a new level and remember the one that is left; the long-term centres move along."""
    state.centres += (new - state.level).astype(np.float32)
    state.known = np.concatenate([state.level[None], state.known])[:KNOWN_ORBITS]
    state.level, state.beam_held = new.astype(np.float32), 0
