"""Which channels are left out of what the others are compared with: those whose spread is wrong and stays so."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import TimesNs
from lynkeus.scorers.orbit.adopted import ABSENT, MAINTENANCE, ODD, USED, Adopted
from lynkeus.scorers.orbit.loops import compiled

MOST_ODD = 0.15  # share of the channels that are wrong at once; more are another machine, and no channel's fault


class Change(NamedTuple):
    """After so many `windows` other channels are `masked` (c,), each `since_ns` (c,)."""

    windows: int
    masked: npt.NDArray[np.uint8]
    since_ns: npt.NDArray[np.int64]


def change_of_masks(state: Adopted, run: npt.NDArray[np.int32], after: int, time_ns: TimesNs | None) -> Change | None:
    """Return the first change in some windows, up to which the state has counted on.

    `run` (n, c): of `runs`. A channel is masked once more windows by `after` speak against it than for it, and used
    again once as many more speak for it than against it.
    """
    time_ns = np.zeros(len(run), np.int64) if time_ns is None else time_ns
    over = np.flatnonzero((run >= after).any(axis=1)) if run.size and run.max() >= after else np.empty(0, np.intp)
    last = int(over[0]) if len(over) else len(run) - 1
    since = _began(run[: last + 1], state.run_ns, time_ns)
    if len(run):
        state.run, state.run_ns = run[last].astype(np.float32), since
    if not len(over):
        return None
    changed = run[last] >= after
    masked = np.where(changed, np.where(state.masked == USED, ODD, USED), state.masked).astype(np.uint8)
    return Change(last + 1, masked, np.where(changed, np.maximum(since, 1), state.masked_ns))


def change_of_absence(
    state: Adopted, gone: npt.NDArray[np.bool_], judged: npt.NDArray[np.bool_], after: float, time_ns: TimesNs | None
) -> Change | None:  # fmt: skip
    """Return the first change in some windows, up to which the state has counted on: a channel that was `gone` (n, c)
    in so many windows in a row is masked, until it gives a value. Only `judged` (n,) windows count."""
    if not gone.any() and not state.absent.any():
        return None
    times = np.zeros(len(gone), np.int64) if time_ns is None else time_ns
    for row in np.flatnonzero(judged).tolist():
        back = (state.masked == ABSENT) & ~gone[row]
        if back.any():
            return Change(row, np.where(back, USED, state.masked).astype(np.uint8), np.where(back, 0, state.masked_ns))
        state.absent_ns = np.where(gone[row] & (state.absent == 0), max(int(times[row]), 1), state.absent_ns)
        state.absent = np.where(gone[row], state.absent + 1, 0).astype(np.float32)
        new = (state.masked == USED) & (state.absent >= after)
        if new.any():
            masked = np.where(new, ABSENT, state.masked).astype(np.uint8)
            return Change(row + 1, masked, np.where(new, state.absent_ns, state.masked_ns))
    return None


def runs(
    state: Adopted, odd: npt.NDArray[np.bool_], judged: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int32]:  # fmt: skip
    """Return by how many windows more the spread of each channel (n, c) was wrong than right; of a masked one, right
    than wrong. `odd` (n, c): where it is wrong, which is `judged` (n,) only where the orbit stands still."""
    most = max(MOST_ODD * odd.shape[1], 2.0)
    judged = judged & (np.add.reduce(odd.view(np.int8), axis=1, dtype=np.int16) <= most)
    loops = compiled()
    if loops is not None:
        found = np.empty(odd.shape, np.int32)
        loops.run_lengths(odd, judged, state.masked, state.run.astype(np.int32), found)
        return found
    # Channels first: sums along the windows of one channel are then of neighbours in memory. All are whole numbers.
    against = np.where((state.masked == USED)[:, None] == odd.T, np.int8(1), np.int8(-1))
    against *= judged.view(np.int8)
    against[state.masked >= MAINTENANCE] = -1
    total = np.add.accumulate(against, axis=1, dtype=np.int32)
    total += state.run.astype(np.int32)[:, None]
    total -= np.minimum(np.minimum.accumulate(total, axis=1), 0)
    return total.T


def _began(run: npt.NDArray[np.int32], before_ns: npt.NDArray[np.int64], time_ns: TimesNs) -> npt.NDArray[np.int64]:
    """Return when the count of each channel (c,) began: after the last window in which it was zero."""
    if not len(run):
        return before_ns
    began, on = np.zeros(run.shape[1], np.int64), np.flatnonzero(run[-1])
    zero = run[:, on] == 0
    last = len(run) - 1 - zero[::-1].argmax(axis=0)
    following = time_ns[np.minimum(last + 1, len(run) - 1)]
    began[on] = np.where(zero.any(axis=0), following, np.where(before_ns[on] == 0, time_ns[0], before_ns[on]))
    return began
