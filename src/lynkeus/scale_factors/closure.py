"""Closure: pseudo-experiments in which the true factor is known, for how often the interval of a fit holds it.

Data are drawn from the templates with known yields and factors, and so is the simulation that the fit sees: its limited
statistics are part of what is tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lynkeus.core import Floats
from lynkeus.metrics.rates import wilson_interval
from lynkeus.scale_factors.fit import fit_bin
from lynkeus.scale_factors.jets import Jets
from lynkeus.scale_factors.likelihood import Likelihood
from lynkeus.scale_factors.measurement import PRIOR, Question
from lynkeus.scale_factors.templates import Templates, join_poor

EXPECTED = 0.6827  # coverage of one standard deviation


@dataclass(frozen=True)
class Truth:
    """What is true in the pseudo-data: `yields` of each class over simulation, and `factors` of its efficiency."""

    yields: Floats
    factors: Floats


@dataclass(frozen=True)
class Closure:
    """What the pseudo-experiments found of the class that is measured, (n,) each: `factor`, ends `low` and `high` of
    the interval, symmetric `error`, `p_value` of the fit; `failed` how many had no usable fit, of `tried`."""

    truth: float
    factor: Floats
    low: Floats
    high: Floats
    error: Floats
    p_value: Floats
    failed: int
    tried: int

    @property
    def covered(self) -> int:
        """Return in how many the interval holds the true factor."""
        return int(((self.low <= self.truth) & (self.truth <= self.high)).sum())

    @property
    def coverage(self) -> tuple[float, float, float]:
        """Return the share of intervals that hold the true factor, with its 90 % interval."""
        return (self.covered / max(len(self.factor), 1), *wilson_interval(self.covered, len(self.factor)))

    @property
    def pulls(self) -> Floats:
        """Return (n,) distances to the true factor, in units of the end of the interval on its side."""
        above = self.factor > self.truth
        return np.asarray((self.factor - self.truth) / np.where(above, self.factor - self.low, self.high - self.factor))


def pseudo_experiments(
    templates: Templates, truth: Truth, measured: int, classes: Sequence[str], experiments: int, seed: int = 0,
    prior: float = PRIOR,
) -> Closure:  # fmt: skip
    """Draw so many pseudo-experiments from templates, whose `data` are not used, and fit each."""
    rng, rows, failed = np.random.default_rng(seed), [], 0
    likelihood = Likelihood(templates, np.full(len(classes), np.inf))
    expected = likelihood.expected(np.concatenate([truth.yields, truth.factors]))[0]
    for _ in range(experiments):
        drawn = replace(templates.resampled(rng), data=rng.poisson(expected).astype(float))
        fit = fit_bin(join_poor(drawn), measured, tuple(classes), prior)
        if fit.problem:
            failed += 1
        else:
            rows.append((fit.factor[measured], fit.low, fit.high, fit.error[measured], fit.p_value))
    factor, low, high, error, p_value = np.array(rows).reshape(-1, 5).T
    return Closure(float(truth.factors[measured]), factor, low, high, error, p_value, failed, experiments)


def true_factors(question: Question, simulated: Jets, data: Jets) -> dict[str, tuple[Floats, Floats]]:
    """Return for each working point (bins, classes) the efficiency in data over simulation, by the labels of both, and
    its error; NaN where there is no such jet. Only simulated "data" have labels."""
    found = {}
    for name, threshold in question.thresholds.items():
        share, error = zip(*(_efficiency(question, jets, threshold) for jets in (data, simulated)), strict=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = share[0] / share[1]
            found[name] = ratio, ratio * np.hypot(error[0] / share[0], error[1] / share[1])
    return found


def _efficiency(question: Question, jets: Jets, threshold: float) -> tuple[Floats, Floats]:
    """Return (bins, classes) shares of jets that pass, and their errors, of the effective number of jets."""
    shape = len(question.bins), len(question.classes)
    place, known = question.bins.of(jets.pt, jets.eta), jets.flavour >= 0
    inside = (place >= 0) & known
    cell = place[inside] * shape[1] + jets.flavour[inside]
    weight, passes = jets.weights[inside], jets.score[inside] >= threshold
    whole, squares, passing = (
        np.bincount(cell, counts, shape[0] * shape[1]).reshape(shape) for counts in (weight, weight**2, weight * passes)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        share = passing / whole
        return share, np.sqrt(share * (1.0 - share) * squares) / whole
