"""One fit by Minuit: yields and factors of all classes in one bin, with errors, goodness of fit, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import nnls
from scipy.stats import chi2

from lynkeus.core import Floats
from lynkeus.core.extras import needing
from lynkeus.scale_factors.likelihood import Likelihood
from lynkeus.scale_factors.templates import Templates

FEWEST = 10.0  # jets of data that must pass, and fail
SIMILAR = 0.98  # correlation above which two classes cannot be told apart
UNSURE = 0.5  # error of a factor, relative to it, above which nothing was measured
MOST_CALLS = 4000


@dataclass(frozen=True)
class Fit:
    """What a fit found, by class: `factor`, `error` (symmetric), `yields`; of the class that is measured the interval
    `low`, `high` of 68 % (profile likelihood).

    `chi2` with `ndf` degrees of freedom; `expected` (m,) counts at the minimum. `problem` says in words why the factor
    cannot be used; empty where it can.
    """

    factor: Floats
    error: Floats
    yields: Floats
    low: float
    high: float
    chi2: float
    ndf: int
    expected: Floats
    problem: str = ""

    @property
    def p_value(self) -> float:
        """How often templates that are right fit no better; NaN without degrees of freedom."""
        return float(chi2.sf(self.chi2, self.ndf)) if self.ndf > 0 else float("nan")


def fit_bin(
    templates: Templates, measured: int, classes: tuple[str, ...], prior: float, limited: bool = True,
    interval: bool = True,
) -> Fit:  # fmt: skip
    """Fit one bin. `measured`: the class whose factor is free; those of the others are held near 1 by a Gaussian of
    width `prior`. `limited`: whether the simulation has statistical errors; `interval`: whether the interval is wanted.

    A fit that failed, or must not be trusted, has a `problem`; factors are NaN where none could be tried. Raises
    SettingsError where iminuit is missing.
    """
    problem = unfit(templates, measured, classes)
    if problem:
        return nothing(templates, problem)
    width = np.where(np.arange(len(classes)) == measured, np.inf, prior)
    likelihood = Likelihood(templates, width, limited)
    minuit = _minuit(likelihood)
    minuit.migrad(ncall=MOST_CALLS)
    if not minuit.valid:
        minuit.simplex(ncall=MOST_CALLS).migrad(ncall=MOST_CALLS)
    minuit.hesse()
    values, errors = np.array(minuit.values), np.array(minuit.errors)
    count = len(classes)
    low, high = _interval(minuit, count + measured) if interval else (np.nan, np.nan)
    free = count + 1 - int((templates.simulated.sum(axis=1) <= 0).sum())
    return Fit(
        values[count:], errors[count:], values[:count], low, high, float(minuit.fval), len(templates.data) - free,
        likelihood.expected(values)[1], _problem(minuit, measured, classes),
    )  # fmt: skip


def unfit(templates: Templates, measured: int, classes: tuple[str, ...]) -> str:
    """Say why there is nothing to fit; empty where there is."""
    name = classes[measured]
    passing, failing = templates.passing()
    efficiency = templates.efficiency[measured]
    if passing + failing == 0:
        return "no jet of data; leave the bin out, or merge it with a neighbour"
    if np.isnan(efficiency):
        return f"no simulated {name} jet; simulate more of them, or merge it with a neighbour"
    if efficiency == 0:
        return f"no simulated {name} jet reaches the working point; choose a looser one, or merge bins"
    if efficiency >= 1:
        return f"every simulated {name} jet passes, so that nothing can be measured; choose a tighter working point"
    for count, does in ((passing, "pass"), (failing, "fail")):
        if count < FEWEST:
            return f"only {count:g} jets of data {does}; merge it with a neighbour, or give more data"
    for passes, does in ((True, "pass"), (False, "fail")):
        if (templates.passes == passes).sum() < 2:
            return f"the simulated jets that {does} fill one bin of the template; simulate more, or merge bins"
    return ""


def nothing(templates: Templates, problem: str) -> Fit:
    """Return what stands for a fit that could not be tried."""
    empty = np.full(len(templates.simulated), np.nan)
    return Fit(
        empty, empty, empty, np.nan, np.nan, np.nan, 0, np.full(len(templates.data), np.nan), problem
    )  # fmt: skip


def _minuit(likelihood: Likelihood) -> Any:
    with needing("a template fit", "hep"):
        from iminuit import Minuit
    templates = likelihood.templates
    count, efficiency = len(templates.simulated), np.nan_to_num(templates.efficiency)
    start, _ = nnls(templates.simulated.T, templates.data)
    there = templates.simulated.sum(axis=1) > 0
    start = np.where(there, np.maximum(start, 0.01 * max(start.max(), TINY_YIELD)), 0.0)
    names = [f"yield_{k}" for k in range(count)] + [f"factor_{k}" for k in range(count)]
    minuit = Minuit(likelihood, np.concatenate([start, np.ones(count)]), grad=likelihood.gradient, name=names)
    minuit.errordef = Minuit.LEAST_SQUARES
    for k in range(count):
        minuit.limits[k] = (0.0, None)
        minuit.limits[count + k] = (0.0, 1.0 / efficiency[k] if efficiency[k] > 0 else None)
        minuit.fixed[k] = not there[k]
        minuit.fixed[count + k] = not 0 < efficiency[k] < 1
    return minuit


TINY_YIELD = 1e-6


def _interval(minuit: Any, number: int) -> tuple[float, float]:
    """Return the ends of the interval of 68 % of a parameter, from its profile; the symmetric one where it has none."""
    value, error = minuit.values[number], minuit.errors[number]
    try:
        minuit.minos(number)
    except RuntimeError:  # the minimum is not valid; said in `problem`
        return value - error, value + error
    found = minuit.merrors[minuit.parameters[number]]
    low = found.lower if found.lower_valid else -error
    high = found.upper if found.upper_valid else error
    return value + low, value + high


def _problem(minuit: Any, measured: int, classes: tuple[str, ...]) -> str:
    """Say what is wrong with a minimum."""
    count, name = len(classes), classes[measured]
    if not minuit.valid:
        limit = "" if not minuit.fmin.has_reached_call_limit else " (too many calls)"
        return f"the fit did not converge{limit}; merge it with a neighbour, or use fewer classes"
    factor, error = minuit.values[count + measured], minuit.errors[count + measured]
    low, high = minuit.limits[count + measured]
    if factor - low < 0.01 * error or high - factor < 0.01 * error:
        return f"the factor of {name} ends at its limit {factor:.3g}: the templates do not fit; merge bins"
    if minuit.values[measured] < 1e-3 * max(minuit.values[:count]):
        return f"the fit finds no {name} jet in the data; merge it with a neighbour"
    if not error < UNSURE * factor:
        return (
            f"the factor {factor:.2f} of {name} is known to {error:.2f} only{_alike(minuit, measured, classes)}; "
            "merge it with a neighbour, or give more jets"
        )
    return ""


def _alike(minuit: Any, measured: int, classes: tuple[str, ...]) -> str:
    """Name the class that cannot be told from the one that is measured, where there is one."""
    correlation = np.abs(np.array(minuit.covariance.correlation()))[measured, : len(classes)].copy()
    correlation[measured] = 0.0
    worst = int(np.nan_to_num(correlation).argmax())
    return f" ({classes[measured]} and {classes[worst]} look alike)" if correlation[worst] > SIMILAR else ""
