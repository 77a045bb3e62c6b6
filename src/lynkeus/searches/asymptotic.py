"""CLs by the asymptotic formulae (Cowan, Cranmer, Gross & Vitells 2011): what pyhf's hypotest gives, with the fits that
do not hang on the signal strength made once."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import log_ndtr

from lynkeus.core import Floats

SIGMAS = (2.0, 1.0, 0.0, -1.0, -2.0)  # of the test statistic, for expected limits from low to high


class Asymptotic:
    """CLs of signal strengths from the statistic q~ of a `model` of pyhf on its `data`. `pyhf` has its backend set."""

    def __init__(self, pyhf: Any, model: Any, data: Any) -> None:
        self.pyhf, self.model = pyhf, model
        at = model.config.poi_index
        self.bounds = [tuple(one) for one in model.config.suggested_bounds()]
        self.bounds[at] = (0.0, max(self.bounds[at][1], 1e3))
        self.start = list(model.config.suggested_init())
        background, _ = self._conditional(0.0, data, self.start)
        self.sets = [np.asarray(data, float), np.asarray(model.expected_data(list(background)), float)]
        self.free = [self._free(one) for one in self.sets]
        self.warm = [list(background), list(background)]

    def __call__(self, strength: float) -> list[float]:
        """Return CLs as observed, then as expected at -2 to 2 sigmas."""
        root, expected = (self._root(strength, k) for k in (0, 1))
        above = (root**2 - expected**2) / (2 * max(expected, 1e-12))
        t = root - expected if root <= expected else above
        every = np.array([t, *SIGMAS])  # not clipped at 0, as pyhf does by default
        found: Floats = np.exp(log_ndtr(-(every + expected)) - log_ndtr(-every))
        return [float(one) for one in np.minimum(found, 1.0)]

    def _root(self, strength: float, k: int) -> float:
        best, least = self.free[k]
        if best > strength:
            return 0.0
        pars, value = self._conditional(strength, self.sets[k], self.warm[k])
        self.warm[k] = list(pars)
        return float(np.sqrt(max(value - least, 0.0)))

    def _conditional(self, strength: float, data: Any, start: list[float]) -> tuple[Any, float]:
        pars, value = self.pyhf.infer.mle.fixed_poi_fit(
            strength, list(data), self.model, init_pars=start, par_bounds=self.bounds, return_fitted_val=True
        )
        return pars, float(value)

    def _free(self, data: Any) -> tuple[float, float]:
        pars, value = self.pyhf.infer.mle.fit(
            list(data), self.model, init_pars=self.start, par_bounds=self.bounds, return_fitted_val=True
        )
        return float(pars[self.model.config.poi_index]), float(value)
