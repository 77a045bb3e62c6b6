"""Decisions that look wrong: confident learning (Northcutt, Jiang & Chuang 2021, arXiv:1911.00068)."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Floats


def self_confidence(probabilities: Floats, given: Array) -> Floats:
    """Return (n,) the probability of the class that each sample was given, NaN where that is -1."""
    found = probabilities[np.arange(len(given)), np.maximum(given, 0)]
    return np.where(given >= 0, found, np.nan)


def usual_confidence(probabilities: Floats, given: Array) -> Floats:
    """Return (classes,) how probable each class is on average among the samples that were given it."""
    classes = probabilities.shape[1]
    return np.array([probabilities[given == k, k].mean() if (given == k).any() else 1.0 for k in range(classes)])


def doubtful(probabilities: Floats, given: Array, usual: Floats) -> Array:
    """Return (n,) whether another class is as probable as it usually is where it was given, and more than the given
    one; `probabilities` (n, classes) by what has not seen the sample."""
    confident = np.where(probabilities >= usual, probabilities, -1.0)
    best = confident.argmax(axis=1)
    found: Array = (given >= 0) & (confident.max(axis=1) >= 0) & (best != given)
    return found
