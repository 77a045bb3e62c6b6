"""Mahalanobis against scikit-learn's covariance, and on a subset of channels."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import chi2, kstest
from sklearn.covariance import EmpiricalCovariance

from lynkeus.scorers.statistics.mahalanobis import Mahalanobis

Sources = Callable[..., Any]


def test_on_clean_data_it_is_the_plain_distance(table: Sources, one_batch: Sources, shots: np.ndarray) -> None:
    scorer = Mahalanobis().fit(table(shots))
    plain = np.sqrt(EmpiricalCovariance().fit(shots).mahalanobis(shots[:1000]))
    np.testing.assert_allclose(scorer.score(one_batch(table(shots[:1000])))[:, 0], plain, rtol=0.05, atol=0.05)


def test_squared_distances_of_gaussian_rows_follow_chi_square(
    table: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    score = Mahalanobis().fit(table(shots)).score(one_batch(table(shots[:1500])))[:, 0]
    assert kstest(score**2, chi2(12).cdf).pvalue > 0.01


def test_the_contributions_add_up_to_the_squared_distance(
    windows: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    scorer, batch = Mahalanobis().fit(windows(shots)), one_batch(windows(shots[:500]))
    of_shots = scorer.explain(batch).sum(axis=1)  # (n, time)
    np.testing.assert_allclose(scorer.score(batch)[:, 0] ** 2, of_shots.mean(axis=1))


def test_with_values_missing_it_is_the_distance_of_the_others(
    table: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    scorer = Mahalanobis().fit(table(shots))
    rows = np.array(shots[:50])
    rows[:, [1, 2, 7]] = np.nan
    kept = np.flatnonzero(~np.isnan(rows[0]))
    precision = np.linalg.inv(np.linalg.inv(scorer.precision_)[np.ix_(kept, kept)])
    x = scorer.scale_.apply(rows)[:, kept]
    expected = np.sqrt(np.einsum("ni,ij,nj->n", x, precision, x))
    np.testing.assert_allclose(scorer.score(one_batch(table(rows)))[:, 0], expected)
