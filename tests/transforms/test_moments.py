"""Moments over batches are those of all samples at once, also of numbers that are large beside their spread."""

from __future__ import annotations

import numpy as np

from lynkeus.transforms.moments import Moments


def test_they_are_those_of_all_samples() -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(1000, 3)) * (1, 2, 3) + (0, 1e9, -5), rng.uniform(0, 2, 1000)
    found = Moments()
    for rows in np.array_split(np.arange(1000), 7):
        found.add(x[rows], weight[rows])
    mean = np.average(x, axis=0, weights=weight)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(found.sigma, np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight)), rtol=1e-6)
    assert found.count == 1000


def test_what_is_missing_is_left_out() -> None:
    found = Moments()
    found.add(np.array([[1.0, np.nan, np.nan], [3.0, np.inf, 4.0], [5.0, np.nan, 6.0]]))
    assert found.mean.tolist() == [3.0, 0.0, 5.0]
    np.testing.assert_allclose(found.sigma, [np.sqrt(8 / 3), 0.0, 1.0])
