"""OneClassSvm: the saved arrays say the same as scikit-learn's pipeline, and nu is the share outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import SGDOneClassSVM
from sklearn.pipeline import make_pipeline

from lynkeus.scorers.statistics.one_class_svm import OneClassSvm

Sources = Callable[..., Any]


def test_the_scorer_is_scikit_learns_pipeline_on_its_features(
    windows: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    scorer = OneClassSvm(landmarks=80, seed=4).fit(windows(shots))
    _, reference = type(scorer.features_).fit(windows(shots), scorer.sample, scorer.seed)
    pipeline = make_pipeline(
        Nystroem(gamma=1 / 24, n_components=80, random_state=4), SGDOneClassSVM(nu=0.05, average=True, random_state=4)
    ).fit(reference)
    batch = one_batch(windows(shots[:1000]))
    points = scorer.features_.points(scorer.features_.residuals(batch))
    np.testing.assert_allclose(scorer.score(batch)[:, 0], -pipeline.decision_function(points), rtol=0, atol=1e-9)


def test_nu_is_about_the_share_of_the_reference_outside(table: Sources, one_batch: Sources, shots: np.ndarray) -> None:
    score = OneClassSvm(nu=0.1).fit(table(shots)).score(one_batch(table(shots[:1500])))
    assert 0.05 < (score > 0).mean() < 0.2
