"""Laws of the scorers that model how good samples come about: a broken relation in tables, a patch in images."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, Scorer
from lynkeus.metrics.rates import auroc
from lynkeus.scorers.learned.adversarial.scorer import Adversarial
from lynkeus.scorers.learned.flow import Flow
from lynkeus.scorers.learned.variational_autoencoder import VariationalAutoencoder
from lynkeus.sources import InMemory
from lynkeus.training import Session, use_session

COLUMNS, SIDE, PATCH = 10, 12, 3
FAST = {"epochs": 15, "learning_rate": 3e-3}
GAME = {"latent": 3, "width": 4, "critic_steps": 3, "training": {"epochs": 12, "batch_size": 48}}
ENCODING = {"epochs": 10, "batch_size": 32, "learning_rate": 3e-3}
TABLES: dict[str, Scorer] = {
    "elbo": VariationalAutoencoder("elbo", latent=3, training=FAST),
    "reconstruction": VariationalAutoencoder("reconstruction", latent=3, training=FAST),
    "flow": Flow(training=FAST),
}
IMAGES: dict[str, Scorer] = {
    "elbo": VariationalAutoencoder("elbo", latent=3, width=8, training=FAST),
    "izi_f": Adversarial("izi_f", **GAME, encoder_training=ENCODING),
    "izi": Adversarial("izi", **GAME, encoder_training=ENCODING),
    "ziz": Adversarial("ziz", **GAME, encoder_training=ENCODING),
    "anogan": Adversarial("anogan", **GAME, search_steps=100),
}


SLOW = [pytest.mark.slow]
EACH_IMAGE = [pytest.param(name, marks=[] if name == "elbo" else SLOW) for name in IMAGES]


@pytest.fixture(scope="module", autouse=True)
def _one_game(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All adversarial scorers go on from the checkpoint of the same game."""
    with use_session(Session(device="cpu", folder=tmp_path_factory.mktemp("checkpoints"))):
        yield


def rows(seed: int, count: int) -> Batch:
    """Three motions seen by ten columns, with little noise."""
    motions = np.random.default_rng(0).normal(size=(3, COLUMNS))
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, 3)) @ motions + 0.15 * rng.normal(size=(count, COLUMNS))
    return Batch(Schema("table", tuple(f"c{k}" for k in range(COLUMNS)), (), (COLUMNS,)), values)


def images(seed: int, count: int) -> Batch:
    """A round spot somewhere near the middle, of varying height, in noise."""
    rng = np.random.default_rng(seed)
    axis = np.arange(SIDE)
    row, column = rng.uniform(4, 7, (2, count, 1, 1))
    spot = np.exp(-((axis[:, None] - row) ** 2 + (axis - column) ** 2) / 8)
    values = rng.uniform(0.7, 1.3, (count, 1, 1)) * spot + 0.05 * rng.normal(size=(count, SIDE, SIDE))
    return Batch(Schema("image", ("grey",), (), (1, SIDE, SIDE)), values[:, None])


@cache
def fitted(kind: str, name: str) -> Scorer:
    if kind == "table":
        return TABLES[name].fit(InMemory(rows(1, 2000)))
    return IMAGES[name].fit(InMemory(images(1, 500)))


@pytest.mark.parametrize("name", TABLES)
def test_a_broken_relation_is_found_though_each_column_looks_normal(name: str) -> None:
    good = rows(2, 300)
    broken = good.values.copy()
    broken[:, 4] = np.random.default_rng(0).permutation(broken[:, 4])
    scores = [fitted("table", name).score(batch)[:, 0] for batch in (good, good.with_values(broken))]
    assert auroc(np.repeat([0, 1], 300), np.concatenate(scores)) > 0.85


@pytest.mark.slow(3)
@pytest.mark.parametrize("name", EACH_IMAGE)
def test_a_patch_in_an_image_is_found_and_pointed_at(name: str) -> None:
    scorer, good = fitted("image", name), images(2, 100)
    corner = (slice(None), 0, slice(1, 1 + PATCH), slice(8, 8 + PATCH))
    patched = good.values.copy()
    patched[corner] += 0.8
    faulty = good.with_values(patched)
    scores = np.concatenate([scorer.score(batch)[:, 0] for batch in (good, faulty)])
    assert auroc(np.repeat([0, 1], 100), scores) > 0.85
    evidence = scorer.explain(faulty)
    assert evidence.shape == patched.shape
    brightest = evidence.reshape(100, -1).argmax(axis=1)
    row, column = np.unravel_index(brightest, (SIDE, SIDE))
    inside = (row >= 1) & (row < 1 + PATCH) & (column >= 8) & (column < 8 + PATCH)
    assert inside.mean() > 0.9


@pytest.mark.slow(2)
@pytest.mark.parametrize("name", EACH_IMAGE)
def test_an_image_is_scored_by_itself_and_again_after_loading(
    name: str, tmp_path: Path, agree: Callable[..., None]
) -> None:
    scorer, few = fitted("image", name), images(3, 5)
    together = scorer.score(few)
    alone = np.concatenate([scorer.score(few[row : row + 1]) for row in range(5)])
    np.testing.assert_allclose(alone, together, rtol=1e-3)
    scorer.save(tmp_path)
    agree(type(scorer).load(tmp_path).score(few), together, single=True)
