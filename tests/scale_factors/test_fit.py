"""Fits of one bin: the gradient, intervals that hold the truth as often as they say, and fits that cannot be."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lynkeus.scale_factors.closure import EXPECTED, Truth, pseudo_experiments
from lynkeus.scale_factors.fit import fit_bin
from lynkeus.scale_factors.likelihood import Likelihood
from lynkeus.scale_factors.templates import Templates, fill

pytest.importorskip("iminuit")

CLASSES = ("b", "c", "light")
EDGES = np.linspace(0.0, 6.0, 13)
FACTORS = np.array([0.9, 1.15, 1.3])


@pytest.fixture(scope="module")
def templates(jets: Callable[..., Any]) -> Templates:
    return fill(jets(30_000, 1, FACTORS, labelled=False), jets(15_000, 2), 1.0, EDGES, 3)


@pytest.mark.parametrize("limited", [True, False])
def test_the_gradient_is_that_of_the_likelihood(templates: Templates, limited: bool) -> None:
    likelihood = Likelihood(templates, np.array([np.inf, 0.5, 0.5]), limited)
    at = np.array([1.8, 2.1, 2.2, 0.93, 1.2, 0.8])
    for number in range(6):
        step = np.zeros(6)
        step[number] = 1e-5
        slope = (likelihood(at + step) - likelihood(at - step)) / 2e-5
        assert likelihood.gradient(at)[number] == pytest.approx(slope, rel=1e-4, abs=1e-3)


def test_more_simulation_than_data_is_a_poisson_fit(templates: Templates) -> None:
    """Without errors of the simulation the chi2 is that of the Poisson likelihood, and its errors are smaller."""
    exact = fit_bin(templates, 0, CLASSES, 0.5, limited=False)
    whole = fit_bin(templates, 0, CLASSES, 0.5)
    assert exact.high - exact.low < whole.high - whole.low
    endless = replace(templates, variance=templates.variance * 1e-9)
    assert fit_bin(endless, 0, CLASSES, 0.5).factor == pytest.approx(exact.factor, rel=1e-3)
    assert exact.chi2 > whole.chi2


def test_the_factor_is_found_with_its_interval(templates: Templates) -> None:
    fit = fit_bin(templates, 0, CLASSES, 0.5)
    assert not fit.problem
    assert fit.low < fit.factor[0] < fit.high
    assert abs(fit.factor[0] - 0.9) < 4 * fit.error[0]
    assert 0.001 < fit.p_value < 0.9999
    assert fit.ndf == len(templates.data) - 4  # three yields and the factor that is free
    assert fit.expected.sum() == pytest.approx(templates.data.sum(), rel=0.02)


def test_weighted_simulation_gives_what_its_effective_number_gives(jets: Callable[..., Any]) -> None:
    data, simulated = jets(30_000, 1, FACTORS, labelled=False), jets(15_000, 2)
    twice = fill(data, replace(simulated, weight=np.full(len(simulated), 2.0)), 1.0, EDGES, 3)
    once = fill(data, simulated, 1.0, EDGES, 3)
    heavy, light = (fit_bin(one, 0, CLASSES, 0.5) for one in (twice, once))
    assert heavy.factor == pytest.approx(light.factor, rel=1e-3)
    assert heavy.high - heavy.low == pytest.approx(light.high - light.low, rel=1e-2)
    assert heavy.yields == pytest.approx(light.yields / 2, rel=1e-2)


def test_negative_weights_lower_bins_and_a_negative_bin_is_counted(jets: Callable[..., Any]) -> None:
    simulated = jets(15_000, 2)
    weight = np.where(np.random.default_rng(0).random(len(simulated)) < 0.1, -1.0, 1.0)
    found = fill(jets(30_000, 1), replace(simulated, weight=weight), 1.0, EDGES, 3)
    assert found.simulated.min() >= 0
    assert found.simulated.sum() == pytest.approx(weight.sum(), rel=0.02)
    assert not fit_bin(found, 0, CLASSES, 0.5).problem
    rare = np.where((simulated.flavour == 2) & (simulated.template > 2.0), -1.0, 1.0)
    assert fill(jets(30_000, 1), replace(simulated, weight=rare), 1.0, EDGES, 3).negative > 0


def test_bins_with_little_simulation_join_their_neighbours(templates: Templates, jets: Callable[..., Any]) -> None:
    few = fill(jets(30_000, 1), jets(400, 2), 1.0, EDGES, 3)
    assert len(few.data) < len(templates.data)
    assert few.data.sum() == 30_000
    total, variance = few.simulated.sum(axis=0), few.variance.sum(axis=0)
    assert (total**2 / variance >= 8).all()


@pytest.mark.slow(8)
def test_in_300_pseudo_experiments_the_interval_holds_the_truth_in_68_percent(templates: Templates) -> None:
    found = pseudo_experiments(templates, Truth(np.array([2.0, 2.0, 2.0]), FACTORS), 0, CLASSES, 300, seed=5)
    share, low, high = found.coverage
    assert found.failed == 0
    assert len(found.factor) == found.tried == 300
    assert low < EXPECTED < high, share
    assert abs(found.pulls.mean()) < 0.2
    assert found.pulls.std() == pytest.approx(1.0, abs=0.12)
    assert 0.4 < np.mean(found.p_value) < 0.65


def test_fits_that_cannot_be_say_what_to_do(templates: Templates, jets: Callable[..., Any]) -> None:
    data, simulated = jets(3000, 1), jets(3000, 2)
    cases = [
        (fill(data, simulated, 30.0, EDGES, 3), "no simulated b jet reaches the working point; choose a looser one"),
        (fill(data, simulated, -5.0, EDGES, 3), "every simulated b jet passes"),
        (fill(data[:0], simulated, 1.0, EDGES, 3), "no jet of data"),
        (fill(data, simulated[simulated.flavour > 0], 1.0, EDGES, 3), "no simulated b jet; simulate more"),
        (fill(data[:60], simulated, 2.5, EDGES, 3), "jets of data pass; merge it with a neighbour"),
    ]
    for found, says in cases:
        fit = fit_bin(found, 0, CLASSES, 0.5)
        assert says in fit.problem
        assert np.isnan(fit.factor).all()


def test_two_classes_that_look_alike_are_named(jets: Callable[..., Any]) -> None:
    simulated = jets(20_000, 2)
    rng = np.random.default_rng(4)
    same = replace(simulated, template=rng.normal(3.0, 1.0, len(simulated)))
    data = replace(jets(500, 3), template=rng.normal(3.0, 1.0, 500))
    problem = fit_bin(fill(data, same, 1.0, EDGES, 3), 0, CLASSES, 5.0).problem
    assert "merge" in problem
    assert "of b" in problem or "no b jet" in problem
