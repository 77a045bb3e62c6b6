"""ThreeSigma against its own definition."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import median_abs_deviation

from lynkeus.scorers.statistics.three_sigma import ThreeSigma

Sources = Callable[..., Any]


def test_a_row_scores_its_largest_deviation_from_the_median_in_mads(
    table: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    batch = one_batch(table(shots[:1000]))
    scorer = ThreeSigma().fit(table(shots))  # fewer rows than it samples: all of them
    expected = (shots[:1000] - np.median(shots, axis=0)) / median_abs_deviation(shots, scale="normal")
    np.testing.assert_allclose(scorer.explain(batch), expected, rtol=1e-4)
    np.testing.assert_allclose(scorer.score(batch)[:, 0], np.abs(expected).max(axis=1), rtol=1e-4)


def test_a_window_scores_the_root_mean_square_of_its_loudest_channel(
    windows: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    batch = one_batch(windows(shots[:500]))
    scorer = ThreeSigma().fit(windows(shots))
    sigmas = scorer.explain(batch)  # (n, channel, time)
    np.testing.assert_allclose(scorer.score(batch)[:, 0], np.sqrt((sigmas**2).mean(axis=2)).max(axis=1))


def test_gaussian_channels_are_three_sigma_off_in_0_27_percent(table: Sources, one_batch: Sources) -> None:
    rows = np.random.default_rng(3).normal(size=(40_000, 12))
    evidence = ThreeSigma(sample=20_000).fit(table(rows)).explain(one_batch(table(rows[:1500])))
    assert abs((np.abs(evidence) > 3).mean() - 0.0027) < 0.0015


def test_four_rows_in_ten_may_be_anything(table: Sources, shots: np.ndarray) -> None:
    dirty = np.array(shots)
    dirty[:2400, 4] = np.random.default_rng(0).normal(0, 1000, 2400)
    clean, robust = ThreeSigma().fit(table(shots)), ThreeSigma().fit(table(dirty))
    assert robust.scale_.sigma[4] < 2.5 * clean.scale_.sigma[4] < 1.0
