"""Fits of a model: Newton steps of many data sets at a time, and Minuit where these do not arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lynkeus.core import Array, Floats, SettingsError
from lynkeus.core.extras import needing
from lynkeus.searches.likelihood import Likelihood
from lynkeus.searches.newton import Minimum, minimise

HIGHEST = 1000.0  # that a fit may find, whatever a model suggests
TRIES = ((1, 0.01), (1, 0.1), (2, 0.1))  # strategy and tolerance of Minuit, each from where the one before ended
CALLS = 100_000
BESIDE = 1e-2  # of the deviance: a minimum that Minuit calls as near is one


class Fits:
    """Fits of one `model` of pyhf, whose backend is NumPy and whose strength is that of a signal, not negative;
    `sets`: data sets at a time."""

    def __init__(self, model: Any, sets: int = 1) -> None:
        config = model.config
        self.likelihood = Likelihood(model, sets)
        self.poi = config.poi_index
        self.start = np.asarray(config.suggested_init(), float)
        self.fixed = np.asarray(config.suggested_fixed(), bool)
        self.bounds = self.likelihood.bounds
        if self.poi is not None:
            low, high = self.bounds[self.poi]
            self.bounds[self.poi] = max(low, 0.0), max(high, HIGHEST)
            self.start[self.poi] = max(self.start[self.poi], 0.0)

    def one(
        self, data: Floats, hold: Mapping[int, float] | None = None, start: Floats | None = None
    ) -> tuple[Floats, float]:
        """Return parameters and deviance of one data set; `hold`: values of parameters by number. Raises SettingsError
        where no minimum is found."""
        found = self.many(np.asarray(data, float)[None], hold, None if start is None else start[None])
        if not found.found.all():
            raise SettingsError("the fit finds no minimum; look for empty bins or equal templates")
        return found.x[0], float(found.value[0])

    def many(self, data: Floats, hold: Mapping[int, float] | None = None, start: Floats | None = None) -> Minimum:
        """Return the minima of data sets (n, bins and auxiliary ones), with the parameters `hold` held."""
        x = np.tile(self.start, (len(data), 1)) if start is None else np.array(start, float)
        held = self.fixed.copy()
        for number, value in (hold or {}).items():
            x[:, number], held[number] = value, True
        found = minimise(self.likelihood, data, x, held, self.bounds)
        for k in np.flatnonzero(~found.found).tolist():
            self._patiently(found, k, data[k], held)
        return found

    def _patiently(self, found: Minimum, k: int, data: Floats, held: Array) -> None:
        """Let Minuit go on with one data set from where it stands; `found` is changed in place."""
        with needing("an inference", "search"):
            from iminuit import Minuit

        own = Minuit(
            lambda x: float(self.likelihood.of(np.asarray(x)[None], data[None])[0]), found.x[k],
            grad=lambda x: self.likelihood.derive(np.asarray(x)[None], data[None]).slope[0],
        )  # fmt: skip
        own.limits, own.fixed, own.errordef = [tuple(one) for one in self.bounds], held.tolist(), 1.0
        for strategy, tolerance in TRIES:
            own.strategy, own.tol = strategy, tolerance
            if strategy == 2:
                own.simplex(ncall=CALLS)
            own.migrad(ncall=CALLS)
            if own.valid:
                break
        edm = own.fmin.edm if own.fmin is not None else np.inf
        found.x[k], found.value[k], found.found[k] = np.asarray(own.values), own.fval, own.valid or edm < BESIDE

    def errors(self, x: Floats, data: Floats, hold: Mapping[int, float] | None = None) -> Floats:
        """Return (parameters,) how uncertain they are: roots of the inverse of the second derivatives of the log
        likelihood; 0 of what is held."""
        held = self.fixed.copy()
        held[list(hold or {})] = True
        bent = self.likelihood.bend(x, np.asarray(data, float))
        inside = (x > self.bounds[:, 0]) & (x < self.bounds[:, 1])
        free = np.flatnonzero(~held & inside)
        found = np.zeros(len(x))
        alone = np.flatnonzero(~held & ~inside)  # at a bound: by its own curvature
        found[alone] = np.sqrt(2.0 / np.maximum(np.diag(bent)[alone], 1e-12))
        if len(free):
            covariance = 2.0 * np.linalg.pinv(bent[np.ix_(free, free)], hermitian=True)
            found[free] = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        return found
