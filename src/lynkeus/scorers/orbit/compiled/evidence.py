"""Evidence of every window and channel: means, spreads, what is left without the strongest, what was before."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from lynkeus.scorers.orbit.adopted import MAINTENANCE, USED
from lynkeus.scorers.orbit.compiled.signatures import (
    BOOLS1,
    BOOLS2,
    COUNT,
    COUNTS,
    DOUBLES,
    FASTEST,
    NOTHING,
    R1,
    R2,
    W1,
    W2,
    F,
    read,
    write,
)

SEVERAL = 3  # as in `judge`
OWN, LINES = types.Tuple((R2, R2, read(COUNT, 1))), types.Tuple((R2, R1, R1, R1, R1, R1, R1))
CHANNELS, SUSPECTS = types.Tuple((R2, R1, R1, R1, BOOLS1, R1)), types.Tuple((COUNTS, DOUBLES, W1, W2))


@njit([NOTHING(R2, R1, OWN, BOOLS1, F, types.Tuple((W2, W1, COUNTS, COUNTS)))], cache=True, fastmath=FASTEST)
def mean_evidence(deviation, level, tails, used, quiet_nats, found):
    """Write the nats of means, the strongest of each window, where it is, and how many are not quiet."""
    (start, scale, which), (nats, strongest, place, many) = tails, found
    per_scale, kept = np.float32(1.0) / scale, used.astype(np.float32)
    for window in range(len(deviation)):
        own, given, count = nats[window], deviation[window], np.float32(0.0)
        sure, begun = per_scale[which[window]], start[which[window]]
        for channel in range(len(level)):
            own[channel] = (given[channel] * given[channel] - level[channel]) * sure[channel] + begun[channel]
        for channel in range(len(level)):
            own[channel] *= kept[channel]
            count += np.float32(own[channel] > quiet_nats)
        place[window] = own.argmax()
        strongest[window], many[window] = own[place[window]], np.int64(count)


@njit
def _too_quiet(spread, narrow, scale, start):
    """Return the nats that one channel is too quiet; few where it is not."""
    return (-np.log(spread) - narrow) / scale + start if spread < np.exp(-narrow) else np.float32(-np.inf)


@njit
def _held(repeats, repeat):
    """Return the nats that one channel repeats values."""
    return repeat[int(repeats)] if repeats > 1.0 else np.float32(-np.inf)


@njit([NOTHING(R2, R2, LINES, BOOLS1, BOOLS1, W2, write(types.boolean, 2))], cache=True, fastmath=FASTEST)
def shape_evidence(spread, repeats, lines, used, nothing, nats, odd):
    """Write the nats that a channel is too noisy, too quiet, repeats or misses values, and whether that is odd."""
    missing, wide, wide_scale, narrow, narrow_scale, repeat, limits = lines
    start, per_scale, too_quiet = limits[0], np.float32(1.0) / wide_scale, np.exp(-narrow)
    kept = used.astype(np.float32)
    for window in range(len(spread)):
        own, given, held, look = nats[window], spread[window], repeats[window], np.float32(0.0)
        for channel in range(len(wide)):
            own[channel] = (given[channel] - wide[channel]) * per_scale[channel] + start
        for channel in range(len(wide)):
            look += np.float32((given[channel] < too_quiet[channel]) | (held[channel] > 1.0))
        for channel in range(len(wide) if look > 0.0 else 0):
            if (given[channel] < too_quiet[channel]) | (held[channel] > 1.0):
                rare = _too_quiet(given[channel], narrow[channel], narrow_scale[channel], start)
                own[channel] = max(own[channel], rare, _held(held[channel], repeat))
        for channel in range(len(wide) if len(missing) else 0):
            if missing[window, channel] > 0:
                own[channel] = max(own[channel], missing[window, channel] * start)
        if nothing[window]:
            own[:] = 0.0
        wrong = odd[window]
        for channel in range(len(wide)):
            wrong[channel] = own[channel] > limits[1]
        for channel in range(len(wide)):
            own[channel] *= kept[channel]


@njit([NOTHING(R2, R2, LINES, BOOLS1, R2, types.Tuple((R2, F, COUNT)), W1)], cache=True, fastmath=FASTEST)
def others_misshapen(spread, repeats, lines, used, nats, known, found):
    """Write the nats of the spread of other channels that the strongest of several leaves unexplained."""
    missing, wide, wide_scale, narrow, narrow_scale, repeat, limits = lines
    start, per_scale, too_quiet = limits[0], np.float32(1.0) / wide_scale, np.exp(-narrow)
    shadow, quiet_nats, length = known
    left, said, kept = np.empty_like(wide), np.empty_like(wide), used.astype(np.float32)
    for window in range(len(spread)):
        own, given, held, count = nats[window], spread[window], repeats[window], np.float32(0.0)
        for channel in range(len(wide)):
            count += np.float32(own[channel] > quiet_nats)
        if count < SEVERAL:
            found[window] = 0.0
            continue
        top, total, most = own.argmax(), np.float32(0.0), np.float32(0.0)
        excess = max(spread[window, top] - np.float32(length - 1), np.float32(0.0))
        for channel in range(len(wide)):
            left[channel] = max(given[channel] - excess * shadow[top, channel], np.float32(1e-3))
        for channel in range(len(wide)):
            said[channel] = (left[channel] - wide[channel]) * per_scale[channel] + start
        for channel in range(len(wide)):
            if (left[channel] < too_quiet[channel]) | (held[channel] > 1.0):
                rare = _too_quiet(left[channel], narrow[channel], narrow_scale[channel], start)
                said[channel] = max(said[channel], rare, _held(held[channel], repeat))
        for channel in range(len(wide) if len(missing) else 0):
            if missing[window, channel] > 0:
                said[channel] = max(said[channel], missing[window, channel] * start)
        said[top] = 0.0
        for channel in range(len(wide)):
            beyond = max(said[channel] - quiet_nats, np.float32(0.0)) * kept[channel]
            total, most = total + beyond, max(most, beyond)
        found[window] = total - most


@njit
def _without(deviation, top, correlation, used, per_sigma, clip, left):
    """Write what is left of deviations without a channel and its shadow; return their energy."""
    energy = np.float32(0.0)
    for channel in range(len(used)):
        left[channel] = deviation[channel] - deviation[top] * correlation[top, channel] if used[channel] else 0.0
    left[top] = 0.0
    for channel in range(len(used)):
        scaled = left[channel] * per_sigma[channel]
        energy += min(scaled * scaled, clip)
    return energy


@njit([NOTHING(read(COUNT, 1), types.UniTuple(R2, 3), CHANNELS, SUSPECTS)], cache=True, fastmath=FASTEST)
def best_suspects(rows, windows, channels, found):
    """Write, of some windows, which fault of one channel leaves least, how much, and what is left."""
    deviation, nats, away = windows
    correlation, per_sigma, level, scale, used, limits = channels
    place, energy, unexplained, rest = found
    left = np.empty(len(used), np.float32)
    for number in range(len(rows)):
        row = rows[number]
        tops = nats[row].argmax(), np.abs(deviation[row] * per_sigma).argmax()
        first = _without(deviation[row], tops[0], correlation, used, per_sigma, limits[0], left)
        second = _without(deviation[row], tops[1], correlation, used, per_sigma, limits[0], left)
        top = tops[1] if second < first else tops[0]
        place[number] = top
        energy[number] = _without(deviation[row], top, correlation, used, per_sigma, limits[0], left)
        total, most = np.float32(0.0), np.float32(0.0)
        for channel in range(len(used)):
            rest[number, channel] = away[row, channel] - deviation[row, top] * correlation[top, channel]
            said = (left[channel] * left[channel] - level[channel]) / scale[channel] + limits[1]
            beyond = max(said - limits[2], np.float32(0.0))
            total, most = total + beyond, max(most, beyond)
        unexplained[number] = total - most


@njit([W2(R2, R1, R1)], cache=True, fastmath=FASTEST)
def remembered(history, weights, held):
    """Return the nats of windows and what was held against the same channel before."""
    before = len(weights)
    nats = np.empty((len(history) - before, history.shape[1]), np.float32)
    for window in range(len(nats)):
        for channel in range(history.shape[1]):
            nats[window, channel] = history[before + window, channel]
        for back in range(before):
            earlier = history[before + window - back - 1]
            for channel in range(history.shape[1]):
                excess = min(max(earlier[channel] - held[0], np.float32(0.0)), held[1])
                nats[window, channel] += weights[back] * excess
    return nats


@njit([NOTHING(BOOLS2, BOOLS1, read(types.uint8, 1), read(types.int32, 1), write(types.int32, 2))], cache=True)
def run_lengths(odd, judged, masked, begun, found):
    """Write by how many windows more a spread was wrong than right; of masked channels, right than wrong."""
    wrong, right, before = np.empty_like(begun), np.empty_like(begun), begun.copy()
    for channel in range(len(masked)):
        wrong[channel] = 1 if masked[channel] == USED else -1
        right[channel] = -1 if masked[channel] >= MAINTENANCE else -wrong[channel]
    for window in range(len(odd)):
        own, is_odd = found[window], odd[window]
        if judged[window]:
            for channel in range(len(masked)):
                before[channel] = max(before[channel] + (wrong[channel] if is_odd[channel] else right[channel]), 0)
        else:
            for channel in range(len(masked)):
                before[channel] = max(before[channel] - (masked[channel] >= MAINTENANCE), 0)
        for channel in range(len(masked)):
            own[channel] = before[channel]
