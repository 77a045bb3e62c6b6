"""How far each channel has strayed lately: tails that are kept up to date while a stream is watched.

A channel that behaved in the reference may wander for an hour later on, and it must not speak for all others through
that hour. What is known of a tail, how often a level is exceeded and by how much on average, is what the reference said
(the prior) and what the last minutes say, both counted in windows: the posterior means of a share and of an exponential
scale under their conjugate priors (Gelman et al., *Bayesian Data Analysis*, 2013, ch. 2). A tail is never taken for
lighter than the reference had it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Floats
from lynkeus.scorers.orbit.loops import compiled

EVERY = 60  # windows after which tails are brought up to date
MEMORY_WINDOWS = 600.0  # that count
PRIOR_WINDOWS = 600.0  # that the reference is worth
MOST_EXCESS = 4.0  # scales that one window can count: one fault makes no habit


class OwnTails(NamedTuple):
    """Of some stretches and each channel (m, c): `start`, the nats at the level, and the `scale` of what is beyond;
    `which` of the stretches, in order, each window (n,) is in."""

    start: Floats
    scale: Floats
    which: npt.NDArray[np.intp]

    def rows(self, index: Array) -> OwnTails:
        """Return those of some windows in order, by index."""
        return self._replace(which=self.which[index])


@dataclass
class Habit:
    """Of the last minutes: `beyond` (c,), in how many windows each channel was beyond its level, and by how much in
    all, `excess` (c,), of how many `windows` (1,); the same of those since tails were last brought up to date, `tally`
    (2, c), after `count` (1,) windows, of which `counted` (1,) were quiet."""

    beyond: Floats
    excess: Floats
    windows: Floats
    tally: Floats
    count: npt.NDArray[np.int64]
    counted: npt.NDArray[np.int64]

    @classmethod
    def none(cls, channels: int) -> Self:
        """Return that of channels of which nothing is known but what the reference said."""
        zeros, none = np.zeros(channels, np.float32), np.zeros(1, np.int64)
        return cls(zeros, zeros.copy(), np.zeros(1), np.zeros((2, channels), np.float32), none, none.copy())

    def copy(self) -> Habit:
        """Return an independent copy."""
        return type(self)(*(array.copy() for array in vars(self).values()))

    def to_arrays(self, of: str = "habit") -> dict[str, Array]:
        """Return all of it as arrays, for a store."""
        return {f"{of}.{entry.name}": getattr(self, entry.name) for entry in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array], channels: int, of: str = "habit") -> Self:
        """Return what `to_arrays` was called on; nothing is known where an earlier version wrote the arrays."""
        given = cls.none(channels)
        return cls(**{e.name: arrays.get(f"{of}.{e.name}", getattr(given, e.name)).copy() for e in fields(cls)})

    def walk(
        self, deviation: Floats, level: Floats, quiet: npt.NDArray[np.bool_], share: float, scale: Floats
    ) -> OwnTails:
        """Move past the deviations (n, c) of windows; in the reference a `share` of their squares is beyond a `level`
        (c,), by `scale` (c,) on average. Only `quiet` (n,) windows count: a move of all is no habit of one. Returns the
        tails that each window is judged by."""
        loops = compiled()
        if loops is not None and deviation.dtype == np.float32:
            numbers = np.array([share, PRIOR_WINDOWS, EVERY, MOST_EXCESS, np.exp(-EVERY / MEMORY_WINDOWS)])
            state = self.beyond, self.excess, self.windows, self.tally, self.count, self.counted
            return OwnTails(*loops.habit(deviation, level, quiet, scale, numbers, state))
        starts: list[Floats] = []
        scales: list[Floats] = []
        which = np.empty(len(deviation), np.intp)
        first = 0
        while first < len(deviation):
            start, own = self._tails(share, scale)
            stop = min(first + EVERY - int(self.count[0]), len(deviation))
            chosen = deviation[first:stop][quiet[first:stop]]
            beyond = np.maximum(chosen * chosen - level, 0.0)
            self.tally += np.stack([(beyond > 0).sum(axis=0), np.minimum(beyond, MOST_EXCESS * own).sum(axis=0)])
            self.count += stop - first
            self.counted += len(chosen)
            which[first:stop] = len(starts)
            starts.append(start)
            scales.append(own)
            if self.count[0] == EVERY:
                self._take()
            first = stop
        shape = len(starts), deviation.shape[1]
        return OwnTails(np.array(starts, np.float32).reshape(shape), np.array(scales, np.float32).reshape(shape), which)

    def _tails(self, share: float, scale: Floats) -> tuple[Floats, Floats]:
        prior = share * PRIOR_WINDOWS
        often = (self.beyond + prior) / (float(self.windows[0]) + PRIOR_WINDOWS)
        own = (self.excess + prior * scale) / (self.beyond + prior)
        return -np.log(np.maximum(often, share)), np.maximum(own, scale)

    def _take(self) -> None:
        keep = np.float32(np.exp(-EVERY / MEMORY_WINDOWS))
        for own, new in ((self.beyond, self.tally[0]), (self.excess, self.tally[1]), (self.windows, self.counted)):
            own *= keep
            own += new
        self.tally[:] = 0.0
        self.count[:] = self.counted[:] = 0
