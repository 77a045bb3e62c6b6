"""Which odd samples are odd in the same way? An accident happens once; what many have in common is a kind."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Floats

FAR = 3.0  # sigmas from which a number says how a sample is odd
ALIKE = 0.5  # cosine of what two samples have in common, of which each has its own noise
SMALLEST = 0.1  # share of all that is a kind: fewer are accidents, or a fault that lasted


def likeness(one: Floats, others: Floats) -> Floats:
    """Return the cosines (k,) between the deviations (m,) of one sample and those of others (k, m), in sigmas, of the
    numbers in which either is far; 0 where none is."""
    counted = (np.abs(one) > FAR) | (np.abs(others) > FAR)
    here, there = np.where(counted, one, 0.0), np.where(counted, others, 0.0)
    size = np.sqrt((here**2).sum(axis=1) * (there**2).sum(axis=1))
    found: Floats = (here * there).sum(axis=1) / np.maximum(size, 1e-12)
    return found


def second_kind(sigmas: Floats, samples: int) -> Array:
    """Return (k,) True for those of the odd samples whose deviations (k, m) in sigmas are like those of others, where
    these are a tenth of all `samples` or more."""
    found = np.zeros(len(sigmas), bool)
    for own in sigmas:
        like = likeness(own, sigmas) > ALIKE
        if like.sum() >= max(SMALLEST * samples, 2.0):
            found |= like
    return found
