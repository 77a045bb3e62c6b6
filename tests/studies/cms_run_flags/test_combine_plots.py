"""Plots combined: p-values keep their promise with few runs, size is taken out, combinations find what they are for."""

import numpy as np
import pytest
from scipy.stats import combine_pvalues, norm

from lynkeus.core import SettingsError
from lynkeus.studies.cms_run_flags.combine_plots import (
    COMBINATIONS,
    CombinedPlots,
    Ranks,
    SizeCorrection,
    fisher,
    flags,
)

PLOTS = 40


def correlated(runs: int, seed: int) -> np.ndarray:
    """Good runs whose plots have a part in common."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(runs, PLOTS)) + rng.normal(size=(runs, 1))


def test_a_p_value_is_never_more_often_small_than_it_says() -> None:
    shares = []
    for seed in range(200):
        draw = np.random.default_rng(seed).normal(size=(160, 20))
        shares.append((Ranks.fit(draw[:60]).p_values(draw[60:]) <= 0.05).mean())
    assert np.mean(shares) == pytest.approx(3 / 61, abs=0.002)  # the largest k / 61 that is not above 0.05


def test_runs_that_were_learned_from_are_left_out_of_their_own_reference() -> None:
    draw = np.random.default_rng(3).normal(size=(30, 4))
    learned = Ranks.fit(draw)
    for row in range(30):
        others = Ranks.fit(np.delete(draw, row, axis=0))
        np.testing.assert_allclose(learned.p_values(draw, learned=True)[row], others.p_values(draw[row : row + 1])[0])
        np.testing.assert_allclose(learned.deviates(draw, learned=True)[row], others.deviates(draw[row : row + 1])[0])


def test_missing_scores_and_columns_say_nothing() -> None:
    draw = correlated(50, 1)
    draw[:, 3] = np.nan
    draw[7, 5] = np.nan
    ranks = Ranks.fit(draw)
    assert np.isnan(ranks.p_values(draw)[:, 3]).all()
    assert np.isnan(ranks.p_values(draw)[7, 5])
    assert ranks.p_values(np.full((1, PLOTS), 1e9))[0, 3] == 1.0
    for how in COMBINATIONS:
        combined = CombinedPlots.fit(draw, how)
        assert np.isfinite(combined.score(np.vstack([draw, np.full(PLOTS, np.nan)]))).all()


@pytest.mark.parametrize("how", COMBINATIONS)
def test_the_p_value_of_a_run_counts_the_look_elsewhere_effect_of_correlated_plots(how: str) -> None:
    found = CombinedPlots.fit(correlated(400, 1), how).p_value(correlated(2000, 2))
    assert 0.02 < (found <= 0.05).mean() < 0.08


def test_each_combination_finds_what_it_is_for() -> None:
    good, new = correlated(400, 1), correlated(300, 2)
    one, all_of_them = new.copy(), new.copy()
    one[:, 9] += 8.0
    all_of_them += 1.5
    found = {how: CombinedPlots.fit(good, how) for how in COMBINATIONS}
    share = {how: [(own.p_value(bad) <= 0.05).mean() for bad in (one, all_of_them)] for how, own in found.items()}
    assert share["worst plot"][0] > 0.9 > 0.3 > share["mean"][0]
    assert share["mean"][1] > share["worst plot"][1] + 0.05
    assert min(share[how][1] for how in ("Fisher", "worst half", "flags")) > 0.25


def test_fisher_is_that_of_scipy() -> None:
    p = np.random.default_rng(0).uniform(0.001, 1, (5, 12))
    expected = [combine_pvalues(row, "fisher").statistic / 24 for row in p]
    np.testing.assert_allclose(fisher(p), expected)
    np.testing.assert_array_equal(flags(np.array([[0.01, 0.02, 0.03, np.nan]])), [2.0])


def test_the_size_of_a_run_is_taken_out_and_sizes_never_seen_are_not_extrapolated() -> None:
    rng = np.random.default_rng(0)
    size = rng.uniform(10, 20, 300)
    scores = rng.normal(size=(300, 3)) + np.stack([0 * size, 0.5 * size, -0.05 * size**2], axis=1)
    left = SizeCorrection.fit(scores, size).apply(scores, size)
    assert np.abs([np.corrcoef(column, size)[0, 1] for column in left.T]).max() < 0.05
    np.testing.assert_allclose(left.std(axis=0), 1.0, atol=0.1)
    correction = SizeCorrection.fit(scores, size)
    np.testing.assert_allclose(
        correction.apply(scores[:1], np.array([40.0])), correction.apply(scores[:1], size.max()[None])
    )


def test_deviates_of_good_runs_are_normal() -> None:
    draw = np.random.default_rng(0).exponential(size=(500, 1))
    assert Ranks.fit(draw[:400]).deviates(draw[400:]).std() == pytest.approx(norm.std(), abs=0.2)


def test_an_unknown_combination_is_named() -> None:
    with pytest.raises(SettingsError, match="'median'"):
        CombinedPlots.fit(correlated(20, 0), "median")
