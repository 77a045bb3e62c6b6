"""Reservoir, robust scale, clipped covariance and features: what the classical scorers learn from a stream."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkeus.core import Batch, Schema, SchemaError
from lynkeus.scorers.statistics.covariance import CLIP_SIGMA, Correlated
from lynkeus.scorers.statistics.features import features_of
from lynkeus.transforms.reservoir import reservoir, sample_rows
from lynkeus.transforms.robust_scale import RobustScale


@dataclass(frozen=True)
class Parts:
    """A table in the parts that were given."""

    parts: tuple[np.ndarray, ...]

    @property
    def schema(self) -> Schema:
        return Schema("table", shape=(self.parts[0].shape[1],))

    def __iter__(self) -> Iterator[Batch]:
        return (Batch(self.schema, part) for part in self.parts)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=6), st.integers(1, 50))
def test_the_sample_does_not_depend_on_the_cuts(cuts: list[int], size: int) -> None:
    rows = np.arange(120.0).reshape(60, 2)
    whole = reservoir([rows], size, 3)
    pieces = reservoir(np.split(rows, sorted(cuts)), size, 3)
    np.testing.assert_array_equal(whole, pieces)
    assert len(whole) == size
    assert (np.diff(whole[:, 0]) > 0).all()


def test_every_row_is_as_likely_as_any_other() -> None:
    rows = np.arange(40.0)[:, None]
    drawn = np.concatenate([reservoir([rows[:7], rows[7:]], 10, seed)[:, 0] for seed in range(2000)])
    counts = np.bincount(drawn.astype(int), minlength=40)
    assert abs(counts - 500).max() < 5 * np.sqrt(500 * 0.75)


def test_no_rows_is_refused() -> None:
    with pytest.raises(SchemaError, match="no rows"):
        sample_rows(Parts((np.empty((0, 3)),)), 10, 0)


def test_sigmas_of_odd_columns() -> None:
    rng = np.random.default_rng(0)
    sample = np.stack([rng.normal(2, 3, 4000), np.full(4000, 0.1), np.full(4000, np.nan), np.zeros(4000)], axis=1)
    sample[:40, 3] = 1.0  # quantised: most values are equal
    scale = RobustScale.fit(sample)
    np.testing.assert_allclose(scale.centre, [2.0, 0.1, 0.0, 0.0], atol=0.15)
    assert scale.sigma[0] == pytest.approx(3, rel=0.05)
    assert np.isinf(scale.sigma[1:3]).all()
    assert scale.sigma[3] == pytest.approx(sample[:, 3].std())
    np.testing.assert_array_equal(scale.apply(np.full((1, 4), 5.0))[0, 1:3], 0.0)
    assert np.isnan(scale.apply(np.full((1, 4), np.inf))).all()


def test_the_covariance_of_a_stream_is_that_of_the_clipped_rows() -> None:
    rows = np.random.default_rng(4).normal(size=(900, 3)) * [1.0, 2.0, 3.0]
    rows[5], rows[8, 1], rows[:, 2] = 1000.0, np.nan, 0.1
    found = Correlated.fit(Parts((rows[:100], rows[100:])), 1000, 0)
    rough = RobustScale.fit(rows)
    clipped = np.clip(np.nan_to_num(rough.apply(rows)), -CLIP_SIGMA, CLIP_SIGMA)
    np.testing.assert_allclose(found.covariance, np.cov(clipped.T, ddof=0), atol=1e-12)
    np.testing.assert_allclose(found.scale.centre[:2], rough.centre[:2] + clipped.mean(axis=0)[:2] * rough.sigma[:2])
    assert found.scale.centre[2] == 0.1
    assert found.count == 900


def test_features_are_means_and_logs_of_spreads_of_what_is_there() -> None:
    shots = np.random.default_rng(6).normal(size=(5, 10, 3))
    shots[1, :4, 0], shots[2, 1:, 1], shots[3, :, 2], shots[4, :, 0] = np.nan, np.nan, np.nan, 7.0
    features = features_of(shots)
    assert features.shape == (5, 6)
    np.testing.assert_allclose(features[0], [*shots[0].mean(axis=0), *np.log(shots[0].std(axis=0, ddof=1))])
    np.testing.assert_allclose(features[1, [0, 3]], [shots[1, 4:, 0].mean(), np.log(shots[1, 4:, 0].std(ddof=1))])
    assert features[2, 1] == shots[2, 0, 1]
    assert np.isnan(features[2, 4])
    assert np.isnan(features[3, [2, 5]]).all()
    assert features[4, 3] < -30
    np.testing.assert_array_equal(features_of(shots[:, :1]), shots[:, 0])
