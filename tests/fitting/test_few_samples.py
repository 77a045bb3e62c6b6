"""A network that learned from few samples keeps the promise of its p-values."""

import numpy as np
import pytest

from lynkeus.core import Batch, Schema
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.unseen import as_large_as
from lynkeus.sources import InMemory

pytest.importorskip("torch")
COLUMNS, ROWS, FRESH = 8, 150, 4000


def _rows(count: int, seed: int) -> InMemory:
    random = np.random.default_rng(seed)
    motions = np.random.default_rng(0).normal(size=(3, COLUMNS))
    values = random.normal(size=(count, 3)) @ motions + 0.3 * random.normal(size=(count, COLUMNS))
    return InMemory(Batch(Schema("table", tuple("abcdefgh"), shape=(COLUMNS,)), values))


def test_rare_is_not_said_more_often_than_promised() -> None:
    fitted = fit(_rows(ROWS, 1), FitSettings("autoencoder"))
    assert fitted.lineage["held_out"]
    p = np.concatenate([scored.p_values[:, 0] for scored in fitted.score(_rows(FRESH, 2))])
    for level in (0.05, 0.02):
        # the reference itself knows its quantiles to about sqrt(level / ROWS); calibrated in sample it was twice level
        assert (p < level).mean() < level + 2 * np.sqrt(level * (1 - level) / ROWS)
    assert (p < 0.5).mean() > 0.1  # and not by never saying anything


def test_scores_of_networks_of_other_sizes_are_compared() -> None:
    rng = np.random.default_rng(0)
    like = rng.uniform(0.2, 0.3, (200, 2))
    like[:, 1] -= 5  # a logarithm
    other = np.stack([like[:, 0] * 0.8, like[:, 1] - 3], axis=1)
    unseen, by_it = np.arange(200) % 4 == 1, np.arange(200) % 4 == 0
    np.testing.assert_allclose(as_large_as(other, like, unseen, by_it), like)  # what is left is chance
    other[unseen] *= (9.0, 1.0)  # it has learned its samples by heart, and the other has not
    found = as_large_as(other, like, unseen, by_it)
    np.testing.assert_allclose(np.median(found[unseen, 0]), np.median(like[by_it, 0]), rtol=0.03)
    np.testing.assert_allclose(found[:, 1], like[:, 1])
