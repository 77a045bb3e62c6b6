"""IsolationForest: the arrays of the trees say the same as scikit-learn's own objects."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import ensemble

from lynkeus.scorers.statistics.forest import forest_of, random_path
from lynkeus.scorers.statistics.isolation_forest import IsolationForest

Sources = Callable[..., Any]


@pytest.mark.parametrize(("points", "drawn"), [(1000, 256), (300, 300), (2, 2), (3, 3)])
def test_the_arrays_score_as_scikit_learn_does(points: int, drawn: int) -> None:
    rng = np.random.default_rng(points)
    seen, unseen = rng.normal(size=(points, 5)), 3 * rng.normal(size=(5000, 5))
    grown = ensemble.IsolationForest(n_estimators=50, max_samples=drawn, random_state=1).fit(seen)
    forest = forest_of([tree.tree_ for tree in grown.estimators_])
    np.testing.assert_allclose(forest.score(unseen, drawn), -grown.score_samples(unseen), rtol=0, atol=1e-9)


def test_the_scorer_is_scikit_learns_forest_on_its_features(
    windows: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    scorer = IsolationForest(trees=30, points_per_tree=128, seed=4).fit(windows(shots))
    _, reference = type(scorer.features_).fit(windows(shots), scorer.sample, scorer.seed)
    grown = ensemble.IsolationForest(n_estimators=30, max_samples=128, random_state=4).fit(reference)
    batch = one_batch(windows(shots[:1000]))
    points = scorer.features_.points(scorer.features_.residuals(batch))
    np.testing.assert_allclose(scorer.score(batch)[:, 0], -grown.score_samples(points), rtol=0, atol=1e-9)


def test_the_path_in_random_data_is_that_of_a_binary_search_tree() -> None:
    n = np.array([1, 2, 3, 256])
    harmonic = [sum(1 / k for k in range(1, m)) for m in n]
    exact = 2 * np.array(harmonic) - 2 * (n - 1) / n
    np.testing.assert_allclose(random_path(n)[[0, 1, 3]], exact[[0, 1, 3]], rtol=1e-3)
    assert random_path(n)[2] == pytest.approx(exact[2], rel=0.3)  # the logarithm stands for the harmonic number
