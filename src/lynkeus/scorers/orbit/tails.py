"""Every channel's own tails: how improbable a mean, a spread or a repeat is for this channel in good data."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Floats
from lynkeus.files.arrays import arrays_of, part_of
from lynkeus.scorers.orbit.baseline import Gate
from lynkeus.scorers.orbit.habit import Habit, OwnTails
from lynkeus.scorers.orbit.windows import WindowStatistics

TAIL = 0.02  # share of the windows beyond the level from which a tail is fitted
START_NATS = float(-np.log(TAIL))
TRIM = 0.05  # largest excesses left out of a tail's scale: the reference is not clean
WIDEN = 1.15  # what the trimming takes from an exponential tail's mean
UNREST_NATS = 2.1  # of an energy that is exceeded by TAIL of a reference: z^2 / 2 for z = 2.05
FEW = 10  # repeats seen fewer times than this are extrapolated
STEEPEST = 5.0  # nats per further repeat, at most


def spread_statistic(spread: Floats) -> Floats:
    """Return minus the log of the spread, which is large where the spread is too small."""
    return -np.log(spread)


class Kept(NamedTuple):
    """Windows of a reference along the moving baseline: an even sample of at most a few thousand."""

    deviation: Floats
    energy: Floats
    sway: Floats
    spread: Floats
    repeats: Floats
    length: int


@dataclass(frozen=True)
class Line:
    """An exponential tail: nats are a straight line in a statistic, from `level` on, with `scale`; both (c,) or
    scalar."""

    level: Floats
    scale: Floats

    def nats(self, statistic: Floats) -> Floats:
        """Return -ln of the chance in good data; below the level only a lower bound, which does not matter there."""
        nats = (statistic - self.level) * (1.0 / self.scale)
        nats += np.float32(START_NATS)
        return nats

    def at(self, channel: Array | int) -> Line:
        """Return the line of one channel, or of some."""
        return Line(self.level[channel], self.scale[channel])

    @classmethod
    def fit(cls, statistic: Floats) -> Line:
        """Fit the tail of each column of (n, c), beyond its quantile 1 - TAIL; the largest excesses are trimmed."""
        level = np.quantile(statistic, 1.0 - TAIL, axis=0)
        ordered = np.sort(statistic, axis=0)
        first = int(np.ceil(len(ordered) * (1.0 - TAIL)))
        excess = ordered[min(first, len(ordered) - 1) :] - level
        # A part of the largest one, where that is to be left out: a scale must not jump with the number of windows.
        kept = np.clip(len(excess) - len(ordered) * TAIL * TRIM - np.arange(len(excess)), 0.0, 1.0)
        scale = np.maximum(kept @ excess / kept.sum() * WIDEN, 1e-6)
        return cls(np.asarray(level, np.float32), np.asarray(scale, np.float32))


@dataclass(frozen=True)
class Tails:
    """Lines for the squared mean, the spread and its inverse; energies of all residuals and of the `sway`; `repeat`:
    nats of 0, 1, 2 ... repeats."""

    mean: Line
    wide: Line
    narrow: Line
    repeat: Floats
    energy: Energy
    sway: Energy

    def mean_nats(self, deviation: Floats, own: OwnTails | None = None) -> Floats:
        """Return the evidence (n, c) in nats that the mean of a channel moved, by the tails that it has of late."""
        if own is None:
            return self.mean.nats(deviation * deviation)
        nats = deviation * deviation
        nats -= self.mean.level
        edges = np.searchsorted(own.which, np.arange(len(own.start) + 1))
        for stretch, (first, last) in enumerate(pairwise(edges.tolist())):
            nats[first:last] /= own.scale[stretch]
            nats[first:last] += own.start[stretch]
        return nats

    def of_late(self, habit: Habit, deviation: Floats, quiet: npt.NDArray[np.bool_]) -> OwnTails:
        """Move a habit past deviations (n, c), of which `quiet` (n,) ones count; return the tails on the way."""
        return habit.walk(deviation, self.mean.level, quiet, TAIL, self.mean.scale)

    def rest_of_late(self, habit: Habit, nats: Floats, quiet: npt.NDArray[np.bool_]) -> Floats:
        """Move a habit of the whole orbit past the `nats` (n,) of its energy, of which `quiet` (n,) ones count; return
        them by the tail that it has of late."""
        level, scale = np.array([UNREST_NATS], np.float32), np.ones(1, np.float32)
        late = habit.walk(np.sqrt(nats)[:, None].astype(np.float32), level, quiet, TAIL, scale)
        start, own = late.start[late.which, 0], late.scale[late.which, 0]
        beyond = nats - UNREST_NATS
        return np.where(beyond > 0, np.minimum(beyond / own + start - START_NATS + UNREST_NATS, nats), nats)

    def shape_nats(self, statistics: WindowStatistics) -> Floats:
        """Return the evidence (n, c) in nats that a channel is too noisy, too quiet, repeats its value or gives none.

        The last three are rare, so they are looked at only where they could speak.
        """
        if statistics.length <= 2:
            nats = np.zeros_like(statistics.spread)
        else:
            nats = self.wide.nats(statistics.spread)
            flat, channels = nats.reshape(-1), nats.shape[1]
            quiet = np.flatnonzero(statistics.spread < np.exp(-self.narrow.level))
            narrow = self.narrow.at(quiet % channels).nats(spread_statistic(statistics.spread.reshape(-1)[quiet]))
            flat[quiet] = np.maximum(flat[quiet], narrow)
            held = np.flatnonzero(statistics.repeats > 1.0)  # a single one says nothing
            repeats = statistics.repeats.reshape(-1)[held].astype(np.intp)
            flat[held] = np.maximum(flat[held], self.repeat[repeats])
        if statistics.missing is not None:
            gone = statistics.missing  # 0 says nothing, also beside others that are
            np.maximum(nats, gone * np.float32(START_NATS), out=nats, where=gone > 0)
        return nats

    def of_shape(self, statistics: WindowStatistics, odd: float) -> tuple[Any, ...]:
        """Return what the compiled form of `shape_nats` reads beside spread and repeats; `odd`: nats."""
        missing = np.empty((0, 0), np.float32) if statistics.missing is None else statistics.missing
        lines = self.wide.level, self.wide.scale, self.narrow.level, self.narrow.scale
        return missing, *lines, self.repeat, np.array([START_NATS, odd], np.float32)

    def strongest_test(self, deviation: Floats, statistics: WindowStatistics, channel: int) -> str:
        """Return the test that speaks most against a channel in one window: mean, wide, narrow, repeat or missing."""
        spread, repeats = statistics.spread[0, channel], int(statistics.repeats[0, channel])
        gaps = 0.0 if statistics.missing is None else float(statistics.missing[0, channel])
        tests: dict[str, Any] = {"missing": gaps * START_NATS}
        tests["mean"] = self.mean.at(channel).nats(deviation[0, channel] ** 2)
        if statistics.length > 2:
            tests["wide"] = self.wide.at(channel).nats(spread)
            tests["narrow"] = self.narrow.at(channel).nats(spread_statistic(spread))
            tests["repeat"] = self.repeat[repeats]
        return max(tests, key=lambda name: float(tests[name]))

    def to_arrays(self) -> dict[str, Array]:
        """Return all tails as arrays for a model folder."""
        energies = {name: np.array([e.centre, e.width]) for name, e in (("energy", self.energy), ("sway", self.sway))}
        return arrays_of(self, leave=energies) | energies

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> Tails:
        """Rebuild the tails from the arrays of `to_arrays`."""
        energy, sway = (Energy(*arrays[name].tolist()) for name in ("energy", "sway"))
        return part_of(cls, arrays, energy=energy, sway=sway)


def fit_tails(kept: Kept, gate: Gate) -> Tails:
    """Learn the tails from the quiet windows of a reference."""
    quiet = kept.energy <= gate.energy
    mean = Line.fit(kept.deviation[quiet] ** 2)
    wide = Line.fit(kept.spread[quiet])
    narrow = Line.fit(spread_statistic(kept.spread[quiet]))
    repeat = _repeat_nats(kept.repeats[quiet], kept.length)
    energies = Energy.fit(kept.energy), Energy.fit(kept.sway)
    return Tails(mean, wide, narrow, repeat, *energies)


@dataclass(frozen=True)
class Energy:
    """The null distribution of a sum of many squares: its cube root is nearly Gaussian (Wilson & Hilferty 1931), with
    `centre` and `width`."""

    centre: float
    width: float

    @classmethod
    def fit(cls, energy: Floats) -> Energy:
        """Learn median and upper sigma of the cube root; one window in twenty may be anything."""
        centre, high, higher = np.quantile(np.cbrt(energy), [0.5, 0.841, 0.95])
        return cls(float(centre), max(float(high - centre), float(higher - centre) / 1.645, 1e-6))

    def at(self, nats: float) -> float:
        """Return the sum that is so much evidence: the inverse of `nats`."""
        return float((self.centre + self.width * np.sqrt(2.0 * nats)) ** 3)

    def nats(self, energy: Floats) -> Floats:
        """Return the evidence (n,) in nats that the sum is too large."""
        excess = np.maximum((np.cbrt(energy) - self.centre) / self.width, 0.0)
        return excess * excess / 2.0


def _repeat_nats(repeats: Floats, length: int) -> Floats:
    """Return the nats (length,) of 0, 1, ... repeats: -ln of how often as many are counted over all channels; beyond
    what was seen they go on as steeply."""
    counts = np.bincount(repeats.astype(np.intp).ravel(), minlength=length)
    at_least = counts[::-1].cumsum()[::-1]
    nats = -np.log(np.maximum(at_least, 1) / repeats.size)
    seen = max(int(np.flatnonzero(at_least >= FEW)[-1]), 1) if length > 1 else 0
    steepness = min(max(nats[seen] - nats[seen - 1], 1.0), STEEPEST) if length > 1 else 0.0
    nats[seen:] = nats[seen] + steepness * np.arange(length - seen)
    nats[:2] = 0.0
    return nats.astype(np.float32)
