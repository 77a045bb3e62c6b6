"""How full each plot of a run is beside the rest of its run: a plot may be gone though no shape in the run is odd.

A run as a whole may be short or long. Its size is the middle of the ratios of its plots to those of good runs; each
plot is then compared with what that size lets expect, given counting and how much good runs differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import log_ndtr

from lynkeus.core import CalibrationError, Floats
from lynkeus.core.run_calibration import RunCalibration, rarest_of
from lynkeus.transforms.plot_reference import FEWEST
from lynkeus.transforms.plot_scores import deviate_of, worst_plot

TOLERANCE = 0.02  # relative difference of a yield that is no fault
PRIOR_RUNS = 10.0  # what the plots together say of the scatter of one counts as that many runs
FULLER = 4.0  # times the middle: there the middle of the plots may be what is odd
HALF = 0.5  # of a count: what is known of a plot without any


@dataclass(frozen=True)
class PlotYields:
    """`usual` (plots,): sums of the bins of a plot in a good run of size 1; `between` (plots,): by how much they differ
    from run to run beyond counting, relative; `calibration` of the most conspicuous plot, None for too few of the
    `runs`, or where all are filled alike. A plot that good runs hardly fill has a `usual` of NaN."""

    usual: Floats
    between: Floats
    runs: int
    calibration: RunCalibration | None = None

    @classmethod
    def fit(cls, sums: Floats) -> Self:
        """Learn from the sums (runs, plots) of good runs; NaN for a plot that a run does not have."""
        own = cls(*_learned(sums), len(sums))
        others = [cls(*_learned(np.delete(sums, row, axis=0)), 0) for row in range(len(sums))] if len(sums) > 2 else []
        scores = [float(other.score(sums[row])) for row, other in enumerate(others)]
        try:
            return cls(own.usual, own.between, own.runs, RunCalibration.fit(np.array(scores)))
        except CalibrationError:  # too few runs, or all are filled alike: counting says how rare a yield is
            return own

    @property
    def rarest(self) -> float:
        """The smallest p-value that the good runs support."""
        return rarest_of(self.runs)

    def expected(self, sums: Floats) -> Floats:
        """Return what each plot (plots,) is expected to hold in a run with these sums."""
        return self.usual * _size(sums, self.usual)

    def sigmas(self, sums: Floats) -> Floats:
        """Return how far each sum (plots,) is from what is expected: no further than counting says, and no further than
        good runs differ; NaN for what is not compared."""
        expected = self.expected(sums)
        known = np.isfinite(expected) & np.isfinite(sums) & (expected > 0)
        count, mean = np.where(known, sums, 1.0), np.where(known, expected, 1.0)
        deviance = count * np.log(np.maximum(count, 1e-12) / mean) - (count - mean)
        counting = np.sqrt(2.0 * np.maximum(deviance, 0.0)) / np.sqrt(1.0 + mean * TOLERANCE**2)
        ratio = np.log((count + HALF) / (mean + HALF))
        spread = np.sqrt(1.0 / np.maximum(mean, 1.0) + self.between**2 + TOLERANCE**2)
        size = np.minimum(counting, np.abs(ratio) / spread)
        found: Floats = np.where(known, np.sign(ratio) * size, np.nan)
        return found if known.sum() > 1 else np.full(len(sums), np.nan)

    def score(self, sums: Floats) -> float:
        """Return -log10 of the chance of the most conspicuous plot, as counting has it; NaN where none is compared."""
        return float(worst_plot(_one_sided(np.abs(self.sigmas(sums)))[None])[0, 0])

    def p_value(self, sums: Floats) -> float:
        """Return how often a good run has a plot as full or as empty as the most conspicuous one (NaN: not known)."""
        score = np.array([self.score(sums)])
        by_counting = max(float(10.0 ** -score[0]), self.rarest)
        return by_counting if self.calibration is None else max(by_counting, float(self.calibration.p_value(score)[0]))


def _one_sided(sigmas: Floats) -> Floats:
    """Return deviates of one side as rare as these of two."""
    return np.where(np.isfinite(sigmas), deviate_of(np.log(2.0) + log_ndtr(-np.nan_to_num(sigmas))), np.nan)


def _learned(sums: Floats) -> tuple[Floats, Floats]:
    """Return usual sums (plots,) of a run of size 1, and their scatter beyond counting (plots,), which few runs do not
    know better than all plots together do."""
    usual = _median(sums)
    usual = np.where(usual >= FEWEST, usual, np.nan)
    sizes = np.array([_size(row, usual) for row in sums])
    usual = _median(sums / np.where(sizes > 0, sizes, np.nan)[:, None])
    usual = np.where(usual >= FEWEST, usual, np.nan)
    expected = usual * sizes[:, None]
    good = np.isfinite(expected) & np.isfinite(sums) & (expected > 0)
    ratio = np.where(good, np.log((np.where(good, sums, 1.0) + HALF) / (np.where(good, expected, 1.0) + HALF)), np.nan)
    spread = np.nan_to_num(1.4826 * _median(np.abs(ratio)))
    counting = np.nan_to_num(1.0 / np.maximum(usual, 1.0))
    square = np.maximum(spread**2 - counting, 0.0)
    together = float(np.median(square[np.isfinite(usual)])) if np.isfinite(usual).any() else 0.0
    return usual, np.sqrt((len(sums) * square + PRIOR_RUNS * together) / (len(sums) + PRIOR_RUNS))


def _median(rows: Floats) -> Floats:
    """Return the median (plots,) of what is known; NaN where nothing is."""
    known = np.isfinite(rows).any(axis=0)
    found: Floats = np.full(rows.shape[1], np.nan)
    found[known] = np.nanmedian(rows[:, known], axis=0)
    return found


def _size(sums: Floats, usual: Floats) -> float:
    """Return the size of a run: the middle of the ratios of its plots to what is usual. Where the fullest plots have
    several times as many, or there are but two plots, either may be the one that is odd: the ratio of a usual run is
    taken."""
    known = np.isfinite(sums) & np.isfinite(usual)
    if not known.any():
        return float("nan")
    ratios = np.maximum(sums[known] / usual[known], 1e-9)
    middle, most = float(np.median(ratios)), float(ratios.max())
    if known.sum() > 2 and most < FULLER * middle:
        return middle
    either = (float(ratios.min()), most) if known.sum() == 2 else (middle, most)
    return min(either, key=lambda ratio: abs(np.log(ratio)))
