import numpy as np
import pytest
from scipy import stats

from lynkeus.transforms.plot_scores import NullDistribution, chi2_deviate, deviate_of, worst_plot


def test_a_deviate_is_that_of_its_p_value_however_small():
    np.testing.assert_allclose(deviate_of(np.log(stats.norm.sf([0.5, 3.0, 8.0]))), [0.5, 3.0, 8.0], rtol=1e-6)
    assert deviate_of(np.array(-5000.0)) == pytest.approx(99.9, abs=0.2)


def test_a_chi_square_goes_on_where_its_p_value_underflows():
    found = chi2_deviate(np.array([20.0, 400.0, 5000.0, 50000.0]), np.full(4, 20.0))
    assert found[0] == pytest.approx(stats.norm.isf(stats.chi2.sf(20, 20)))
    assert (np.diff(found) > 0).all()
    assert np.isnan(chi2_deviate(np.array(1.0), np.array(0.0)))


def test_the_worst_of_many_good_plots_is_not_rarer_than_it_says():
    deviates = np.random.default_rng(0).normal(size=(20_000, 50))
    deviates[:, 40:] = np.nan  # not judged: they do not count
    p_value = 10 ** -worst_plot(deviates)[:, 0]
    assert stats.kstest(p_value, "uniform").pvalue > 0.01
    assert worst_plot(np.array([[0.0, 40.0]]))[0, 0] == pytest.approx(
        -stats.norm.logsf(40) / np.log(10) - 0.301, abs=0.01
    )
    assert np.isnan(worst_plot(np.full((1, 3), np.nan))).all()


def test_usual_deviates_are_learned_by_little_where_runs_are_few():
    deviates = np.random.default_rng(1).normal(3.0, 2.0, (500, 2))
    deviates[10:, 1] = np.nan
    usual = NullDistribution.fit(deviates, alike=1)
    assert usual.centre == pytest.approx([2.8, 0.75], abs=0.5)
    assert usual.sigma == pytest.approx([2.0, 1.9], rel=0.2)  # the plot of ten runs by what the other one says
