"""What the scorer population says of a run as a whole, and how often it says as much of good runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np

from lynkeus.core import Array, CalibrationError, Floats
from lynkeus.core.run_calibration import FEWEST_RUNS, SCALE, SHAPES_OF_SQUARES, USUAL_SHAPE_OF_SQUARES, RunCalibration
from lynkeus.scorers.population.moves import apart
from lynkeus.scorers.population.trials import of_few_runs, of_trials
from lynkeus.scorers.population.view import Asked, EventView

MOVED = 0.3  # of the false alarms are for moves of a run as a whole
BELIEVED = 0.8  # the chance that runs differ by what the tests know, before any is seen
EXAGGERATED = (1.0, 1.4, 2.0)  # ratios of -log10 p of held-out runs to those by theory: a part of the runs knows less
SCALES = SCALE * np.geomspace(0.7, 100.0, 40)  # of scores of runs that differ in ways that the tests do not know


class AskedRun(NamedTuple):
    """The p-values of a run: those of all `views`, and that of the shares of groups and of missing values, `kinds`,
    with the numbers of its events that it is of."""

    views: list[Asked | None]
    kinds: Floats
    kinds_p_value: float

    def p_value(self, new: bool = True) -> float:
        """Return the p-value of the smallest of all p-values, corrected for how many were looked at (Sidak 1967); with
        or without those of a new population."""
        views = [asked if new else asked._replace(new=1.0) for asked in self.views if asked]
        found = [p for asked in views for p in asked.answers] + [self.kinds_p_value]
        return of_trials(min(found), len(found))

    def moved(self) -> float:
        """Return the p-value of the oddest move of the run as a whole, corrected for how many were looked at; 1 where
        none was."""
        found = [asked.moved for asked in self.views if asked and asked.moved < 1.0]
        return of_trials(min(found), len(found)) if found else 1.0

    def or_moved(self, p_value: float) -> float:
        """Return the p-value of a run, from one that good runs say of it, and from its move, which knows by itself how
        few they are; each has its share of the false alarms."""
        moved = self.moved()
        return p_value if moved == 1.0 else min(p_value / (1.0 - MOVED), moved / MOVED, 1.0)


@dataclass(frozen=True)
class AmongGood:
    """How often a good run has so small a p-value: as often as the tests say, or a little more, where runs that were
    not learned from were no odder than that, else as often as these were.

    `believed`: the chance that -log10 p is that of the tests divided by each of EXAGGERATED, by those runs.
    """

    calibration: RunCalibration
    believed: tuple[float, ...] = (0.0, 0.0, 0.0)  # in models of before

    @classmethod
    def fit(cls, good: Sequence[AskedRun], left_out: Sequence[AskedRun] = ()) -> Self | None:
        """Learn from good runs that were not learned from: runs differ in more ways than tests of their events know.
        None for too few. Those that were `left_out`, and named, are none where there are others enough, but speak
        against the tests.

        The p-values of the calibration have no floor, so that of two odd runs the odder one has the smaller.
        """
        every = -np.log10([run.p_value() for run in (*good, *left_out)])
        scores = every[: len(good)] if len(good) >= FEWEST_RUNS else every
        try:
            calibration = RunCalibration.fit(scores, theory=True, all_good=True)
        except CalibrationError:
            return None
        return cls(replace(calibration, rarest=0.0), _believed(every))

    def p_value(self, asked: AskedRun, runs: int) -> float:
        """Return the p-value of a run beside so many good ones, never less than by the tests."""
        score = -np.log10(asked.p_value())
        by_tests = [of_few_runs(float(10.0 ** (-score / ratio)), runs) for ratio in EXAGGERATED]
        among = max(float(self.calibration.p_value(np.array([score]))[0]), by_tests[0])
        return float(np.dot(self.believed, by_tests) + (1.0 - sum(self.believed)) * among)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return self.calibration.to_dict() | {"believed": list(self.believed)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `to_dict` was called on."""
        others = {name: value for name, value in fields.items() if name != "believed"}
        calibration = RunCalibration.from_dict(others)
        return cls(calibration, tuple(map(float, fields["believed"]))) if "believed" in fields else cls(calibration)


def moved_apart(views: Sequence[EventView], asked: Sequence[AskedRun]) -> Array:
    """Return (n,) True for the good runs that are moved as a whole far beyond all others, in any view."""
    found, moving = np.zeros(len(asked), bool), [(k, view.moves) for k, view in enumerate(views) if view.moves]
    for number, moves in moving:
        own = [(k, run.views[number]) for k, run in enumerate(asked)]
        places = {k: one.place for k, one in own if one is not None and one.place is not None}
        found[list(places)] |= apart(list(places.values()), moves.wider, len(moving), moves.usually)
    return found


def _believed(scores: Floats) -> tuple[float, ...]:
    """Return the chance of each of EXAGGERATED that p-values (-log10, (n,)) are so much too small, rather than of a
    generalised Pareto distribution of any scale and shape."""
    scale, shape = SCALES[:, None], SHAPES_OF_SQUARES[None]
    prior = -shape / USUAL_SHAPE_OF_SQUARES - np.log(np.exp(-shape / USUAL_SHAPE_OF_SQUARES).sum() * len(SCALES))
    log_density = (1.0 / shape + 1.0)[..., None] * np.log1p(shape[..., None] * scores / scale[..., None])
    others = np.logaddexp.reduce((prior - len(scores) * np.log(scale) - log_density.sum(axis=2)).ravel())
    usual = SCALE * np.array(EXAGGERATED)
    theory = -len(scores) * np.log(usual) - scores.sum() / usual + np.log(BELIEVED / len(usual))
    both = np.append(theory, others + np.log1p(-BELIEVED))
    weight = np.exp(both - both.max())
    return tuple((weight[:-1] / weight.sum()).tolist())
