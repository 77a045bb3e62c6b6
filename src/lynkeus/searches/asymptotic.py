"""CLs by the asymptotic formulae (Cowan, Cranmer, Gross & Vitells 2011): what pyhf's hypotest gives, with the fits that
do not hang on the signal strength made once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq
from scipy.special import log_ndtr

from lynkeus.core import Floats, SettingsError
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.searches.fits import Fits

MIDDLE = 1.96  # root of the expected statistic at about the expected limit
SPAN = (0.3, 0.5, 0.75, 1.35, 1.9, 2.8)  # of it, where the others are
REFINED, PRECISION = 8, 2e-4
SIGMAS = (2.0, 1.0, 0.0, -1.0, -2.0)  # of the test statistic, for expected limits from low to high


class Asymptotic:
    """CLs of signal strengths from the statistic q~ of a `model` of pyhf, whose backend is NumPy, on its `data`."""

    def __init__(self, model: Any, data: Any) -> None:
        self.fits = Fits(model)
        seen = np.asarray(data, float)
        background, _ = self.fits.one(seen, {self.fits.poi: 0.0})
        self.sets = [seen, np.asarray(model.expected_data(background), float)]
        self.free = [self.fits.one(one) for one in self.sets]
        self.warm = [background, background]

    def __call__(self, strength: float) -> list[float]:
        """Return CLs as observed, then as expected at -2 to 2 sigmas."""
        return _cls(*(self._root(strength, k) for k in (0, 1)))

    def limits(self, level: float, most: float, report: ReportProgress = silent) -> list[float]:
        """Return the strengths at which CLs falls to `level`, to 2e-4: as observed, then as expected.

        The roots of the test statistic are nearly straight lines of the strength: these are interpolated, not CLs.
        Raises SettingsError where there is none up to `most`.
        """
        roots: dict[float, tuple[float, float]] = {0.0: (0.0, 0.0)}

        def add(strength: float) -> tuple[float, float]:
            report(f"strength {strength:.3g}", min(len(roots) / 14, 1.0))
            roots[strength] = (self._root(strength, 0), self._root(strength, 1))
            return roots[strength]

        trial = 1.0
        for _ in range(12):
            root = add(trial)[1]
            if abs(root - MIDDLE) < 0.4 * MIDDLE or trial > 2 * most:
                break
            trial = min(trial * float(np.clip(MIDDLE / max(root, 1e-3), 0.1, 10.0)), 2.1 * most)
        for factor in SPAN:
            add(factor * trial)
        for _ in range(REFINED):
            found = [_crossing(roots, k, level) for k in range(6)]
            beyond = [one for one in found if not np.isfinite(one)]
            if beyond and max(roots) > most:
                raise SettingsError(f"no signal strength up to {most:g} is excluded: is there a signal at all?")
            asked = [2 * max(roots)] if beyond else [one for one in (found[0], found[3]) if not _near(one, roots)]
            if not asked:
                break
            for strength in asked:
                add(strength)
        return found

    def _root(self, strength: float, k: int) -> float:
        best, least = self.free[k]
        if best[self.fits.poi] > strength:
            return 0.0
        self.warm[k], value = self.fits.one(self.sets[k], {self.fits.poi: strength}, self.warm[k])
        return float(np.sqrt(max(value - least, 0.0)))


def _near(strength: float, roots: Mapping[float, tuple[float, float]]) -> bool:
    """Return whether a strength lies as close as is asked for to one that is known."""
    return min(abs(strength - known) for known in roots) < PRECISION * strength


def _crossing(roots: Mapping[float, tuple[float, float]], which: int, level: float) -> float:
    """Return the strength at which one of the curves falls to a level, infinity where that is beyond what is known."""
    known = np.array(sorted(roots))
    curves = [PchipInterpolator(known, [roots[x][k] for x in known]) for k in (0, 1)]

    def above(strength: float) -> float:
        return _cls(*(max(float(curve(strength)), 0.0) for curve in curves))[which] - level

    return float(brentq(above, known[1] * 1e-3, known[-1], xtol=1e-9)) if above(known[-1]) < 0 else float("inf")


def _cls(root: float, expected: float) -> list[float]:
    """Return CLs of the roots of the test statistic, of the data and of their expectation without a signal."""
    above = (root**2 - expected**2) / (2 * max(expected, 1e-12))
    t = root - expected if root <= expected else above
    every = np.array([t, *SIGMAS])  # not clipped at 0, as pyhf does by default
    found: Floats = np.exp(log_ndtr(-(every + expected)) - log_ndtr(-every))
    return [float(one) for one in np.minimum(found, 1.0)]
