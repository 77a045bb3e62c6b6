"""Blocks of windows in which nothing goes on, and what channels do by habit.

Loops are written out: an expression of arrays takes the compiler seconds, for errors of shapes that cannot happen.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from lynkeus.scorers.orbit.baseline import SWAY
from lynkeus.scorers.orbit.compiled.signatures import (
    BOOLS1,
    COUNT,
    COUNTS,
    DOUBLES,
    FASTEST,
    R1,
    R2,
    W1,
    W2,
    W3,
    read,
)

PLACES, FIXED = types.Tuple((read(COUNT, 1), R1, R1, R1)), types.Tuple((R2, R1, R1, R1))
FOUND, HABIT = types.Tuple((W2, DOUBLES, W2, DOUBLES)), types.Tuple((W1, W1, DOUBLES, W2, COUNTS, COUNTS))


@njit(fastmath=FASTEST)
def _less(rows, level, out):
    for window in range(len(rows)):
        given, written = rows[window], out[window]
        for channel in range(len(level)):
            written[channel] = given[channel] - level[channel]


@njit(fastmath=FASTEST)
def _difference(one, other, out):
    for channel in range(len(one)):
        out[channel] = one[channel] - other[channel]


@njit(fastmath=FASTEST)
def _add(to, what, share):
    for channel in range(len(to)):
        to[channel] += share * what[channel]


@njit(fastmath=FASTEST)
def _mean_of(rows, average):
    share = np.float32(1.0 / len(rows))
    average[:] = np.float32(0.0)
    for window in range(len(rows)):
        given = rows[window]
        for channel in range(len(average)):
            average[channel] += given[channel]
    for channel in range(len(average)):
        average[channel] *= share


@njit(fastmath=FASTEST)
def _energies(rows, per_sigma, clip, energy):
    most = np.float32(0.0)
    for window in range(len(rows)):
        given, total = rows[window], np.float32(0.0)
        for channel in range(len(per_sigma)):
            scaled = given[channel] * per_sigma[channel]
            total += min(scaled * scaled, clip)
        energy[window] = total
        most = max(most, total)
    return most


@njit(fastmath=FASTEST)
def _largest(average, per_sigma):
    most = np.float32(0.0)
    for channel in range(len(average)):
        most = max(most, abs(average[channel] * per_sigma[channel]))
    return most


@njit(fastmath=FASTEST)
def _distance(one, other):
    total = np.float32(0.0)
    for channel in range(len(one)):
        total += (one[channel] - other[channel]) * (one[channel] - other[channel])
    return total


@njit(fastmath=FASTEST)
def _towards(place, other, share):
    for channel in range(len(place)):
        place[channel] += share * (other[channel] - place[channel])


@njit(fastmath=FASTEST)
def _elsewhere(rows, known, correlation, jitters, per_sigma, most):
    """Take off deviations, and `jitters` (n, c), what channels at their other places add; return whether one is
    mostly there, or another one is wrong by more than `most` sigmas, whose shadow it may be. `known`: channels, their
    other places, how near they are there, and these places in jitters."""
    channels, others, widths, steps = known
    anywhere = mostly = False
    for column in range(len(channels)):
        for window in range(len(rows)):
            anywhere |= abs(rows[window, channels[column]] - others[column]) < widths[column]
    for column in range(len(channels) if anywhere else 0):
        count, channel = 0, channels[column]
        for window in range(len(rows)):
            if abs(rows[window, channel] - others[column]) < widths[column]:
                count += 1
                _add(rows[window], correlation[channel], -others[column])
                jitters[window, channel] -= steps[column]
        mostly |= count * 2 > len(rows)
    for window in range(len(rows) if anywhere else 0):
        mostly |= _largest(rows[window], per_sigma) > most
    return mostly


@njit([COUNT(R2, R2, types.UniTuple(W2, 3), PLACES, FIXED, FOUND, W3)], cache=True, fastmath=FASTEST)
def quiet_blocks(means, shifts, state, places, fixed, found, towards):
    """Move a baseline past blocks of windows until one is not quiet; return how many were.

    `state`: where the baseline is in residuals, and it and the centre of the sway in jitters, as `shifts`, (3, c); the
    long-term centres, and the orbits that are known.
    """
    levels, centres, known = state
    correlation, per_sigma, limits, weights = fixed
    deviation, energy, away, sway = found
    length, gain = np.int64(limits[0]), limits[1]
    level, jitters, middle = levels[0], levels[1], levels[2]
    average, shift, moved = np.empty_like(level), np.empty_like(level), np.empty((length, len(level)), np.float32)
    zero, lag = np.zeros_like(level), np.empty_like(level)
    for block in range(len(towards)):
        some = slice(block * length, (block + 1) * length)
        part = deviation[some]
        _less(means[some], level, part)
        _less(shifts[some], zero, moved)
        if len(places[0]) and _elsewhere(part, places, correlation, moved, per_sigma, limits[7]):
            return block
        _mean_of(part, average)
        _mean_of(moved, shift)
        most = _energies(part, per_sigma, limits[3], energy[some])
        if not (most <= limits[2] and _largest(average, per_sigma) <= limits[4]):
            return block
        if not _distance(shift, middle) <= limits[6]:
            return block
        if most > limits[5]:
            _less(centres, level, towards[block, : len(centres)])
            _difference(zero, level, towards[block, len(centres)])
        _difference(centres[SWAY], level, lag)
        _less(part, lag, away[some])
        for window in range(length):
            sway[block * length + window] = _distance(moved[window], middle)
        _add(level, average, gain)
        for orbit in range(len(known)):
            _add(known[orbit], average, gain)
        for centre in range(len(centres)):
            _towards(centres[centre], level, weights[centre])
        _towards(jitters, shift, gain)
        _towards(middle, jitters, weights[SWAY])
    return len(towards)


@njit([types.Tuple((W2, W2, COUNTS))(R2, R1, BOOLS1, R1, read(types.float64, 1), HABIT)], cache=True, fastmath=FASTEST)
def habit(deviation, level, quiet, scale, numbers, state):
    """Move tails past windows; return those that each window is judged by."""
    beyond, excess, windows, tally, count, counted = state
    every, share, keep = int(numbers[2]), numbers[0], numbers[4]
    prior, stretches = np.float32(share * numbers[1]), (len(deviation) + count[0] + every - 1) // every
    starts, scales = np.empty((stretches, len(level)), np.float32), np.empty((stretches, len(level)), np.float32)
    which, stretch = np.empty(len(deviation), np.int64), 0
    for window in range(len(deviation)):
        if window == 0 or count[0] == 0:
            for channel in range(len(level)):
                seen = beyond[channel] + prior
                starts[stretch, channel] = -np.log(max(seen / (windows[0] + numbers[1]), share))
                scales[stretch, channel] = max((excess[channel] + prior * scale[channel]) / seen, scale[channel])
        which[window] = stretch
        count[0] += 1
        if quiet[window]:
            counted[0] += 1
            for channel in range(len(level)):
                far = deviation[window, channel] * deviation[window, channel] - level[channel]
                most = np.float32(numbers[3]) * scales[stretch, channel]
                tally[0, channel] += np.float32(far > 0)
                tally[1, channel] += min(max(far, np.float32(0.0)), most)
        if count[0] == every:
            for channel in range(len(level)):
                beyond[channel] = keep * beyond[channel] + tally[0, channel]
                excess[channel] = keep * excess[channel] + tally[1, channel]
            windows[0] = keep * windows[0] + counted[0]
            tally[:] = 0.0
            count[0] = counted[0] = 0
            stretch += 1
    return starts[:stretches], scales[:stretches], which
