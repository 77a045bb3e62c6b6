"""How full a plot is beside the rest of its run."""

import numpy as np
import pytest

from lynkeus.core.run_calibration import rarest_of
from lynkeus.transforms.yields import PlotYields

USUAL = np.array([3000.0, 9000.0, 500.0, 3000.0, 1500.0])


def good(runs: int, rng: np.random.Generator, between: float = 0.05) -> np.ndarray:
    """Sums of runs of sizes from 0.3 to 3, of plots that differ a little beside each other."""
    sizes = np.exp(rng.uniform(-1.2, 1.2, (runs, 1)))
    return rng.poisson(USUAL * sizes * np.exp(between * rng.normal(size=(runs, len(USUAL))))).astype(float)


@pytest.mark.parametrize("runs", [10, 22, 60])
def test_good_runs_of_any_size_are_good(runs: int) -> None:
    rng = np.random.default_rng(runs)
    found = []
    for _ in range(30):
        yields = PlotYields.fit(good(runs, rng))
        found += [yields.p_value(row) for row in good(30, rng)]
    assert np.mean(np.array(found) < 0.01) < 0.02
    assert np.mean(np.array(found) < 0.001) < 0.005


@pytest.mark.parametrize(
    ("left", "gone"),
    [
        ([1, 1, 0, 1, 1], [2]),
        ([1, 0.05, 1, 1, 1], [1]),
        ([0, 0, 0, 1, 0], [0, 1, 2, 4]),
        ([0.5, 0.5, 0.5, 0, 0.5], [3]),
    ],
)
def test_plots_that_are_gone_are_found_and_named(left: list[float], gone: list[int]) -> None:
    rng = np.random.default_rng(0)
    yields = PlotYields.fit(good(22, rng))
    sums = np.round(USUAL * np.array(left))
    assert rarest_of(22) <= yields.p_value(sums) < 0.001
    sigmas = yields.sigmas(sums)
    assert np.flatnonzero(sigmas < -5).tolist() == gone
    assert np.abs(np.delete(sigmas, gone)).max() < 4


def test_a_run_that_is_short_as_a_whole_is_good_and_a_missing_plot_is_not_compared() -> None:
    rng = np.random.default_rng(1)
    yields = PlotYields.fit(good(22, rng))
    assert yields.p_value(np.round(USUAL / 3)) > 0.05
    lacking = np.round(USUAL)
    lacking[1] = np.nan
    assert yields.p_value(lacking) > 0.05
    assert np.isnan(yields.sigmas(lacking)[1])


def test_one_plot_alone_has_nothing_to_be_compared_with() -> None:
    yields = PlotYields.fit(good(22, np.random.default_rng(2))[:, :1])
    assert np.isnan(yields.p_value(np.array([10.0])))


def test_runs_that_are_filled_alike_are_judged_by_counting() -> None:
    yields = PlotYields.fit(np.tile(USUAL, (22, 1)))
    assert yields.calibration is None
    assert yields.p_value(USUAL) > 0.1
    assert yields.p_value(USUAL * [1, 1, 0.05, 1, 1]) == pytest.approx(rarest_of(22))
