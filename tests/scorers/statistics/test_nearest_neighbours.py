"""NearestNeighbours against distances computed one by one."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from lynkeus.scorers.statistics.nearest_neighbours import NearestNeighbours

Sources = Callable[..., Any]


def test_the_score_is_the_mean_distance_to_the_nearest_points(
    windows: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    scorer = NearestNeighbours(neighbours=3).fit(windows(shots[:5000]))
    batch = one_batch(windows(shots[5000:]))
    points = scorer.features_.points(scorer.features_.residuals(batch))
    distances = np.sort(cdist(points, scorer.reference_), axis=1)
    np.testing.assert_allclose(scorer.score(batch)[:, 0], distances[:, :3].mean(axis=1))


def test_a_sample_of_the_reference_is_not_its_own_neighbour(
    windows: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    scorer = NearestNeighbours().fit(windows(shots[:3000]))
    known = scorer.score(one_batch(windows(shots[:1000])))
    unseen = scorer.score(one_batch(windows(shots[3000:4000])))
    assert abs(np.median(known) / np.median(unseen) - 1) < 0.1


def test_the_reference_stays_small(windows: Sources, shots: np.ndarray) -> None:
    assert NearestNeighbours(sample=100).fit(windows(shots)).reference_.shape == (100, 24)


def test_fewer_samples_than_neighbours_are_enough(windows: Sources, one_batch: Sources, shots: np.ndarray) -> None:
    scorer = NearestNeighbours().fit(windows(shots[:20]))
    assert np.isfinite(scorer.score(one_batch(windows(shots[:1000])))).all()
    alone = NearestNeighbours().fit(windows(shots[:10]))
    assert np.isfinite(alone.score(one_batch(windows(shots[:1000])))).all()
