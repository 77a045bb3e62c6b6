"""Cell resampling: events of negative weight share theirs with their neighbours, so that all weights are positive
(Andersen & Maier, Eur. Phys. J. C 82 (2022) 433)."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from lynkeus.core import Floats

NEAREST = 64  # neighbours that are looked at first
MOST = 4096  # and at most; a cell that is still negative then is left at 0


def positive_weights(values: Floats, weight: Floats) -> Floats:
    """Return weights (n,) that are nowhere negative, with the same sum, for events (n, c) with some that are.

    Each event of negative weight makes a cell with the nearest others, as many as its weight needs to be made up for;
    the sum of a cell stays what it was, and is shared in it by the sizes of the weights. Distances are taken in ranks
    of each column, so that units do not matter; a missing value is in the middle.
    """
    found = np.array(weight, float)
    negative = np.flatnonzero(found < 0)
    if not len(negative):
        return found
    place = _ranks(values)
    tree = cKDTree(place)
    for seed in negative[np.argsort(found[negative], kind="stable")]:
        if found[seed] >= 0:
            continue
        near = NEAREST
        while True:
            _, cell = tree.query(place[seed], min(near, len(found)))
            cell = np.atleast_1d(cell)
            cell = np.concatenate([[seed], cell[cell != seed]])
            reached = np.flatnonzero(np.cumsum(found[cell]) >= 0)
            if len(reached) or near >= min(MOST, len(found)):
                break
            near *= 4
        cell = cell[: int(reached[0]) + 1] if len(reached) else cell
        size = np.abs(found[cell])
        found[cell] = size * (max(float(found[cell].sum()), 0.0) / max(float(size.sum()), 1e-300))
    return found


def _ranks(values: Floats) -> Floats:
    """Return the place (n, c) of each value among those of its column, from 0 to 1."""
    if not values.shape[1]:
        return np.arange(len(values), dtype=float)[:, None]
    place = np.full(values.shape, 0.5)
    for column, own in zip(place.T, values.T, strict=True):
        known = np.isfinite(own)
        order = np.argsort(np.argsort(own[known], kind="stable"), kind="stable")
        column[known] = (order + 0.5) / max(int(known.sum()), 1)
    return place
