"""RunCalibration: how often a good run scores this high, counted on few good runs, and never rarer than they support.

Up to the highest score of the good runs the chance is counted. Beyond it the tail is a generalised Pareto distribution
of which neither scale nor shape is well known from a handful of excesses: an exponential where runs differ by chance
alone, a power where they differ now and then by much. What is stated is the chance that the next good run scores so
high (the predictive distribution, Geisser 1993): the mean over all tails, each as likely as the excesses and what is
known beside them make it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Floats
from lynkeus.core.errors import CalibrationError
from lynkeus.core.stated import Stated
from lynkeus.core.words import EXTRAPOLATION_LIMIT

FEWEST_RUNS = 10
MOST_EXCESSES = 10  # more lie too deep in the body to say anything of the tail
SHAPES = np.linspace(0.02, 1.22, 13)  # of tails: from an exponential to one that falls as 1 / score
USUAL_SHAPE = 0.4  # a mean shape: how heavy tails are before a run is seen, those of smaller shape likelier
# A score on the scale of theory is the square of a deviate. Where runs differ by Student's t of three degrees of
# freedom, its tail is of shape 2/3, where by a ratio of two numbers, of 2.
SHAPES_OF_SQUARES, USUAL_SHAPE_OF_SQUARES = np.linspace(0.02, 2.02, 21), 0.8
SCALE = 0.4343  # mean excess of -log10 p by theory
THEORY_WORTH = 5.0  # what theory counts beside the excesses that were seen
SCALES = np.geomspace(0.2, 30.0, 40)  # of tails, in units of that of theory, or of the mean excess
LEAST_OF_THEORY = 0.5  # in the same units: a lesser scale is not believed
HEAVIER, LEAST_LIGHT = 0.05, 0.7  # of the tail by which incidents are found: added to its shape; its least scale
INCIDENT = 1e-4  # a good run whose score is expected fewer times than this in the whole reference is none
MOST_INCIDENTS = 0.15  # of the runs
LEAST = 1e-300


@dataclass(frozen=True)
class RunCalibration(Stated):
    """`levels`: the rising scores of good runs, each by a scorer that has not seen it, without `excluded` ones that are
    far beyond all others. Its p-values go down to `rarest`; a rarer one cannot be known from so few runs. `theory`: the
    scores are on the scale -log10 p by theory, which counts beside the few that were seen."""

    levels: tuple[float, ...] = field(default=(), repr=False)
    scale: str = "counted"
    theory: bool = False

    @classmethod
    def fit(
        cls, scores: Floats, theory: bool = False, all_good: bool = False, good: npt.NDArray[np.bool_] | None = None
    ) -> Self:
        """Learn from the scores (n,) of good runs; NaN is left out. `all_good`: bad ones were taken out before, so that
        one that is far beyond the others is good, too; `good` (n,): those of which this is known.

        Raises CalibrationError for fewer than FEWEST_RUNS, or where all scores are the same.
        """
        rising = np.sort(scores[np.isfinite(scores)])
        if len(rising) < FEWEST_RUNS:
            raise CalibrationError(
                f"only {len(rising)} good runs have a score; to say how rare a score is takes {FEWEST_RUNS}: give more"
            )
        if rising[0] == rising[-1]:
            raise CalibrationError(f"all {len(rising)} good runs have the same score {rising[0]:g}: are they copies?")
        out = 0 if all_good else _incidents(rising, theory)
        surely = scores[good & np.isfinite(scores)] if good is not None else rising[:0]
        if len(surely):
            out = min(out, int((rising > surely.max()).sum()))
        kept = rising[: len(rising) - out]
        return cls(len(kept), out, levels=tuple(map(float, kept)), rarest=rarest_of(len(kept)), theory=theory)

    def p_value(self, scores: Floats) -> Floats:
        """Return P(the next good run scores this high), from `rarest` to 1; NaN stays NaN."""
        levels, found = np.array(self.levels), np.asarray(scores, float)
        counted = np.arange(len(levels), 0, -1) / (len(levels) + 1.0)
        body = np.interp(found, levels, counted, left=1.0)
        at_highest = float(_beyond(levels, levels[-1:], self.theory)[0])
        beyond = np.minimum(_beyond(levels, found, self.theory) * max(counted[-1] / at_highest, 1.0), counted[-1])
        p_values: Floats = np.maximum(np.where(found > levels[-1], beyond, body), max(self.rarest, LEAST))
        return np.where(np.isnan(found), np.nan, p_values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self) | {"levels": list(self.levels)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `to_dict` was called on."""
        return cls(**{**fields, "levels": tuple(fields["levels"])})


def rarest_of(runs: float) -> float:
    """Return the smallest p-value that so many good runs support: that of one in EXTRAPOLATION_LIMIT times as many."""
    return 1.0 / (EXTRAPOLATION_LIMIT * max(runs, 1.0))


def _beyond(levels: Floats, scores: Floats, theory: bool) -> Floats:
    """Return the chance (n,) that the next good run scores this high, by the excesses of the upper half of rising
    levels."""
    k = int(np.clip(len(levels) // 2, 2, MOST_EXCESSES))
    threshold, excesses = levels[-k], levels[len(levels) - k + 1 :] - levels[-k]
    unit = SCALE if theory else max(float(excesses.mean()), 1e-9)
    scale = unit * (SCALES[SCALES >= LEAST_OF_THEORY] if theory else SCALES)[:, None]
    shapes, usual = (SHAPES_OF_SQUARES, USUAL_SHAPE_OF_SQUARES) if theory else (SHAPES, USUAL_SHAPE)
    shape = shapes[:, None, None]
    log_weight = -(np.log(scale) + (1.0 / shape + 1.0) * np.log1p(shape * excesses / scale)).sum(axis=2)
    log_weight -= shapes[:, None] / usual
    if theory:
        log_weight -= THEORY_WORTH * (np.log(scale) + SCALE / scale)[:, 0]
    weight = np.exp(log_weight - log_weight.max())
    over = np.maximum(np.asarray(scores, float) - threshold, 0.0).ravel()
    tails = np.power(1.0 + shape * over / scale, -1.0 / shape)
    found: Floats = k / (len(levels) + 1.0) * np.einsum("xs,xsn->n", weight / weight.sum(), tails)
    return found.reshape(np.shape(scores))


def _incidents(rising: Floats, theory: bool) -> int:
    """Return how many of the highest scores are no good data: the lowest of them is far outside the tail of all
    others, so that several do not hide each other."""
    for out in range(int(MOST_INCIDENTS * len(rising)), 0, -1):
        rest = rising[:-out]
        if _beyond_light(rest, float(rising[-out]), theory) * len(rising) < INCIDENT:
            return out
    return 0


def _beyond_light(levels: Floats, score: float, theory: bool) -> float:
    """Return the chance that the next good run scores this high if good runs differ by chance alone, or little more:
    an exponential tail. What is an incident is asked without heavy tails, which would explain any of them."""
    k = int(np.clip(len(levels) // 2, 2, MOST_EXCESSES))
    known = k - 1.0 + (THEORY_WORTH if theory else 0.0)
    total = float((levels[-k:] - levels[-k]).sum()) + (THEORY_WORTH * SCALE if theory else 0.0)
    scale = max(total / known, LEAST_LIGHT * SCALE if theory else 1e-9)
    shape = 1.0 / known + HEAVIER
    over = max(score - float(levels[-k]), 0.0)
    return float(k / (len(levels) + 1.0) * (1.0 + shape * over / scale) ** (-1.0 / shape))
