"""The moving baseline of `orbit`: follows slow drift, stands still while something is wrong, adopts what stays.

It remembers the last few orbits that it left: an orbit that switches between two places (a corrector that is turned
on and off) is news the first time, not every time. The baseline is constant within a block of a few windows and
moves between blocks, so that long stretches are computed at once and the result does not depend on how the stream
is cut into batches.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Floats
from lynkeus.scorers.orbit.adopted import Adopted
from lynkeus.scorers.orbit.course import Course
from lynkeus.scorers.orbit.habit import Habit
from lynkeus.scorers.orbit.thin import Thin

KNOWN_ORBITS = 3
MOST_WRONG = 8  # channels that are broken at once; more are a moved beam
CENTRE_WINDOWS = (30.0, 60.0, 300.0, 1800.0)  # time constants of the long-term centres, in windows
ARRAYS = ("level", "centres", "held", "known", "recent")
SWAY = 2  # the centre about which the whole orbit sways


@dataclass(frozen=True)
class Pace:
    """How the baseline moves: `block` windows per step, `gain` of a step, deviations clipped at `clip` sigmas.

    A channel that deviates stands still for `monitor_adopt` windows, the whole orbit for `beam_adopt` windows after
    a step; then the new place is taken for good. An orbit that moved and is quiet for `settle` windows is the new
    reference of slow movements too, and a channel whose spread is wrong for `mask_after` windows is left out of what
    the others are compared with (0: never, as in models of earlier versions). `warm_up` windows are averaged at a
    fresh start.
    """

    block: int = 10
    gain: float = 0.5
    clip: float = 2.0
    monitor_adopt: int = 30
    beam_adopt: int = 10
    warm_up: int = 10
    settle: int = 30
    mask_after: int = 60

    @classmethod
    def of_seconds(cls, window_s: float, adopt_s: float, settle_s: float, mask_s: float) -> Self:
        """Return the pace for windows of a length in s, 0 where it is not known: then they count as one second."""
        adopt, settle, mask = (round(seconds / (window_s or 1.0)) for seconds in (adopt_s, settle_s, mask_s))
        least = cls().beam_adopt
        return cls(monitor_adopt=max(adopt, least), settle=max(settle, least), mask_after=max(mask, least))

    def block_of(self, moving: bool) -> int:
        """Return the windows of the next step: shorter ones where the orbit moves, which is soon to be judged again."""
        return max(1, self.block // 2) if moving and self.settle else self.block

    def adopt_of(self, moved: bool) -> int:
        """Return after how many windows elsewhere a place is taken: sooner by an orbit that `moved` not long ago, of
        which this is no news."""
        return max(2, self.beam_adopt // 2 + 1) if moved else self.beam_adopt


@dataclass
class OrbitBaseline:
    """State of the baseline in units of conditional sigmas. All arrays over channels (c,); `centres` (4, c).

    `known` (k, c): orbits that were left, the latest first; `recent` (k, c): what was held against the spread of each
    channel in the last windows, in nats; `own` (c,): how far off a channel that is held is, since `held_ns` (c,);
    `last` (c,): the mean of the last window; `course`: where the whole orbit is going; `habit`:
    how far channels stray of late, `unrest`: and how often the whole orbit does.
    """

    level: Floats
    centres: Floats
    held: Floats
    known: Floats
    recent: Floats
    seen: float = np.inf  # windows averaged in `level`; infinite once it is trusted
    beam_held: int = 0
    fresh: bool = True
    pending: list[Floats] = field(default_factory=list)  # window means of the block that is not complete yet
    end_ns: int = 0
    block_ns: int = 0  # when that block began
    own: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    held_ns: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    last: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    standing: Adopted = field(default_factory=lambda: Adopted.none(0))
    course: Course = field(default_factory=lambda: Course.none(0))
    habit: Habit = field(default_factory=lambda: Habit.none(0))
    unrest: Habit = field(default_factory=lambda: Habit.none(1))

    def __post_init__(self) -> None:
        if len(self.own) != len(self.level):
            self.own, self.last = np.zeros_like(self.level), self.level.copy()
            self.held_ns = np.zeros(len(self.level), np.int64)
            self.standing, self.course = Adopted.none(len(self.level)), Course.none(len(self.level))
            self.habit = Habit.none(len(self.level))

    @property
    def moves(self) -> bool:
        """Whether the orbit moves, or did not long ago."""
        return bool(self.standing.moving_ns[0] or self.course.sums[0])

    def latest(self) -> Floats:
        """Return the means (k, c) of the latest windows."""
        pending = np.array(self.pending, np.float32).reshape(len(self.pending), len(self.level))
        return np.concatenate([self.course.recent, pending])

    def copy(self) -> OrbitBaseline:
        """Return an independent copy."""
        names = ("level", "centres", "held", "known", "own", "held_ns", "standing", "course", "habit", "unrest")
        return replace(self, pending=list(self.pending), **{name: getattr(self, name).copy() for name in names})

    def afresh(self) -> OrbitBaseline:
        """Return a copy as for the beginning of a new file: nothing is wrong yet, and nothing stands; what channels do
        by habit is known."""
        state = self.copy()
        state.fresh, state.end_ns, state.recent = True, 0, np.zeros_like(self.recent)
        state.standing, state.course = Adopted.none(len(self.level)), Course.none(len(self.level))
        state.habit, state.unrest = Habit.none(len(self.level)), Habit.none(1)
        state.standing.other = self.standing.other.copy()
        return state

    def to_arrays(self) -> dict[str, Array]:
        """Return the whole state as arrays, for a store or a model folder."""
        pending = np.array(self.pending, np.float32).reshape(len(self.pending), len(self.level))
        numbers = np.array([self.seen, self.beam_held, self.fresh], np.float64)
        arrays: dict[str, Array] = {name: getattr(self, name) for name in ARRAYS}
        arrays |= {"own": self.own, "held_ns": self.held_ns, "last": self.last} | self.standing.to_arrays()
        times = {"end_ns": np.array([self.end_ns], np.int64), "block_ns": np.array([self.block_ns], np.int64)}
        more: dict[str, Array] = {"pending": pending, "numbers": numbers}
        arrays |= more | times | self.course.to_arrays()
        return arrays | self.habit.to_arrays() | self.unrest.to_arrays("unrest")

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> OrbitBaseline:
        """Rebuild the state from the arrays of `to_arrays`."""
        seen, beam_held, fresh = (float(value) for value in arrays["numbers"])
        pending = [row.copy() for row in arrays["pending"]]
        level, centres, held, known, recent = (arrays[name].copy() for name in ARRAYS)
        state = cls(level, centres, held, known, recent, seen, int(beam_held), bool(fresh), pending)
        state.end_ns = int(arrays["end_ns"][0])
        if "own" in arrays:  # else an earlier version wrote them
            state.block_ns, state.own = int(arrays["block_ns"][0]), arrays["own"].copy()
            state.held_ns, state.last = arrays["held_ns"].copy(), arrays["last"].copy()
        state.standing = Adopted.from_arrays(arrays, len(state.level))
        state.course = Course.from_arrays(arrays, len(state.level))
        state.habit = Habit.from_arrays(arrays, len(state.level))
        state.unrest = Habit.from_arrays(arrays, 1, "unrest")
        return state


@dataclass(frozen=True)
class Gate:
    """The thresholds of what counts as wrong: `sigma` (c,) of a quiet deviation; a channel beyond `channel` sigmas;
    `energy` of all channels; from `notice` on a window is looked at more closely. `sway`: the squared shift in jitters,
    by `to_jitter` (c, c), from which on the orbit is elsewhere than it was."""

    sigma: Floats
    channel: float
    energy: float
    correlation: Floats
    notice: float = np.inf
    energy_clip: float = 16.0
    sway: float = np.inf
    to_jitter: Floats | Thin | None = None
    per_sigma: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "per_sigma", 1.0 / self.sigma)

    def energies(self, deviation: Floats) -> Floats:
        """Return the clipped squared deviations (n,), summed over channels; of loud windows without the strongest
        channel."""
        scaled = deviation * self.per_sigma
        with np.errstate(over="ignore"):  # of a channel that hardly ever moves: it is clipped
            scaled *= scaled
        squares = np.add.reduce(np.minimum(scaled, self.energy_clip, out=scaled), axis=1)
        for row in np.flatnonzero(squares > self.energy):
            squares[row] = self.rest(deviation[row])
        return squares

    def rest(self, deviation: Floats) -> float:
        """Return the energy without the most deviating channel and its shadow on the others."""
        top = int(np.argmax(np.abs(deviation / self.sigma)))
        rest = deviation - deviation[top] * self.correlation[top]
        rest[top] = 0.0
        return float(np.minimum((rest / self.sigma) ** 2, self.energy_clip).sum())
