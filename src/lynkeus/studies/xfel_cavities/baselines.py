"""What every scorer of pulses must beat: of healthy training pulses and test pulses, scores of the latter."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from lynkeus.core import Floats

COMPONENTS = 12


def largest_deviation(good: Floats, test: Floats) -> Floats:
    """The largest deviation of any of the 1,092 numbers from its mean, in its own sigmas."""
    return np.asarray(np.abs(_standardised(good, test)).max(axis=1))


def components_taken_out(good: Floats, test: Floats) -> Floats:
    """The same of what 12 principal components leave, in sigmas of what they leave of healthy pulses."""
    usual, seen = _standardised(good, good), _standardised(good, test)
    components = PCA(COMPONENTS, svd_solver="randomized", random_state=0).fit(usual)
    left = usual - components.inverse_transform(components.transform(usual))
    seen -= components.inverse_transform(components.transform(seen))
    return np.asarray(np.abs(seen / left.std(axis=0)).max(axis=1))


def _standardised(good: Floats, test: Floats) -> Floats:
    usual = good.reshape(len(good), -1)
    return np.asarray((test.reshape(len(test), -1) - usual.mean(axis=0)) / usual.std(axis=0), np.float32)
