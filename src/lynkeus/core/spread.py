"""Spread: the calibration of an estimated number: how far estimates are from what is true, in their stated spreads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.core.errors import CalibrationError
from lynkeus.core.stated import Stated

FEWEST_NUMBERS = 20
MOST_LEVELS = 2000


@dataclass(frozen=True)
class Spread(Stated):
    """`levels`: rising sizes of |estimate - truth| / spread of held-out samples. An estimate alone is neither good nor
    rare: it has a p-value only beside a number that somebody states."""

    levels: tuple[float, ...] = field(default=(), repr=False)
    scale: str = "spread"

    @classmethod
    def fit(cls, pull: Floats) -> Self:
        """Learn from (estimate - truth) / spread (n,) of samples that were not learned from; NaN is left out.

        Raises CalibrationError for fewer than FEWEST_NUMBERS.
        """
        sizes = np.sort(np.abs(pull[np.isfinite(pull)]))
        if len(sizes) < FEWEST_NUMBERS:
            raise CalibrationError(
                f"only {len(sizes)} samples with a known number were kept from the training; a spread needs "
                f"{FEWEST_NUMBERS}: give more"
            )
        kept = np.unique(np.linspace(0, len(sizes) - 1, min(len(sizes), MOST_LEVELS)).round().astype(int))
        return cls(len(sizes), rarest=1.0 / (len(sizes) + 1), levels=tuple(map(float, sizes[kept])))

    def p_value(self, scores: Floats) -> Floats:
        """Return NaN: an estimate is not rare by itself."""
        return np.full(np.shape(scores), np.nan)

    def of_stated(self, pull: Floats) -> Floats:
        """Return how often a sample whose stated number is true is estimated as far from it, never less than so many
        samples support; NaN stays NaN."""
        size = np.abs(np.asarray(pull, float))
        below = np.searchsorted(self.levels, size, side="left") / len(self.levels)
        found = (np.rint((1.0 - below) * self.samples) + 1.0) / (self.samples + 1.0)
        return np.where(np.isnan(size), np.nan, np.clip(found, self.rarest, 1.0))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Rebuild it from plain JSON types. Raises CalibrationError where the numbers are no calibration."""
        levels = tuple(map(float, fields["levels"]))
        if not levels or (np.diff(levels) < 0).any():
            raise CalibrationError("the levels of a spread must rise")
        return cls(**{**fields, "levels": levels})
