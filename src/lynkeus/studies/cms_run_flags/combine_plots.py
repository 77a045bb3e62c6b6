"""Many scores of one run, one for each of its plots, made into one: how rarely does a good run look this bad anywhere?

Plots of a run are correlated, so no formula says how rare a combination is: it is ranked among the combinations of good
runs, and with that the look-elsewhere effect over the plots is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtri

from lynkeus.core import Floats, SettingsError

FLAGGED = 0.02  # a plot with a smaller p-value is flagged
WORST = 0.5  # share of the plots that "worst half" averages


@dataclass(frozen=True)
class Ranks:
    """Scores of good runs (runs, columns), rising, NaN last: how rare a score is, column by column (conformal p-values,
    Vovk et al. 2005)."""

    rising: Floats

    @classmethod
    def fit(cls, scores: Floats) -> Self:
        """Learn from good runs (runs, columns); NaN: not known. A column without any score never speaks."""
        return cls(np.sort(np.where(np.isfinite(scores), scores, np.nan), axis=0))

    def p_values(self, scores: Floats, learned: bool = False) -> Floats:
        """Return (n, columns) the chance that a good run scores as high or higher: never more often below p than in p
        of good runs. `learned`: these runs were learned from, and each is left out of what it is compared with."""
        reached, known = self._reached(scores)
        return reached / np.maximum(known, 1) if learned else (reached + 1) / (known + 1)

    def deviates(self, scores: Floats, learned: bool = False) -> Floats:
        """Return (n, columns) the same as normal deviates, high for high scores, finite everywhere but for missing
        scores."""
        reached, known = self._reached(scores)
        return -ndtri((reached - 0.5) / np.maximum(known, 1) if learned else (reached + 0.5) / (known + 1))

    def _reached(self, scores: Floats) -> tuple[Floats, Floats]:
        """Return how many good runs score as high or higher (NaN: not known), of how many."""
        known = np.isfinite(self.rising).sum(axis=0)
        columns = zip(self.rising.T, known, scores.T, strict=True)
        below = [np.searchsorted(rising[:count], own) for rising, count, own in columns]
        return np.where(np.isfinite(scores), known - np.stack(below, axis=1), np.nan), known


@dataclass(frozen=True)
class SizeCorrection:
    """What a score owes to the size of a run: a parabola in log(size) for each column, fitted to good runs."""

    low: float
    high: float
    parabola: Floats  # (3, columns)

    @classmethod
    def fit(cls, scores: Floats, log_size: Floats) -> Self:
        """Learn from good runs: scores (runs, columns), best as normal deviates; log(size) (runs,)."""
        powers = np.vander(log_size, 3)
        known = np.isfinite(scores)
        columns = zip(scores.T, known.T, strict=True)
        fitted = [np.linalg.lstsq(powers[ok], own[ok], rcond=None)[0] for own, ok in columns]
        return cls(float(log_size.min()), float(log_size.max()), np.stack(fitted, axis=1))

    def apply(self, scores: Floats, log_size: Floats) -> Floats:
        """Return (n, columns) what is left. Beyond the sizes of good runs the correction is that of the nearest of
        them."""
        return scores - np.vander(np.clip(log_size, self.low, self.high), 3) @ self.parabola


def mean_deviate(p: Floats) -> Floats:
    """Return (n,) mean normal deviate: many plots that are all a little off."""
    return _mean(_deviates(p))


def worst_half(p: Floats) -> Floats:
    """Return (n,) mean normal deviate of the worse half of the plots."""
    falling = np.sort(np.where(np.isnan(p), 0.5, p), axis=1)
    return _deviates(falling[:, : max(int(WORST * p.shape[1]), 1)]).mean(axis=1)


def worst_plot(p: Floats) -> Floats:
    """Return (n,) normal deviate of the worst plot: one plot that is far off."""
    return _deviates(np.where(np.isnan(p), 1.0, p).min(axis=1))


def fisher(p: Floats) -> Floats:
    """Return (n,) mean of -ln p (Fisher 1925): between the two."""
    return _mean(-np.log(p))


def higher_criticism(p: Floats) -> Floats:
    """Return (n,) the largest excess, in sigmas, of plots below any p up to one half (Donoho & Jin 2004): some
    plots."""
    rising = np.sort(np.where(np.isnan(p), 0.5, p), axis=1)
    plots = rising.shape[1]
    share = np.arange(1, plots + 1) / plots
    excess = np.sqrt(plots) * (share - rising) / np.sqrt(np.maximum(rising * (1 - rising), 1e-12))
    return excess[:, : max(plots // 2, 1)].max(axis=1)


def flags(p: Floats) -> Floats:
    """Return (n,) number of flagged plots: what shifters count."""
    return np.asarray((p <= FLAGGED).sum(axis=1), float)


def _mean(values: Floats) -> Floats:
    """Over the plots that are known; 0 where none is."""
    return np.nansum(values, axis=1) / np.maximum(np.isfinite(values).sum(axis=1), 1)


def _deviates(p: Floats) -> Floats:
    return -ndtri(np.minimum(p, 1 - 1e-3))  # a plot that looks perfect must not outweigh all others


COMBINATIONS: dict[str, Callable[[Floats], Floats]] = {
    "mean": mean_deviate, "worst half": worst_half, "worst plot": worst_plot, "Fisher": fisher,
    "higher criticism": higher_criticism, "flags": flags,
}  # fmt: skip


@dataclass(frozen=True)
class CombinedPlots:
    """One number for a run from the scores of its plots (higher = worse), with its p-value, look-elsewhere included."""

    plots: Ranks
    runs: Ranks
    how: str = "mean"

    @classmethod
    def fit(cls, scores: Floats, how: str = "mean") -> Self:
        """Learn from good runs (runs, plots). Raises SettingsError for a combination that is not in COMBINATIONS."""
        if how not in COMBINATIONS:
            raise SettingsError(f"plots are combined by {', '.join(map(repr, COMBINATIONS))}, not {how!r}")
        plots = Ranks.fit(scores)
        own = COMBINATIONS[how](plots.p_values(scores, learned=True))
        return cls(plots, Ranks.fit(own[:, None]), how)

    def score(self, scores: Floats, learned: bool = False) -> Floats:
        """Return (n,) of scores (n, plots); comparable within one combination only."""
        return COMBINATIONS[self.how](self.plots.p_values(scores, learned))

    def p_value(self, scores: Floats, learned: bool = False) -> Floats:
        """Return (n,) the chance that a good run looks as bad in its plots taken together."""
        return self.runs.p_values(self.score(scores, learned)[:, None], learned)[:, 0]
