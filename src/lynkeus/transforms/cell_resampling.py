"""Cell resampling: events of negative weight share theirs with their neighbours, so that all weights are positive
(Andersen & Maier, Eur. Phys. J. C 82 (2022) 433)."""

from __future__ import annotations

from typing import Any

import numpy as np

from lynkeus.core import Array, Floats

NEAREST = 16  # neighbours that are looked at first,
AT_ONCE = 4096  # of so many events
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
    from scipy.spatial import cKDTree  # here: most runs have no such events, and start sooner without it

    place = _ranks(values)
    tree = cKDTree(place)
    order = negative[np.argsort(found[negative], kind="stable")]
    first = np.arange(1, min(NEAREST, len(found)) + 1)
    for start in range(0, len(order), AT_ONCE):
        seeds = order[start : start + AT_ONCE]
        for seed, near in zip(seeds.tolist(), tree.query(place[seeds], first)[1], strict=True):
            if found[seed] < 0:
                _share(found, _cell(found, seed, near, tree, place))
    return found


def _cell(found: Floats, seed: int, near: Array, tree: Any, place: Floats) -> Array:
    """Return the events of a cell, its seed first: as many of the nearest as make up for it, or all that are looked
    at."""
    while True:
        cell = np.concatenate([[seed], near[near != seed]])
        reached = np.flatnonzero(np.cumsum(found[cell]) >= 0)
        if len(reached):
            return cell[: int(reached[0]) + 1]
        if len(near) >= min(MOST, len(found)):
            return cell
        _, near = tree.query(place[seed], np.arange(1, min(4 * len(near), len(found)) + 1))


def _share(found: Floats, cell: Array) -> None:
    size = np.abs(found[cell])
    found[cell] = size * (max(float(found[cell].sum()), 0.0) / max(float(size.sum()), 1e-300))


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
