"""A view of a run: some columns of the events of one group, their density, and what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress
from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.files.arrays import arrays_of, part_of
from lynkeus.scorers.population.changes import MOST_EVENTS as MOST_FITTED
from lynkeus.scorers.population.changes import Compared, Hypothesis, hypotheses
from lynkeus.scorers.population.columns import FEWEST_TO_FIT, complete_events
from lynkeus.scorers.population.density import Density
from lynkeus.scorers.population.gaussians import log_sum
from lynkeus.scorers.population.low_density import LowDensityTest
from lynkeus.scorers.population.moves import Located, Moves, clear, located, put_back, wider_than_said
from lynkeus.scorers.population.new_population import GoodEvents, Samples, likeliest
from lynkeus.scorers.population.questions import (
    DRAWS_OF_GAINS,
    MOST_EVENTS,
    SIZES_OF_GAINS,
    FamilyOfTests,
    Gains,
    near_the_median,
    share_numbers,
    shift_numbers,
)
from lynkeus.scorers.population.trials import of_trials
from lynkeus.transforms.mixture import Mixture

ANSWERS = (("shifted",), ("gone", "new"), ("new",), ("new",))  # kinds of hypotheses, question by question
AS_ODD = 100.0  # ratio to the smallest p-value up to which a question is as loud
CERTAIN = 1e-6  # p-value from which no question is louder than another
LONGER = 1.5  # times a usual run: up to there it is learned what good runs gain
MOVES_FROM = 17  # runs; fewer say too little of how they move as a whole (of 20, three may be left out)
GOOD_KEPT = 2000  # events in the model
SEEDS = 2  # of numbers drawn again and again for one run: the same run gives the same answer


class Asked(NamedTuple):
    """p-values of a run in one view: of a shift, of other shares, of a new population, of events in nearly empty
    places: those whose log density is below `level`; all of these of the run put back, and `moved`: of its move, which
    is to `place`."""

    shift: float
    share: float
    new: float
    strange: float
    level: float
    moved: float = 1.0
    place: Located | None = None

    @property
    def answers(self) -> tuple[float, ...]:
        """The p-values of the four questions, of which a shift is also that of the run as a whole."""
        shift = self.shift if self.moved == 1.0 else of_trials(min(self.shift, self.moved), 2.0)
        return shift, self.share, self.new, self.strange


@dataclass(frozen=True)
class EventView:
    """A view: `columns` (c,) indices, of events of `group` ('': all), and their `density`. The tests of it, `shift`,
    `share`, `strange`, and `gains` of a new population in good runs (None for a single column, where shares and low
    density say as much). `good` (n, c): scaled events, not of the density, that hypotheses are compared with."""

    group: str
    columns: Array
    density: Density
    shift: FamilyOfTests
    share: FamilyOfTests
    strange: LowDensityTest
    good: Floats
    gains: Gains | None = None
    moves: Moves | None = None

    @classmethod
    def fit(
        cls, group: str, columns: Array, runs: Sequence[Floats], seed: int, whole: EventView | None = None
    ) -> Self | None:
        """Learn the density from every other run and its tests from the others; None where there are too few events.

        `runs`: (n, column) scaled, all columns, complete or not; `whole`: the view of more runs, of which these are a
        part: what takes long and depends on few of them is taken from it.
        """
        complete = [complete_events(run[:, columns]) for run in runs]
        if len(complete) < 4:
            pooled = np.concatenate(complete)
            complete = [pooled[k::4] for k in range(4)]
        learn, judge = np.concatenate(complete[::2]), [run for run in complete[1::2] if len(run)]
        if len(learn) < FEWEST_TO_FIT // 2 or sum(map(len, judge)) < FEWEST_TO_FIT // 2:
            return None
        density = Density.fit(learn, seed)
        rng = np.random.default_rng(seed)
        every = [density.points(run) for run in complete]
        many = len(runs) >= MOVES_FROM if whole is None else whole.moves is not None
        moves, every = _moves(density, every) if many else (None, every)
        points = [run for run in every[1::2] if len(run)]
        parts = [density.log_parts(run) for run in points]
        few = [(run[:MOST_EVENTS], own[:, :MOST_EVENTS]) for run, own in zip(points, parts, strict=True)]
        branches = density.branches
        shifts = [shift_numbers(density, run, own) for run, own in few]
        shares = [share_numbers(branches, own) for _, own in few]
        kept = near_the_median(shifts) & near_the_median(shares)
        judge, points, parts = (list(compress(part, kept)) for part in (judge, points, parts))
        shifts, shares = (list(compress(part, kept)) for part in (shifts, shares))
        others = [run[:MOST_EVENTS] for run in every[::2] if len(run)]
        their_parts = [density.log_parts(run) for run in others]
        their_shifts = [shift_numbers(density, run, own) for run, own in zip(others, their_parts, strict=True)]
        known = (None, None, None) if whole is None else (whole.shift, whole.share, whole.strange)
        shift = FamilyOfTests.fit(shifts, rng, their_shifts, known[0])
        share = FamilyOfTests.fit(shares, rng, [share_numbers(branches, own) for own in their_parts], known[1])
        strange = LowDensityTest.fit([log_sum(own) for own in parts], rng, known[2])
        beside, drawn = (points[::2], slice(1, None, 2)) if len(judge) >= 8 else (points, slice(None))
        pooled = np.concatenate(beside)
        good = density.scaled(pooled[rng.choice(len(pooled), min(len(pooled), GOOD_KEPT), replace=False)])
        view = cls(group, columns, density, shift, share, strange, good, moves=moves)
        if len(columns) == 1:
            return view
        if whole is not None:
            return replace(view, gains=whole.gains)
        usual = LONGER * float(np.median([len(run) for run in judge]))  # longer runs are asked in part
        most = max(SIZES_OF_GAINS[0], min(sum(map(len, judge[drawn])) // 2, usual))
        sizes = [size for size in SIZES_OF_GAINS if size <= most]
        gains = {size: view._gains_of(points[drawn], parts[drawn], size, rng) for size in sizes}
        return replace(view, gains=Gains.fit(gains))

    def _gains_of(self, runs: Sequence[Floats], parts: Sequence[Floats], size: int, rng: np.random.Generator) -> Floats:
        """Return the log likelihood gains (DRAWS_OF_GAINS,) of the best new population in good runs of so many events,
        drawn without replacement; events of one run stay together. `parts`: log densities (k, n) of each run."""
        ends = np.cumsum([len(run) for run in runs])
        chosen = []
        for _ in range(DRAWS_OF_GAINS):
            order = rng.permutation(len(runs))
            enough = int(np.searchsorted(np.cumsum([len(runs[k]) for k in order]), size)) + 1
            events = np.concatenate([np.arange(ends[k] - len(runs[k]), ends[k]) for k in order[:enough]])
            chosen.append(events[rng.permutation(len(events))[:size]])
        pooled, own = np.concatenate(runs), np.concatenate(parts, axis=1)
        return self._new_gains(pooled[np.array(chosen)], np.moveaxis(own[:, np.array(chosen)], 0, 1))

    def _new_gains(self, points: Floats, parts: Floats) -> Floats:
        """Return the log likelihood gain (d,) of the best new population among events (d, n, c) of log densities
        `parts` (d, k, n)."""
        whole = log_sum(np.moveaxis(parts, 1, 0))
        samples = Samples(points, parts, whole, whole < self.strange.emptiest(whole)[:, None])
        return likeliest(self.density, samples, self._good).gain

    @cached_property
    def _good(self) -> GoodEvents:
        return GoodEvents.of(self.density, self.good)

    def ask(self, scaled: Floats, briefly: bool = False) -> Asked | None:
        """Return the p-values of the events (n, column) of a run; None where there are none. `briefly`: that of a new
        population is not asked for."""
        events = complete_events(scaled[:, self.columns])
        if not len(events):
            return None
        points, moved, place = self._back(self.density.points(events))
        parts, n = self.density.log_parts(points), len(events)
        few, own = points[:MOST_EVENTS], parts[:, :MOST_EVENTS]
        shift = self.shift.p_value(self.shift.sigmas(shift_numbers(self.density, few, own)), len(few))
        share = self.share.p_value(self.share.sigmas(share_numbers(self.density.branches, parts)), n)
        density = log_sum(parts)
        strange, level = self.strange.test(density)
        new = self._new(points, parts, density, level) if self.gains and not briefly else 1.0
        return Asked(shift, share, new, strange, level, moved, place)

    def _back(self, points: Floats) -> tuple[Floats, float, Located | None]:
        """Return the events (n, c) of a run put back where good ones are, the p-value of its move, and where it is."""
        if self.moves is None:
            return points, 1.0, None
        place = located(self.density, points[:MOST_EVENTS], np.isfinite(self.moves.usual))
        return put_back(self.density, points, place.moved), self.moves.p_value(place), place

    def sigmas(self, scaled: Floats) -> Floats:
        """Return how far the events (n, column) of a run are moved as a whole, and their means off (m,), of a shift and
        of shares; 0 where there are none."""
        events = complete_events(scaled[:, self.columns])
        columns = len(self.columns) * (self.moves is not None)
        if not len(events):
            return np.zeros(columns + len(self.shift.usual) + len(self.share.usual))
        points, _, place = self._back(self.density.points(events)[:MOST_EVENTS])
        moved = self.moves.sigmas(place) if self.moves is not None and place is not None else np.empty(0)
        parts = self.density.log_parts(points)
        shifts = self.shift.sigmas(shift_numbers(self.density, points, parts))
        return np.concatenate([moved, shifts, self.share.sigmas(share_numbers(self.density.branches, parts))])

    def _new(self, points: Floats, parts: Floats, density: Floats, level: float) -> float:
        """Return the p-value of a new population, of at most twice as many events as the median good run has: gains of
        more are not known."""
        assert self.gains is not None
        most = min(int(2 * self.strange.reference[1]), len(points))
        for number, rng in ((most, SEEDS), (MOST_FITTED, (SEEDS, most))):
            if len(points) > number:
                chosen = np.random.default_rng(rng).choice(len(points), number, replace=False)
                points, parts, density = points[chosen], parts[:, chosen], density[chosen]
        samples = Samples(points[None], parts[None], density[None], density[None] < level)
        return self.gains.p_value(float(likeliest(self.density, samples, self._good).gain[0]), most)

    def ranked_hypotheses(self, scaled: Floats, asked: Asked) -> list[Hypothesis]:
        """Return the hypotheses of what changed, first those of the kinds whose test has nearly the smallest p-value,
        then by likelihood."""
        events = complete_events(scaled[:, self.columns])
        points, *_ = self._back(self.density.points(events))
        strange = log_sum(self.density.log_parts(points)) < asked.level
        if asked.moved > AS_ODD * min(asked.answers):
            events = self.density.scaled(points)  # what is odd is not that it moved
        rng = np.random.default_rng((SEEDS, len(events)))
        found = hypotheses(self.density, Compared(events, strange, self.good), rng)
        loud = max(AS_ODD * min(asked.answers), CERTAIN)
        fitting = {kind for p, kinds in zip(asked.answers, ANSWERS, strict=True) if p <= loud for kind in kinds}
        return sorted(found, key=lambda hypothesis: (hypothesis.kind not in fitting, -hypothesis.gain))

    def to_arrays(self, name: str) -> dict[str, Array]:
        """Return all that the view has learned as arrays for a model folder, their names begun with `name`."""
        density = arrays_of(self.density.mixture, name) | arrays_of(self.density, f"{name}density.", ("mixture",))
        return density | arrays_of(self, name, ("group", "density"))

    @classmethod
    def from_arrays(cls, name: str, group: str, arrays: Mapping[str, Array]) -> Self:
        """Rebuild the view of a group from the arrays of `to_arrays`."""
        density = part_of(Density, arrays, f"{name}density.", mixture=part_of(Mixture, arrays, name))
        return part_of(cls, arrays, name, group=group, density=density)


def _moves(density: Density, runs: Sequence[Floats]) -> tuple[Moves, list[Floats]]:
    """Return how good runs (n, c) move as a whole, and the runs put back; the density was learned of every other."""
    few = [run[:MOST_EVENTS] for run in runs]
    asked = clear(density, few)
    places = [located(density, run, asked) for run in few]
    back = [put_back(density, run, place.moved) for run, place in zip(runs, places, strict=True)]
    wider = wider_than_said(density, np.concatenate(back[1::2])[:MOST_EVENTS])
    return Moves.fit([place for place, run in zip(places, runs, strict=True) if len(run)], wider), back
