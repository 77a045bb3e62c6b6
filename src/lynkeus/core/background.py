"""Background: the calibration of the probability of a class: what share of all that is not of it scores this high.

A background efficiency is a false-alarm rate: it is counted on samples that were not learned from, and none is stated
that is smaller than they support.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Floats
from lynkeus.core.errors import CalibrationError
from lynkeus.core.stated import Stated
from lynkeus.core.weights import check_weights, effective_number

FEWEST_SAMPLES = 20
MOST_LEVELS = 4000  # that are kept; between them the share is interpolated
NEAR = 1e-12  # a probability is not closer to 0 or 1 than this


@dataclass(frozen=True)
class Background(Stated):
    """`levels`: rising log odds of samples of other classes; `survival`: what share of them reaches each, by weight,
    one more counted than there are. `samples` (`effective`: of one weight) is how many there were."""

    levels: tuple[float, ...] = field(default=(), repr=False)
    survival: tuple[float, ...] = field(default=(), repr=False)
    scale: str = "background"

    @classmethod
    def fit(cls, probability: Floats, weight: Floats | None = None) -> Self:
        """Learn from the probabilities (n,) that samples of other classes were given; NaN is left out.

        Raises CalibrationError for fewer than FEWEST_SAMPLES, or where all are the same.
        """
        there = np.isfinite(probability) if weight is None else np.isfinite(probability) & (weight > 0)
        heavy = np.ones(int(there.sum())) if weight is None else np.asarray(weight, float)[there]
        check_weights(heavy)
        worth = effective_number(heavy) if len(heavy) else 0.0
        if worth < FEWEST_SAMPLES:
            raise CalibrationError(
                f"only {worth:.0f} samples of other classes were kept from the training; a background efficiency needs "
                f"{FEWEST_SAMPLES}: give more"
            )
        odds = log_odds(probability[there])
        order = np.argsort(odds)
        odds, heavy = odds[order], heavy[order] * worth / heavy.sum()
        reach = (np.cumsum(heavy[::-1])[::-1] + 1.0) / (worth + 1.0)
        if odds[0] == odds[-1]:
            raise CalibrationError(
                f"all {len(odds)} samples of other classes have the same probability: is it learned?"
            )
        kept = _levels(odds)
        share = np.minimum(reach[kept], 1.0)
        effective = None if weight is None else worth
        return cls(
            len(odds), effective=effective, rarest=1.0 / (worth + 1.0), levels=tuple(map(float, odds[kept])),
            survival=tuple(map(float, share)),
        )  # fmt: skip

    @classmethod
    def none(cls) -> Self:
        """Return that of no samples: no background efficiency below 1 can be stated."""
        return cls(0, rarest=1.0, levels=(float(log_odds(np.zeros(1))[0]), 0.0), survival=(1.0, 1.0))

    def p_value(self, scores: Floats) -> Floats:
        """Return what share of samples of other classes has a probability this high; NaN stays NaN."""
        odds = log_odds(np.asarray(scores, float))
        levels, survival = self._curve
        # In rising order each search begins where the one before ended: sorting them first is three times as fast.
        order = np.argsort(odds, axis=None)
        found = np.empty(odds.size)
        found[order] = np.interp(odds.reshape(-1)[order], levels, survival, left=1.0, right=self.rarest)
        return np.where(np.isnan(odds), np.nan, found.reshape(odds.shape))

    @cached_property
    def _curve(self) -> tuple[Floats, Floats]:
        """Levels and survival as arrays, made once."""
        return np.array(self.levels), np.array(self.survival)

    def working_point(self, efficiency: float) -> float:
        """Return the probability that this share of samples of other classes reaches.

        Raises CalibrationError for a smaller share than they support.
        """
        if not self.rarest <= efficiency < 1:
            raise CalibrationError(
                f"a background efficiency of {efficiency:g} cannot be stated by {self.samples} samples of other "
                f"classes: from {self.rarest:.2g} to 1 can"
            )
        odds = np.interp(-efficiency, -np.asarray(self.survival), self.levels)
        return float(1.0 / (1.0 + np.exp(-odds)))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Rebuild it from plain JSON types. Raises CalibrationError where the numbers are no calibration."""
        given = {**fields, **{name: tuple(map(float, fields[name])) for name in ("levels", "survival")}}
        rising = (np.diff(given["levels"]) >= 0).all() and (np.diff(given["survival"]) <= 0).all()
        if not (rising and len(given["levels"]) == len(given["survival"]) > 1):
            raise CalibrationError("the levels of a background must rise, and its survival fall")
        return cls(**given)


@dataclass(frozen=True)
class CountedOdds(Background):
    """The same of scores that are log odds themselves: what share of good samples scores this high."""

    scale: str = "log odds"

    @classmethod
    def fit(cls, probability: Floats, weight: Floats | None = None) -> Self:
        """Learn from the log odds (n,) of good samples that were not learned from; NaN is left out."""
        return super().fit(_chance(np.asarray(probability, float)), weight)

    def p_value(self, scores: Floats) -> Floats:
        """Return what share of good samples scores this high; NaN stays NaN."""
        return super().p_value(_chance(np.asarray(scores, float)))


def _chance(odds: Floats) -> Floats:
    found: Floats = 1.0 / (1.0 + np.exp(-np.clip(odds, -700.0, 700.0)))
    return found


def log_odds(probability: npt.NDArray[np.floating[Any]]) -> Floats:
    """Return log(p / (1 - p)), finite also where a probability is 0 or 1."""
    near = np.clip(np.asarray(probability, float), NEAR, 1.0 - NEAR)
    odds: Floats = np.log(near) - np.log(1.0 - near)  # 1 - near is as exact as near, and log faster than log1p
    return odds


def _levels(odds: Floats) -> npt.NDArray[np.int64]:
    """Return which of the rising samples are kept as levels: all where they are few, else the first of each value at
    even steps, and closer to the upper end at even ratios."""
    count = len(odds)
    first = np.flatnonzero(np.diff(odds, prepend=-np.inf) > 0)
    if len(first) <= MOST_LEVELS:
        return first
    even = np.linspace(0, count - 1, MOST_LEVELS // 2)
    ratios = count - np.geomspace(1, count, MOST_LEVELS // 2)
    near = np.searchsorted(first, np.concatenate([even, ratios]), side="right") - 1
    kept: npt.NDArray[np.int64] = first[np.unique(np.maximum(near, 0))]
    return kept
