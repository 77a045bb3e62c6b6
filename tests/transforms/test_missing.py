"""Missing values filled by the others, against the textbook."""

import numpy as np

from lynkeus.core import Batch, Schema
from lynkeus.transforms.missing import fill_from_others, with_enough_data


def test_it_is_the_conditional_expectation_of_a_gaussian() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(6, 6))
    covariance = root @ root.T
    rows = rng.normal(size=(30, 6)) @ root.T
    rows[:20, 2], rows[10:, 5] = np.nan, np.nan  # three patterns
    filled = fill_from_others(rows, np.linalg.inv(covariance))
    for row, given in zip(rows, filled, strict=True):
        gone = np.isnan(row)
        expected = covariance[np.ix_(gone, ~gone)] @ np.linalg.solve(covariance[np.ix_(~gone, ~gone)], row[~gone])
        np.testing.assert_allclose(given[gone], expected)
        np.testing.assert_array_equal(given[~gone], row[~gone])


def test_complete_rows_are_given_back_and_empty_ones_are_the_centre() -> None:
    rows = np.random.default_rng(2).normal(size=(5, 3))
    assert fill_from_others(rows, np.eye(3)) is rows
    rows[3] = np.nan
    np.testing.assert_array_equal(fill_from_others(rows, np.eye(3) + 0.5)[3], 0.0)


def test_more_than_half_missing_is_not_enough_data() -> None:
    values = np.zeros((3, 2, 4))
    values[1, 0] = np.nan  # exactly half
    values[2, 0] = values[2, 1, 0] = np.inf
    batch = Batch(Schema("waveform", ("a", "b"), shape=(2, 4)), values)
    np.testing.assert_array_equal(with_enough_data(batch, np.ones(3)), [[1.0], [1.0], [np.nan]])
    assert with_enough_data(batch[:0], np.ones(0)).shape == (0, 1)
