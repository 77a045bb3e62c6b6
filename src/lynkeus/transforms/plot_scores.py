"""From a deviate of each plot to one number of a run: the worst plot, with the look-elsewhere effect taken out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, log_ndtr, ndtri_exp

from lynkeus.core import Floats, Scores

PRIOR_RUNS = 30.0  # that what is known beside the runs counts as


@dataclass(frozen=True)
class NullDistribution:
    """The null distribution of the deviates of good runs, `centre` and `sigma` (plots,): 0 and 1 where a test is exact
    and nothing drifts."""

    centre: Floats
    sigma: Floats

    @classmethod
    def fit(cls, deviates: Floats, alike: int = 0) -> Self:
        """Learn from the deviates of good runs (runs, plots), NaN left out.

        Few runs do not know a plot: what they say of its spread counts with what all plots together say of theirs, and
        these with theory; a plot is not the oddest because ten runs happened to agree in it. `alike`: every so many
        columns one is of the same statistic (1: all; 0: each is one of its own).
        """
        runs = np.isfinite(deviates).sum(axis=0)
        low, centre, high = np.full((3, deviates.shape[1]), np.array([[-1.0], [0.0], [1.0]]))
        some = runs > 0
        if some.any():
            low[some], centre[some], high[some] = np.nanquantile(deviates[:, some], [0.16, 0.5, 0.84], axis=0)
        square = ((high - low) / 2) ** 2
        kind = np.arange(len(runs)) % (alike or max(len(runs), 1))
        together = (np.bincount(kind, runs * square) + PRIOR_RUNS) / (np.bincount(kind, runs) + PRIOR_RUNS)
        together = together[kind]
        sigma = np.sqrt((runs * square + PRIOR_RUNS * together) / (runs + PRIOR_RUNS))
        return cls(runs / (runs + PRIOR_RUNS) * centre, np.maximum(sigma, 0.1))

    def of(self, deviates: Floats) -> Floats:
        """Return deviates (n, plots) in sigmas of good runs."""
        return (deviates - self.centre) / self.sigma


def deviate_of(log_p: Floats) -> Floats:
    """Return the normal deviate of a p-value given by its natural logarithm, however small."""
    return -ndtri_exp(np.minimum(log_p, -1e-12))


def chi2_log_tail(value: npt.ArrayLike, degrees: npt.ArrayLike) -> Floats:
    """Return the natural logarithm of the chance of a larger chi-square; -inf where a double cannot hold the chance."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(chdtrc(degrees, value)))


def chi2_deviate(value: Floats, degrees: Floats) -> Floats:
    """Return the normal deviate of a chi-square with so many degrees of freedom; NaN where there are none."""
    value, degrees = np.asarray(value, float), np.asarray(degrees, float)
    found = deviate_of(chi2_log_tail(value, np.maximum(degrees, 1)))
    # Far out the chance underflows; Wilson & Hilferty (1931) goes on.
    far = (np.cbrt(value / np.maximum(degrees, 1)) - (1 - 2 / (9 * np.maximum(degrees, 1)))) / np.sqrt(
        2 / (9 * np.maximum(degrees, 1))
    )
    return np.where(degrees < 1, np.nan, np.where(np.isfinite(found), found, far))


def worst_plot(deviates: Floats) -> Scores:
    """Return -log10 of the chance (n, 1) that the worst of the plots (n, plots) is that bad in a good run (Sidak 1967);
    NaN where all plots are NaN."""
    plots = np.isfinite(deviates).sum(axis=1)
    worst = np.where(np.isfinite(deviates), deviates, -np.inf).max(axis=1, initial=-np.inf)
    log_p = log_ndtr(-worst)
    # Below e^-30 the exact form underflows; the sum over plots (Bonferroni) is the same there.
    any_of = np.log(np.maximum(plots, 1)) + log_p
    exact = np.log(-np.expm1(np.maximum(plots, 1) * np.log1p(-np.exp(np.clip(log_p, -700.0, -1e-12)))))
    score = -np.where(log_p < -30, any_of, exact) / np.log(10)
    return np.where(plots > 0, score + 0.0, np.nan)[:, None]
