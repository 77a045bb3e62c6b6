"""Stated: the calibration of a score that itself says how rare it is, so that nothing had to be calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.core.errors import CalibrationError

SCALE = "-log10 p"


@dataclass(frozen=True)
class Stated:
    """A score on the scale -log10 p: the scorer answers for its p-values itself, from `samples` good ones.

    `rarest`: the smallest p-value that so many samples support; none is stated that is smaller. It has no rates per
    hour, as a Calibration without times has none.
    """

    samples: int
    excluded: int = 0
    scale: str = SCALE
    hours: None = None
    quiet_s: float = 0.0
    excluded_s: float = 0.0
    effective: float | None = None
    rarest: float = 0.0

    def p_value(self, scores: Floats) -> Floats:
        """Return P(a good sample scores this high), from `rarest` to 1; NaN stays NaN."""
        found: Floats = np.maximum(np.power(10.0, -np.asarray(scores, float)), max(self.rarest, 1e-300))
        return found

    def alarms_per_hour(self, scores: Floats) -> Floats:
        """Raise CalibrationError: there are no times."""
        raise CalibrationError("the reference has no times, so rates per hour are not known; use p_value")

    def alarms_per_hour_interval(self, score: float, coverage: float = 0.9) -> tuple[float, float]:
        """Raise CalibrationError: there are no times."""
        raise CalibrationError("the reference has no times, so rates per hour are not known; use p_value")

    def threshold(self, budget_per_hour: float) -> float:
        """Raise CalibrationError: there are no times."""
        raise CalibrationError("the reference has no times, so no budget per hour can be set")

    def extrapolates(self, budget_per_hour: float) -> bool:
        """Return False: nothing is extrapolated that the scorer does not answer for."""
        return False

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `to_dict` was called on."""
        return cls(**fields)
