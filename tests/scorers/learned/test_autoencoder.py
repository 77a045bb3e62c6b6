"""The autoencoder of tables: wider than a row, it learns to mend rows instead of copying them."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score
from torch import nn

from lynkeus.core import Batch, Schema
from lynkeus.scorers.learned.autoencoder import Autoencoder
from lynkeus.sources import InMemory

COLUMNS = 8


def table(rows: np.ndarray) -> Batch:
    return Batch(Schema("table", tuple(f"c{k}" for k in range(COLUMNS)), shape=(COLUMNS,)), rows)


def test_rows_near_a_plane_are_told_from_rows_in_which_one_number_is_that_of_another() -> None:
    rng = np.random.default_rng(4)
    plane = rng.normal(size=(2, COLUMNS))
    rows = rng.normal(size=(1000, 2)) @ plane + 0.05 * rng.normal(size=(1000, COLUMNS))
    train, good, wrong = rows[:600], rows[600:800], rows[800:].copy()
    column = rng.integers(COLUMNS, size=200)
    wrong[np.arange(200), column] = train[rng.integers(600, size=200), column]
    scorer = Autoencoder().fit(InMemory(table(train)))
    both, truth = np.concatenate([good, wrong]), np.repeat([0, 1], 200)
    off_the_plane = np.linalg.norm(both @ np.linalg.svd(plane)[2][2:].T, axis=1)  # the best score there is: 0.957
    assert roc_auc_score(truth, scorer.score(table(both))[:, 0]) > roc_auc_score(truth, off_the_plane) - 0.05
    blamed = np.abs(scorer.explain(table(wrong))).argmax(axis=1)
    assert np.mean(blamed == column) > 0.7


def test_a_table_has_one_wide_layer_and_a_narrow_one_where_a_latent_size_is_asked_for() -> None:
    widths = {
        scorer.latent: [
            layer.out_features
            for layer in scorer.make_task((COLUMNS,)).networks["autoencoder"].modules()
            if isinstance(layer, nn.Linear)
        ]
        for scorer in (Autoencoder(), Autoencoder(latent=2))
    }
    assert widths == {0: [256, COLUMNS], 2: [128, 64, 2, 64, 128, COLUMNS]}
