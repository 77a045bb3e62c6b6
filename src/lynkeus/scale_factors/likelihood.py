"""The likelihood of one fit: jets that pass and that fail at once, extended, binned, with limited simulation.

A class f of the simulation has a yield k_f (data over simulation, all jets) and a factor s_f (its efficiency in data
over that in simulation, e_f). Expected in a bin are

    pass: sum_f k_f s_f S_f,   fail: sum_f k_f (1 - s_f e_f) / (1 - e_f) S_f,

with S_f the simulated counts. What they lack in statistics is one nuisance parameter per bin, solved in closed form
(Barlow-Beeston "lite", in the form of Dembinski and Abdelmotteleb 2022, Eur. Phys. J. C 82, 1043: also weighted counts
have a Poisson distribution of their effective number). Because S_f are counts and not shapes, the statistical error of
e_f is part of it. Written as -2 ln of the likelihood over that of a saturated model, so that its minimum is a chi2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import xlogy

from lynkeus.core import Array, Floats
from lynkeus.scale_factors.templates import Templates

TINY = 1e-9  # jets: an expectation is never 0


@dataclass(frozen=True)
class Likelihood:
    """-2 ln L of the yields and factors of all classes.

    `width` (classes,): of the Gaussian that holds each factor near 1; infinite where there is none. `limited`: whether
    the simulation has statistical errors.
    """

    templates: Templates
    width: Floats
    limited: bool = True

    def scales(self, parameters: Floats) -> Floats:
        """Return (classes, m) what each simulated count is multiplied by; parameters are yields, then factors."""
        yields, factors = _both(parameters)
        return np.asarray(
            np.where(self.templates.passes, (yields * factors)[:, None], (yields * self._fail(factors))[:, None])
        )

    def expected(self, parameters: Floats) -> tuple[Floats, Floats]:
        """Return (m,) expected counts, and what they are times the nuisance parameters that suit the data best."""
        scales = self.scales(parameters)
        mean = np.maximum((scales * self.templates.simulated).sum(axis=0), TINY)
        if not self.limited:
            return mean, mean
        return mean, mean * self._nuisance(mean, (scales**2 * self.templates.variance).sum(axis=0))[0]

    def __call__(self, parameters: Floats) -> float:
        """Return -2 ln L at yields and factors (2 * classes,)."""
        data = self.templates.data
        scales = self.scales(parameters)
        mean = np.maximum((scales * self.templates.simulated).sum(axis=0), TINY)
        found = self._prior(parameters)
        if self.limited:
            beta, effective = self._nuisance(mean, (scales**2 * self.templates.variance).sum(axis=0))
            found += 2.0 * float((effective * (beta - 1.0 - np.log(beta))).sum())
            mean = mean * beta
        return found + 2.0 * float((mean - data + xlogy(data, np.where(data > 0, data, 1.0) / mean)).sum())

    def gradient(self, parameters: Floats) -> Floats:
        """Return (2 * classes,) derivatives; those by the nuisance parameters are 0 where they are solved."""
        simulated, variance = self.templates.simulated, self.templates.variance
        yields, factors = _both(parameters)
        passes, scales = self.templates.passes, self.scales(parameters)
        mean = np.maximum((scales * simulated).sum(axis=0), TINY)
        by_mean = 2.0 * (1.0 - self.templates.data / mean)
        by_scale = by_mean * simulated
        if self.limited:
            spread = (scales**2 * variance).sum(axis=0)
            beta, _ = self._nuisance(mean, spread)
            by_mean = 2.0 * (beta - self.templates.data / mean)
            by_effective = 2.0 * (beta - 1.0 - np.log(beta))
            safe = np.where(spread > 0, spread, np.inf)
            by_scale = by_mean * simulated + by_effective * (
                2.0 * mean / safe * simulated - (mean / safe) ** 2 * 2.0 * scales * variance
            )
        passing, failing = by_scale[:, passes].sum(axis=1), by_scale[:, ~passes].sum(axis=1)
        by_yield = factors * passing + self._fail(factors) * failing
        by_factor = yields * passing - yields * self._odds * failing
        return np.concatenate([by_yield, by_factor + 2.0 * (factors - 1.0) / self.width**2])

    def _prior(self, parameters: Floats) -> float:
        factors = _both(parameters)[1]
        return float((((factors - 1.0) / self.width) ** 2).sum())

    @cached_property
    def _odds(self) -> Floats:
        efficiency = np.nan_to_num(self.templates.efficiency)
        return np.asarray(efficiency / np.maximum(1.0 - efficiency, TINY))

    def _fail(self, factors: Floats) -> Floats:
        """(1 - s e) / (1 - e): what the count of failing jets is multiplied by."""
        return 1.0 + (1.0 - factors) * self._odds

    def _nuisance(self, mean: Floats, spread: Floats) -> tuple[Floats, Array]:
        """Return (m,) the nuisance parameters that suit the data best, and the effective number of simulated jets."""
        effective = np.where(spread > 0, mean**2 / np.where(spread > 0, spread, 1.0), np.inf)
        finite = np.isfinite(effective)
        counted = np.where(finite, effective, 0.0)
        beta = np.where(finite, (self.templates.data + counted) / (mean + counted), 1.0)
        return np.maximum(beta, TINY), counted


def _both(parameters: Floats) -> tuple[Floats, Floats]:
    values = np.asarray(parameters, float)
    half = len(values) // 2
    return values[:half], values[half:]
