"""Flow: a density of known distributions, and what a Gaussian does not see."""

from math import e, pi

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SchemaError
from lynkeus.metrics.rates import auroc
from lynkeus.scorers.learned.flow import Flow
from lynkeus.scorers.statistics.mahalanobis import Mahalanobis
from lynkeus.sources import InMemory


def rows(values: np.ndarray) -> Batch:
    columns = values.shape[1]
    return Batch(Schema("table", tuple(f"c{k}" for k in range(columns)), (), (columns,)), values)


def test_the_likelihood_of_a_gaussian_is_its_entropy() -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(4, 4))
    good, unseen = (rng.normal(size=(2000, 4)) @ mix for _ in range(2))
    flow = Flow(training={"epochs": 8}).fit(InMemory(rows(good)))
    in_sigmas = np.cov((unseen / good.std(axis=0)).T)
    entropy = 0.5 * np.linalg.slogdet(2 * pi * e * in_sigmas)[1]
    assert flow.score(rows(unseen)).mean() == pytest.approx(entropy, abs=0.1)  # its error is 0.02
    assert flow.history_.verdict in ("converged", "still learning")


def test_a_hole_in_the_middle_is_found_that_a_gaussian_does_not_see() -> None:
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 2 * pi, 2000)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) * rng.normal(1, 0.05, (2000, 1))
    middle = rng.normal(0, 0.15, (300, 2))
    truth = np.repeat([0, 1], [500, 300])
    test = rows(np.concatenate([ring[:500], middle]))
    flow = Flow(training={"epochs": 15, "batch_size": 128, "learning_rate": 3e-3}).fit(InMemory(rows(ring[500:])))
    assert auroc(truth, flow.score(test)[:, 0]) > 0.97
    assert auroc(truth, Mahalanobis().fit(InMemory(rows(ring[500:]))).score(test)[:, 0]) < 0.1


def test_images_are_refused_by_their_kind() -> None:
    images = Batch(Schema("image", ("grey",), (), (1, 8, 8)), np.zeros((10, 1, 8, 8)))
    with pytest.raises(SchemaError, match="image"):
        Flow().fit(InMemory(images))


def test_columns_of_few_values_and_columns_that_stand_still_have_a_density() -> None:
    rng = np.random.default_rng(3)
    values = np.stack([rng.integers(0, 3, 800), np.full(800, 7.0), rng.normal(size=800)], axis=1).astype(float)
    flow = Flow(training={"epochs": 5}).fit(InMemory(rows(values)))
    moved = np.array([[1.0, 7.0, 0.0], [1.0, 8.0, 0.0], [1.5, 7.0, 0.0]])
    good, step, between = flow.score(rows(moved))[:, 0]
    assert np.isfinite(flow.score(rows(values))).all()
    assert step > good + 50
    assert between > good


def test_known_anomalies_are_not_learned_from() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(1000, 3))
    values[::10] += 8.0
    truth = np.zeros(1000, dtype=np.int64)
    truth[::10] = 1
    batch = rows(values)
    labelled = Batch(batch.schema, values, truth=truth)
    told, untold = (Flow(training={"epochs": 4}).fit(InMemory(given)) for given in (labelled, batch))
    assert told.score(batch)[::10].mean() > untold.score(batch)[::10].mean() + 10
