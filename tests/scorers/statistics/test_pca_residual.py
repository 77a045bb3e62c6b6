"""PcaResidual against scikit-learn's PCA and its reconstruction."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from lynkeus.core import Batch, Schema
from lynkeus.scorers.statistics.covariance import CLIP_SIGMA
from lynkeus.scorers.statistics.pca_residual import PcaResidual
from lynkeus.sources import InMemory

Sources = Callable[..., Any]


def test_it_is_what_scikit_learn_cannot_reconstruct(table: Sources, one_batch: Sources, shots: np.ndarray) -> None:
    scorer = PcaResidual(variance=0.9).fit(table(shots))
    sigmas = np.clip(scorer.scale_.apply(shots), -CLIP_SIGMA, CLIP_SIGMA)
    pca = PCA(len(scorer.components_)).fit(np.concatenate([sigmas, -sigmas]))  # mirrored: its mean is ours, 0
    assert pca.explained_variance_ratio_.sum() >= 0.9 > pca.explained_variance_ratio_[:-1].sum()
    left = sigmas - pca.inverse_transform(pca.transform(sigmas))
    expected = left / np.sqrt((left**2).mean(axis=0))
    np.testing.assert_allclose(scorer.explain(one_batch(table(shots[:1000]))), expected[:1000], atol=1e-6)


def test_a_common_motion_is_explained_and_one_channel_alone_is_not(
    table: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    scorer = PcaResidual(variance=0.9).fit(table(shots))
    moved = shots[:1] + 20 * scorer.components_[0] * scorer.scale_.sigma
    alone = np.array(shots[:1])
    alone[0, 5] += 20 * scorer.scale_.sigma[5]
    still, common, single = scorer.score(one_batch(table(np.concatenate([shots[:1], moved, alone]))))[:, 0]
    np.testing.assert_allclose(common, still, rtol=1e-6)
    assert single > 5 * still
    assert np.abs(scorer.explain(one_batch(table(alone)))).argmax() == 5


def test_a_missing_channel_is_filled_by_least_squares(table: Sources, one_batch: Sources, shots: np.ndarray) -> None:
    scorer = PcaResidual(variance=0.9).fit(table(shots))
    row = np.array(shots[:1])
    row[0, [3, 8]] = np.nan
    seen = ~np.isnan(row[0])
    sigmas, modes = scorer.scale_.apply(row)[0], scorer.components_.T
    amplitude = np.linalg.lstsq(modes[seen], sigmas[seen], rcond=None)[0]
    expected = (sigmas - modes @ amplitude) / scorer.residual_sigma_
    np.testing.assert_allclose(scorer.explain(one_batch(table(row)))[0], np.nan_to_num(expected), atol=1e-9)


def rows(values: np.ndarray) -> Batch:
    """A table of unnamed columns."""
    return Batch(Schema("table", tuple(map(str, range(values.shape[1]))), shape=values.shape[1:]), values)


def test_independent_columns_have_no_common_motion_and_each_is_looked_at() -> None:
    random = np.random.default_rng(0)
    for columns in (1, 6):
        good, odd = random.normal(size=(800, columns)), random.normal(size=(columns, columns))
        odd += 8.0 * np.eye(columns)
        scorer = PcaResidual().fit(InMemory(rows(good)))
        assert len(scorer.components_) == 0
        assert scorer.score(rows(odd)).min() > scorer.score(rows(good)).max()
    pair = random.normal(size=(800, 6))
    pair[:, 1] += 2.0 * pair[:, 0]
    scorer = PcaResidual().fit(InMemory(rows(pair)))
    assert len(scorer.components_) == 1
    assert np.abs(scorer.components_[0, 2:]).max() < 0.2
