"""Working points of taggers: the background efficiency at a signal efficiency, and how well both are known.

A background efficiency is counted as (passed + 1) / (jets + 1): of no jet that passed nothing smaller can be said. Its
inverse 1/eB, the rejection, is what taggers are compared by.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from lynkeus.core import Array, Floats, SettingsError

COPIES = 300
FEWEST = 2  # jets of a class that can be drawn again


def background_efficiency(signal: npt.ArrayLike, background: npt.ArrayLike, efficiency: float) -> float:
    """Return what share of background scores passes where `efficiency` of the signal does.

    A jet passes whose score is at least that of the threshold; NaN passes nothing. Raises SettingsError for an
    efficiency that is not between 0 and 1, or no jets.
    """
    curves = _Curves(signal, background)
    return float(curves.efficiencies([efficiency], curves.once_s, curves.once_b)[0])


def background_copies(
    signal: npt.ArrayLike,
    background: npt.ArrayLike,
    efficiencies: Sequence[float],
    copies: int = COPIES,
    tagger: int = 0,
) -> Floats:
    """Return (copies, efficiencies) background efficiencies of jets drawn again with replacement.

    Jets are drawn alike for all taggers, so that the differences of their copies are those of the taggers. The one jet
    more that is counted is drawn for each `tagger` by itself, from an exponential: where no jet passed the interval
    ends at 3 of them, as a Poisson limit does, and two taggers that let nothing pass are not known to be equal.
    """
    curves, rng = _Curves(signal, background), np.random.default_rng(0)
    more = np.random.default_rng([1, tagger]).exponential(size=(copies, 1))
    found = np.empty((copies, len(efficiencies)))
    for copy in range(copies):
        times_s, times_b = (np.bincount(rng.integers(n, size=n), minlength=n) for n in (curves.n_s, curves.n_b))
        found[copy] = curves.efficiencies(efficiencies, times_s, times_b)
    return np.asarray(found + (more - 1.0) / (curves.n_b + 1.0))


def over_trainings(values: Floats, copies: Floats, seed: int = 0) -> Floats:
    """Return (copies, ...) of the mean over trainings: the quantiles are its interval.

    `values` (trainings, ...) on all test jets, `copies` (trainings, copies, ...) on jets drawn again. How much another
    set of trainings would differ is added, by Student's t of so many of them; of one training nothing is known.
    """
    mean = copies.mean(axis=0)
    trainings = len(values)
    if trainings < 2:
        return mean
    spread = values.std(axis=0, ddof=1) / np.sqrt(trainings)
    drawn = student.rvs(trainings - 1, size=len(mean), random_state=np.random.default_rng(seed))
    return np.asarray(mean + drawn.reshape(-1, *(1,) * (mean.ndim - 1)) * spread)


class _Curves:
    """Scores of signal and background, sorted once from the highest."""

    def __init__(self, signal: npt.ArrayLike, background: npt.ArrayLike) -> None:
        own, others = (np.nan_to_num(np.asarray(x, float), nan=-np.inf) for x in (signal, background))
        if len(own) < FEWEST or len(others) < FEWEST:
            raise SettingsError(f"{len(own)} jets of the signal and {len(others)} of the background are too few")
        self.order_s, self.order_b = np.argsort(-own, kind="stable"), np.argsort(-others, kind="stable")
        self.signal, self.background = own[self.order_s], others[self.order_b]
        self.n_s, self.n_b = len(own), len(others)
        self.once_s, self.once_b = np.ones(self.n_s, np.int64), np.ones(self.n_b, np.int64)
        # How many background jets score at least as high as each signal jet.
        self.reached = np.searchsorted(-self.background, -self.signal, side="right")

    def efficiencies(self, wanted: Sequence[float], times_s: Array, times_b: Array) -> Floats:
        """Return background efficiencies at the signal efficiencies, jets counted `times` as often."""
        if any(not 0 < share < 1 for share in wanted):
            raise SettingsError(f"a signal efficiency must be between 0 and 1, got {list(wanted)}")
        passed_s = np.cumsum(times_s[self.order_s])
        passed_b = np.append(0, np.cumsum(times_b[self.order_b]))
        at = np.searchsorted(passed_s, np.asarray(wanted) * passed_s[-1] - 1e-9)
        there = np.where(np.isneginf(self.signal[at]), self.n_b, passed_b[self.reached[at]])
        return np.asarray((there + 1.0) / (self.n_b + 1.0))
