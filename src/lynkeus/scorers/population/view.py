"""A view of a run: some columns of the events of one group, their density, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import NamedTuple, Self

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from lynkeus.core import Array, Floats
from lynkeus.files.arrays import arrays_of, part_of
from lynkeus.scorers.population.changes import Compared, Hypothesis, hypotheses, new_gain
from lynkeus.scorers.population.density import Density, log_sum
from lynkeus.scorers.population.questions import (
    DRAWS_OF_GAINS,
    MOST_EVENTS,
    SIZES_OF_GAINS,
    FamilyOfTests,
    Gains,
    LowDensityTest,
    near_the_median,
    share_numbers,
    shift_numbers,
)
from lynkeus.transforms.mixture import Mixture

RANKED, RANKED_LEAST, RANKED_CELLS = 20_000, 4000, 800_000  # events by which dependence is judged, and their values
CELLS = 8  # of each column, equally full
DEPENDENT = 0.01  # mutual information in nats from which two columns belong together
NOT_GIVEN = 0.02  # of the variance of a column that others must leave open
MOST_TOGETHER = 6  # columns of one density
FEWEST_TO_FIT = 200  # events of a view, of all good runs together
QUESTIONS = 4  # p-values of a view
ANSWERS = (("shifted",), ("gone", "new"), ("new",), ("new",))  # kinds of hypotheses, question by question
AS_ODD = 100.0  # ratio to the smallest p-value up to which a question is as loud
CERTAIN = 1e-6  # p-value from which no question is louder than another
LONGER = 1.5  # times a usual run: up to there it is learned what good runs gain
GOOD_KEPT = 2000  # events in the model
SEEDS = 2  # of numbers drawn again and again for one run: the same run gives the same answer


class Asked(NamedTuple):
    """p-values of a run in one view: of a shift, of other shares, of a new population, of events in nearly empty
    places: those whose log density is below `level`."""

    shift: float
    share: float
    new: float
    strange: float
    level: float


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

    @classmethod
    def fit(cls, group: str, columns: Array, runs: Sequence[Floats], seed: int) -> Self | None:
        """Learn the density from every other run and its tests from the others; None where there are too few events.

        `runs`: (n, column) scaled, all columns, complete or not.
        """
        complete = [_complete(run[:, columns]) for run in runs]
        if len(complete) < 4:
            pooled = np.concatenate(complete)
            complete = [pooled[k::4] for k in range(4)]
        learn, judge = np.concatenate(complete[::2]), [run for run in complete[1::2] if len(run)]
        if len(learn) < FEWEST_TO_FIT // 2 or sum(map(len, judge)) < FEWEST_TO_FIT // 2:
            return None
        density = Density.fit(learn, seed)
        rng = np.random.default_rng(seed)
        parts = [density.log_parts(run) for run in judge]
        few = [(run[:MOST_EVENTS], own[:, :MOST_EVENTS]) for run, own in zip(judge, parts, strict=True)]
        branches = density.branches()
        shifts = [shift_numbers(density, run, own) for run, own in few]
        shares = [share_numbers(branches, own) for _, own in few]
        kept = near_the_median(shifts) & near_the_median(shares)
        judge, parts, shifts, shares = (list(compress(part, kept)) for part in (judge, parts, shifts, shares))
        shift, share = FamilyOfTests.fit(shifts, rng), FamilyOfTests.fit(shares, rng)
        strange = LowDensityTest.fit([log_sum(own) for own in parts], rng)
        beside, drawn_from = (judge[::2], judge[1::2]) if len(judge) >= 8 else (judge, judge)
        pooled = np.concatenate(beside)
        good = pooled[rng.choice(len(pooled), min(len(pooled), GOOD_KEPT), replace=False)]
        view = cls(group, columns, density, shift, share, strange, good)
        if len(columns) == 1:
            return view
        usual = LONGER * float(np.median([len(run) for run in judge]))  # longer runs are asked in part
        most = max(SIZES_OF_GAINS[0], min(sum(map(len, drawn_from)) // 2, usual))
        drawn = {size: view._gains_of(drawn_from, size, rng) for size in SIZES_OF_GAINS if size <= most}
        return replace(view, gains=Gains.fit(drawn))

    def _gains_of(self, runs: Sequence[Floats], size: int, rng: np.random.Generator) -> Floats:
        """Return the log likelihood gains (DRAWS_OF_GAINS,) of the best new population in good runs of so many events,
        drawn without replacement; events of one run stay together."""
        found = []
        for _ in range(DRAWS_OF_GAINS):
            order = rng.permutation(len(runs))
            enough = int(np.searchsorted(np.cumsum([len(runs[k]) for k in order]), size)) + 1
            events = np.concatenate([runs[k] for k in order[:enough]])
            events = events[rng.permutation(len(events))[:size]]
            log_density = log_sum(self.density.log_parts(events))
            found.append(self._new_gain(events, log_density < self.strange.test(log_density)[1]))
        return np.array(found)

    def _new_gain(self, events: Floats, strange: Array) -> float:
        """Return the log likelihood gain of the best new population among some events (n, c)."""
        return new_gain(self.density, Compared(events, strange, self.good), np.random.default_rng((SEEDS, len(events))))

    def ask(self, scaled: Floats, briefly: bool = False) -> Asked | None:
        """Return the p-values of the events (n, column) of a run; None where there are none. `briefly`: that of a new
        population is not asked for."""
        events = _complete(scaled[:, self.columns])
        if not len(events):
            return None
        parts = self.density.log_parts(events)
        n = len(events)
        few, own = events[:MOST_EVENTS], parts[:, :MOST_EVENTS]
        shift = self.shift.p_value(self.shift.sigmas(shift_numbers(self.density, few, own)), len(few))
        share = self.share.p_value(self.share.sigmas(share_numbers(self.density.branches(), parts)), n)
        density = log_sum(parts)
        strange, level = self.strange.test(density)
        new = self._new(events, density < level) if self.gains and not briefly else 1.0
        return Asked(shift, share, new, strange, level)

    def _new(self, events: Floats, strange: Array) -> float:
        """Return the p-value of a new population, of at most twice as many events as the median good run has: gains of
        more are not known."""
        assert self.gains is not None
        most = int(2 * self.strange.reference[1])
        if len(events) > most:
            chosen = np.random.default_rng(SEEDS).choice(len(events), most, replace=False)
            events, strange = events[chosen], strange[chosen]
        return self.gains.p_value(self._new_gain(events, strange), len(events))

    def ranked_hypotheses(self, scaled: Floats, asked: Asked) -> list[Hypothesis]:
        """Return the hypotheses of what changed, first those of the kinds whose test has nearly the smallest p-value,
        then by likelihood."""
        events = _complete(scaled[:, self.columns])
        strange = log_sum(self.density.log_parts(events)) < asked.level
        rng = np.random.default_rng((SEEDS, len(events)))
        found = hypotheses(self.density, Compared(events, strange, self.good), rng)
        loud = max(AS_ODD * min(asked[:QUESTIONS]), CERTAIN)
        fitting = {kind for p, kinds in zip(asked, ANSWERS, strict=False) if p <= loud for kind in kinds}
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


Share = tuple[str, Array, list[Floats], int]  # group, columns, these columns of each run, seed


def learner() -> Callable[[Share], EventView | None]:
    """Return what learns one view, here or in another process."""
    return _learned_view


def _learned_view(share: Share) -> EventView | None:
    group, columns, runs, seed = share
    view = EventView.fit(group, np.arange(len(columns)), runs, seed)
    return None if view is None else replace(view, columns=columns)


def _complete(events: Floats) -> Floats:
    """Return the events without a missing value."""
    complete = np.isfinite(events).all(axis=1)
    return events if complete.all() else events[complete]


def dependent_columns(scaled: Floats) -> list[Array]:
    """Return groups of columns (indices) that depend on each other by their mutual information, at most MOST_TOGETHER
    in each.

    A column that does not depend on the others is alone: no population shows better with it than in its own density. So
    is one that the others of a group give (an area before and after its correction).
    """
    columns = scaled.shape[1]
    known = _complete(scaled)[: int(np.clip(RANKED_CELLS / columns, RANKED_LEAST, RANKED))]
    if columns == 1 or len(known) < FEWEST_TO_FIT:
        return [np.array([k]) for k in range(columns)]
    own, given = _not_given(known)
    cells = np.stack([_cell(known[:, k]) for k in own])
    distance = np.exp(-np.maximum(_information(cells), 0.0) / DEPENDENT)
    distance = 0.5 * (distance + distance.T)  # but for rounding it is that
    np.fill_diagonal(distance, 0.0)
    parts = [np.array([k]) for k in own]
    tree = linkage(squareform(distance), "single") if len(own) > 1 else np.empty((0, 4))
    for most in np.geomspace(np.exp(-1.0), 1e-12, 40) if len(own) > 1 else ():
        part = fcluster(tree, most, "distance")
        if np.bincount(part).max() <= MOST_TOGETHER:
            parts = [np.sort(own[part == p]) for p in np.unique(part)]
            break
    return [*parts, *(np.array([k]) for k in given)]


def _not_given(known: Floats) -> tuple[Array, Array]:
    """Return the columns that no linear combination of others gives, and those that one does; of such a set the one
    with the sharpest peaks stays."""
    order = sorted(range(known.shape[1]), key=lambda k: _entropy(known[:, k]))
    own: list[int] = []
    basis = np.empty((known.shape[1] + 1, len(known)))  # orthonormal rows, of a constant and the columns that stay
    basis[0] = 1.0 / np.sqrt(len(known))
    for k in order:
        column, others = known[:, k], basis[: len(own) + 1]
        left = column - others.T @ (others @ column)
        left -= others.T @ (others @ left)  # what rounding has left of them
        if left.var() > NOT_GIVEN * column.var():
            basis[len(own) + 1] = left / np.linalg.norm(left)
            own.append(k)
    return np.array(sorted(own)), np.array(sorted(set(order) - set(own)), int)


def _entropy(column: Floats) -> float:
    """Return the Shannon entropy (nats) of a column in 100 bins over its range without tails; it is low where there are
    peaks."""
    low, high = np.quantile(column, [0.01, 0.99])
    share = np.histogram(column, 100, (low, high if high > low else low + 1.0))[0] / len(column)
    return float(-(share[share > 0] * np.log(share[share > 0])).sum())


def _cell(column: Floats) -> Array:
    """Return the class (n,) of each value: which of CELLS ranges of equally many events it is in."""
    return np.searchsorted(np.quantile(column, np.arange(1, CELLS) / CELLS), column)


def _information(cells: Array) -> Floats:
    """Return the mutual information (c, c) in nats of columns of classes (c, n), less what chance gives (Miller &
    Madow 1955)."""
    columns, n = cells.shape
    which = np.zeros((n, columns, CELLS), np.float32)
    which[np.arange(n)[:, None], np.arange(columns), cells.T] = 1.0
    flat = which.reshape(n, -1)
    joint = (flat.T @ flat).reshape(columns, CELLS, columns, CELLS).swapaxes(1, 2) / n
    own = np.einsum("iiaa->ia", joint)
    outer = np.maximum(own[:, None, :, None] * own[None, :, None, :], 1e-12)
    term = joint * np.log(np.maximum(joint, 1e-12) / outer)
    found: Floats = term.sum(axis=(2, 3)).astype(float) - (CELLS - 1) ** 2 / (2 * n)
    return found
