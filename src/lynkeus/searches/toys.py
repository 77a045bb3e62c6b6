"""Toys: CLs and discovery counted among experiments that are thrown, where asymptotic formulae fail for few events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lynkeus.core import Floats, SettingsError
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.searches.fits import Fits
from lynkeus.searches.newton import Minimum

SETS = 64  # experiments that are fitted at a time
QUANTILES = (0.977, 0.841, 0.5, 0.159, 0.023)  # of the test statistic without a signal: expected limits, low to high
FACTORS = (0.6, 0.8, 1.0, 1.25, 1.6)  # of the asymptotic limit, where CLs is counted first
FURTHER, ROUNDS = 1.5, 12
FEWEST = 1000  # of each hypothesis: with 23 of them beyond the lower edge of two sigmas, CLs there can fall below 5 %
TOO_FEW = f"must be 0 or at least {FEWEST}: fewer cannot say where CLs falls below 5 % at the edges of two sigmas"


class Toys:
    """`number` experiments thrown for each hypothesis, nuisance parameters as the data fit them. `model` is one of
    pyhf, whose backend is NumPy."""

    def __init__(self, model: Any, data: Any, number: int, seed: int = 0) -> None:
        self.fits, self.data, self.number = Fits(model, SETS), np.asarray(data, float), number
        self.rng = np.random.default_rng([seed, 31])
        self.free = self.fits.many(self.data[None])
        self.background = self._thrown(0.0)
        self.background_free = self.fits.many(self.background)

    def _thrown(self, strength: float) -> Floats:
        """Return (number, bins and auxiliary ones) experiments of a strength."""
        likelihood = self.fits.likelihood
        x, _ = self.fits.one(self.data, {self.fits.poi: strength})
        found = np.empty((self.number, len(self.data)))
        rates = np.maximum(likelihood.rates(x[None])[0], 0.0)
        found[:, : likelihood.bins] = self.rng.poisson(rates, (self.number, len(rates)))
        index, at, sigma = likelihood.normal
        found[:, at] = self.rng.normal(x[index], sigma, (self.number, len(at)))
        index, at, factor = likelihood.poisson
        found[:, at] = self.rng.poisson(x[index] * factor, (self.number, len(at)))
        return found

    def cls(self, strength: float) -> list[float]:
        """Return CLs as observed, then as expected at -2 to 2 sigmas. No p-value is below what the toys support."""
        thrown = self._thrown(strength)
        signal = self._statistic(strength, thrown, self.fits.many(thrown))
        background = self._statistic(strength, self.background, self.background_free)
        at = np.append(self._statistic(strength, self.data[None], self.free), np.quantile(background, QUANTILES))
        both = [(np.sum(own[:, None] >= at, axis=0) + 1.0) / (self.number + 1.0) for own in (signal, background)]
        return [float(one) for one in np.minimum(both[0] / both[1], 1.0)]

    def _statistic(self, strength: float, data: Floats, free: Minimum) -> Floats:
        """Return (n,) the statistic q~ of data sets with these free fits."""
        held = self.fits.many(data, {self.fits.poi: strength}, free.x)
        best = free.x[:, self.fits.poi]
        return np.where(best > strength, 0.0, np.maximum(held.value - free.value, 0.0))

    def discovery(self) -> float:
        """Return the p-value of the data without a signal (q0)."""
        every = np.concatenate([self.data[None], self.background])
        held = self.fits.many(every, {self.fits.poi: 0.0}).value
        least = np.append(self.free.value, self.background_free.value)
        q = np.maximum(held - least, 0.0)
        return float((1.0 + np.sum(q[1:] >= q[0] - 1e-9)) / (self.number + 1.0))

    def limits(self, level: float, about: Sequence[float], most: float, report: ReportProgress = silent) -> list[float]:
        """Return the strengths at which CLs falls to `level`, as observed, then as expected; `about`: those of the
        asymptotic formula. CLs is counted at some strengths, and its logarithm is a line between them.

        Raises SettingsError where it does not fall so far up to `most`, or for fewer toys than can say so.
        """
        if self.number < FEWEST:
            raise SettingsError(f"toys: {TOO_FEW}; got {self.number}")
        middle = sorted(one for one in about if np.isfinite(one) and one > 0) or [1.0]
        grid = {factor * one for one in (middle[0], middle[len(middle) // 2], middle[-1]) for factor in FACTORS}
        known: dict[float, list[float]] = {}
        for strength in _thinned(sorted(grid)):
            report(f"toys of strength {strength:.3g}", min(len(known) / 20, 1.0))
            known[strength] = self.cls(strength)
        for _ in range(ROUNDS):
            found = [_crossing(known, k, level) for k in range(6)]
            if all(np.isfinite(found)):
                return [found[0], *sorted(found[1:])]  # quantiles rise; curves counted among few toys may cross
            if max(known) > most:
                break
            known[FURTHER * max(known)] = self.cls(FURTHER * max(known))
        raise SettingsError(f"no signal strength up to {most:g} is excluded: is there a signal at all?")


def _thinned(grid: list[float]) -> list[float]:
    """Return strengths that are a tenth apart at least."""
    found = grid[:1]
    for one in grid[1:]:
        if one > 1.1 * found[-1]:
            found.append(one)
    return found


def _crossing(known: dict[float, list[float]], which: int, level: float) -> float:
    """Return where a curve, made to fall, goes below the level; infinity where it does not."""
    strengths = np.array([0.0, *sorted(known)])
    curve = np.minimum.accumulate([1.0, *(known[one][which] for one in sorted(known))])
    below = np.flatnonzero(curve < level)
    if not len(below):
        return float("inf")
    k = int(below[0])
    high, low = np.log(curve[k - 1]), np.log(curve[k])
    share = (high - np.log(level)) / max(high - low, 1e-12)
    return float(strengths[k - 1] + share * (strengths[k] - strengths[k - 1]))
