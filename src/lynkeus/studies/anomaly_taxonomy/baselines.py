"""What is so simple that every scorer must beat it: of good training samples and test samples, scores of the latter."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Floats


def grey_level(good: Floats, test: Floats) -> Floats:
    """Return how far the mean grey level is from that of good images: a trivial baseline."""
    usual = good.mean(axis=(1, 2, 3))
    return np.asarray(np.abs(test.mean(axis=(1, 2, 3)) - usual.mean()) / usual.std())


def mean_image(good: Floats, test: Floats) -> Floats:
    """Return the distance to the mean good image."""
    return np.asarray(np.sqrt(((test - good.mean(axis=0)) ** 2).sum(axis=(1, 2, 3))))


def centre_distance(good: Floats, test: Floats) -> Floats:
    """Distance to the mean sample, in the spread of each number."""
    return np.asarray(
        np.sqrt((((test - good.mean(axis=0)) / good.std(axis=0)) ** 2).reshape(len(test), -1).sum(axis=1))
    )
