"""Where an orbit that moves is going: a place and a speed that are known from some windows, and how well.

An orbit that was steered to a new place is known from the windows that it has been there, and one on a ramp from a line
through them. What is expected of the next window is then less certain than where the orbit stood still for minutes; so
deviations are counted in sigmas of their prediction (recursive least squares; Ljung, *System Identification*, 1999,
ch. 11).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Floats

LONGEST = 20  # windows that a line is put through
SHORTEST = 4  # windows that show where an orbit stands
ALONE = 2  # channels that break at a new place before it is taken; more are the orbit
FEW = 3  # windows at a new place by which channels are judged before it is taken
FIT = 0.75  # share of the windows that lie on a line that is one
ON_LINE = 2.0  # mean square about it, in sigmas, of a channel that goes with the others
FORGET = 0.95  # weight of what is known, with each window
KNOWN = 20.0  # windows from which on a place is known as well as any


@dataclass
class Course:
    """`slope` (c,): by how much the orbit moves from window to window, 0 where it stands still; `sums` (3,): of the
    windows from which place and slope are known, the number and the sums of their times and of their squares, in
    windows, the last one at 0; zeros: it has been here for long. `recent` (k, c): the means of the latest windows."""

    slope: Floats
    sums: Floats
    recent: Floats

    @classmethod
    def none(cls, channels: int) -> Self:
        """Return that of an orbit which stands where it always did."""
        return cls(np.zeros(channels, np.float32), np.zeros(3), np.zeros((0, channels), np.float32))

    def copy(self) -> Course:
        """Return an independent copy."""
        return type(self)(*(array.copy() for array in vars(self).values()))

    def to_arrays(self) -> dict[str, Array]:
        """Return all of it as arrays, for a store."""
        return {f"course.{entry.name}": getattr(self, entry.name) for entry in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array], channels: int) -> Self:
        """Return what `to_arrays` was called on; nothing moves where an earlier version wrote the arrays."""
        given = cls.none(channels)
        own = {e.name: arrays.get(f"course.{e.name}", getattr(given, e.name)).copy() for e in fields(cls)}
        return cls(**own)

    @property
    def ramps(self) -> bool:
        """Whether the orbit is known to move on."""
        return bool(self.slope.any())

    def ahead(self, first: int, windows: int) -> Floats:
        """Return how far (windows, c) the orbit has gone on since the last step, `first` windows after it and later."""
        return np.arange(first + 1, first + windows + 1, dtype=np.float32)[:, None] * self.slope

    def width(self, first: int, windows: int) -> Floats:
        """Return the sigma (windows, 1) of what deviates from this place, in those of an orbit that is well known."""
        count, time, square = self.sums
        if not count:
            return np.ones((windows, 1), np.float32)
        at = np.arange(first + 1, first + windows + 1)
        variance = 1.0 / count
        if self.ramps:
            variance = (square - 2.0 * at * time + at * at * count) / (count * square - time * time)
        return np.sqrt(1.0 + np.broadcast_to(variance, len(at)))[:, None].astype(np.float32)

    def note(self, means: Floats) -> None:
        """Keep the means of the windows (n, c) of a step."""
        self.recent = np.concatenate([self.recent, means])[-LONGEST:]

    def go_on(self, windows: int) -> Floats:
        """Let some windows pass, and return by how much (c,) the orbit moves in them."""
        count, time, square = self.sums
        self.sums = np.array([count, time - windows * count, square - 2.0 * windows * time + windows**2 * count])
        return self.slope * np.float32(windows)

    def learn(self, deviation: Floats, times: Array) -> Floats:
        """Learn from deviations (n, c) at `times` (n,) of windows, the last of the step at 0; return by how much (c,)
        the place is another one."""
        self.sums = FORGET ** len(times) * self.sums + np.array([len(times), times.sum(), np.square(times).sum()])
        count, time, square = self.sums
        total = deviation.sum(axis=0)
        if not self.ramps:
            if count > KNOWN:
                self.sums = np.zeros(3)
            return (total / count).astype(np.float32)
        move, faster = np.linalg.solve([[count, time], [time, square]], np.stack([total, times @ deviation]))
        self.slope = (self.slope + faster).astype(np.float32)
        return np.asarray(move, np.float32)

    def stand_still(self) -> None:
        """Take the orbit as one that does not move any more."""
        count, time, square = self.sums
        self.sums = np.array([(count * square - time * time) / square if square else count, 0.0, 0.0])
        self.slope = np.zeros_like(self.slope)

    @property
    def slope_sigma(self) -> float:
        """The standard error of the slope, in sigmas of a window."""
        count, time, square = self.sums
        return float(np.sqrt(count / max(count * square - time * time, 1e-9)))


class Line(NamedTuple):
    """A straight line through windows: where it is (c,) at the last of them, its `slope` (c,), the residuals (n, c) in
    units of a window's deviation, and the `sums` of a Course."""

    place: Floats
    slope: Floats
    residual: Floats
    sums: Floats


def line_through(windows: Floats, sloped: bool) -> Line:
    """Return the line of least squares through windows (n, c); without a slope their mean."""
    times = np.arange(1 - len(windows), 1, dtype=float)
    sums = np.array([len(times), times.sum(), np.square(times).sum()])
    basis = np.stack([np.ones_like(times), times])[: 2 if sloped else 1]
    coefficients = np.linalg.solve(basis @ basis.T, basis @ windows)
    leverage = (basis * np.linalg.solve(basis @ basis.T, basis)).sum(axis=0)
    residual = (windows - basis.T @ coefficients) / np.sqrt(np.maximum(1.0 - leverage, 1e-3))[:, None]
    slope = coefficients[1] if sloped else np.zeros_like(coefficients[0])
    return Line(coefficients[0].astype(np.float32), slope.astype(np.float32), residual.astype(np.float32), sums)


def jumped(windows: Floats) -> bool:
    """Whether a single step explains windows (n, c), in sigmas, better than a straight line does."""
    total = np.cumsum(windows, axis=0, dtype=float)
    before = np.arange(1, len(windows))[:, None]
    after = len(windows) - before
    steps = np.square(total[:-1]) / before + np.square(total[-1] - total[:-1]) / after
    times = np.arange(len(windows)) - 0.5 * (len(windows) - 1)
    line = np.square(total[-1]) / len(windows) + np.square(times @ windows) / np.square(times).sum()
    return bool(steps.sum(axis=1).max() > line.sum())
