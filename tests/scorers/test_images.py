"""Scorers of images: a wrong shape is found and shown by its pixels, whatever the brightness; so is a dark image."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SchemaError
from lynkeus.metrics.rates import auroc
from lynkeus.scorers.learned.autoencoder import Autoencoder
from lynkeus.scorers.learned.deep_svdd import DeepSvdd
from lynkeus.scorers.statistics.nearest_neighbours import NearestNeighbours
from lynkeus.sources import InMemory
from lynkeus.transforms.planting import plant

pytestmark = pytest.mark.slow(0.2)  # each; the fits take seven seconds
SIDE, HOLE = 12, (slice(2, 5), slice(7, 10))
QUICK = {"training": {"epochs": 30, "batch_size": 32}}


def rings(count: int, seed: int) -> np.ndarray:
    """(n, 1, row, column) rings of varying size, place and brightness, on a noisy ground."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:SIDE, :SIDE]
    middle = 5.5 + 0.7 * rng.normal(size=(2, count, 1, 1))
    radius = 3.5 + 0.3 * rng.normal(size=(count, 1, 1))
    away = np.hypot(row - middle[0], column - middle[1]) - radius
    images = rng.uniform(0.5, 2.0, size=(count, 1, 1)) * np.exp(-(away**2) / 0.8)
    return (images + 0.02 * rng.normal(size=images.shape))[:, None].astype(np.float32)


def batch(images: np.ndarray) -> Batch:
    return Batch(Schema("image", ("grey",), (), (1, SIDE, SIDE)), images)


def broken(images: np.ndarray) -> np.ndarray:
    """A piece of each ring is missing."""
    images = images.copy()
    images[:, :, *HOLE] = 0.0
    return images


@pytest.fixture(
    scope="module",
    params=[NearestNeighbours(), Autoencoder(**QUICK), DeepSvdd(**QUICK)],
    ids=lambda scorer: type(scorer).__name__,
)
def scorer(request: pytest.FixtureRequest) -> object:
    return request.param.fit(InMemory(batch(rings(800, 1))))


@pytest.mark.slow(3)
def test_broken_rings_are_found_at_any_brightness(scorer: NearestNeighbours) -> None:
    good = rings(300, 2)
    scores = scorer.score(batch(np.concatenate([good, broken(good)])))[:, 0]
    assert auroc(np.repeat([0, 1], 300), scores) > 0.9


def test_the_map_has_the_shape_of_the_image_and_shows_the_place(scorer: NearestNeighbours) -> None:
    evidence = np.abs(scorer.explain(batch(broken(rings(50, 3)))))
    assert evidence.shape == (50, 1, SIDE, SIDE)
    assert np.isfinite(evidence).all()
    inside = evidence[:, 0, *HOLE].mean(axis=(1, 2))
    if isinstance(scorer, DeepSvdd):  # its gradients are spread over all that makes up the shape
        return
    assert np.median(inside / evidence.mean(axis=(1, 2, 3))) > 2.0


def test_it_comes_back_from_its_folder_and_refuses_other_images(
    scorer: NearestNeighbours, tmp_path: Path, agree: Callable[..., None]
) -> None:
    images = batch(rings(20, 4))
    scorer.save(tmp_path)
    loaded = type(scorer).load(tmp_path)
    single = scorer.about.learned
    agree(loaded.score(images), scorer.score(images), single)
    agree(loaded.explain(images), scorer.explain(images), single)
    other = replace(images, values=images.values[:, :, :-1], schema=replace(images.schema, shape=(1, SIDE - 1, SIDE)))
    with pytest.raises(SchemaError, match="shape"):
        loaded.score(other)


def test_missing_pixels_speak_for_nothing(scorer: NearestNeighbours) -> None:
    images = rings(20, 5)
    images[0], images[1, 0, :2] = np.nan, np.nan
    scores = scorer.score(batch(images))[:, 0]
    assert np.isnan(scores[0])
    assert np.isfinite(scores[1:]).all()


def test_nearest_neighbours_of_images_also_see_brightness_and_contrast() -> None:
    scorer = NearestNeighbours().fit(InMemory(batch(rings(800, 1))))
    good = rings(200, 2)
    usual = np.quantile(scorer.score(batch(good)), 0.99)
    assert (scorer.score(batch(10.0 * good)) > usual).mean() > 0.9
    dark = scorer.explain(batch(good - 3.0))
    assert (dark.mean(axis=(1, 2, 3)) < 0).all()  # darker than usual, everywhere alike
    squares = (scorer.explain(batch(good)) ** 2).sum(axis=(1, 2, 3))
    points = scorer.features_.points(batch(good))
    nearest = scorer.reference_[scorer._nearest(points)[1]].mean(axis=1)
    np.testing.assert_allclose(squares, ((points - nearest) ** 2).sum(axis=1))


def test_planted_faults_of_images_do_not_show_in_brightness_or_contrast() -> None:
    """Or a network that has learned nothing finds them by the size of what comes in, and training stops there."""
    images = rings(100, 6)
    faulty = plant(images, np.random.default_rng(0))
    changed = np.abs(faulty - images).max(axis=(1, 2, 3)) > 0.01
    assert changed.mean() > 0.9
    np.testing.assert_allclose(faulty.mean(axis=(2, 3)), images.mean(axis=(2, 3)), atol=1e-5)
    np.testing.assert_allclose(faulty.std(axis=(2, 3)), images.std(axis=(2, 3)), rtol=1e-4)
