"""Neighbours on the pad plane: by place where it is known, else by row and pad; medians over them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.spatial import cKDTree

from lynkeus.core.batch import Array, Floats

NEIGHBOURS = 16


def neighbours_of(meta: Mapping[str, Array], count: int = NEIGHBOURS) -> Array:
    """Return (n, count) the nearest other pads of the same sector, -1 where there are fewer.

    Distances are in pads: rows lie further apart than pads, and count alike.
    """
    n = len(meta["sector"])
    found = np.full((n, count), -1, np.int64)
    for sector in np.unique(meta["sector"]):
        own = np.flatnonzero(meta["sector"] == sector)
        # In rows and pads from the middle of each row: rows of different lengths lie as on the plane.
        row, pad = meta["row"][own].astype(float), meta["pad"][own].astype(float)
        places = np.stack([row * 1.5, from_middle(row, pad)], axis=1)
        many = min(count + 1, len(own))
        if many < 2:
            continue
        _, near = cKDTree(places).query(places, k=many)
        found[own, : many - 1] = own[_without_self(near)]
    return found


def from_middle(row: Floats, pad: Floats) -> Floats:
    """Return (n,) pads counted from the middle of their row, which rows of other lengths share."""
    rows, number = np.unique(row, return_inverse=True)
    low, high = np.full(len(rows), np.inf), np.full(len(rows), -np.inf)
    np.minimum.at(low, number, pad)
    np.maximum.at(high, number, pad)
    return pad - 0.5 * (low + high)[number]


def _without_self(near: Array) -> Array:
    """Return the columns of neighbours without the pad itself, which two pads in one place may hide."""
    own = near == np.arange(len(near))[:, None]
    own[~own.any(axis=1), -1] = True
    return near[~own].reshape(len(near), -1)


def median_of(values: Floats, near: Array, usable: Array) -> Floats:
    """Return (n,) the median of `values` (n,) over the neighbours that are `usable` (n,); of all usable pads where a
    pad has fewer than three such neighbours."""
    there = (near >= 0) & usable[near]
    own = np.where(there, values[near], np.nan)
    enough = there.sum(axis=1) >= 3
    found = np.full(len(values), np.median(values[usable]) if usable.any() else np.nan)
    if enough.any():
        found[enough] = np.nanmedian(own[enough], axis=1)
    return found


def from_border(meta: Mapping[str, Array]) -> Floats:
    """Return (n,) how many pads lie between each pad and the nearer end of its row, at most 4."""
    key = np.unique(np.stack([meta["sector"], meta["row"]]), axis=1, return_inverse=True)[1].reshape(-1)
    low, high = np.full(key.max() + 1, np.inf), np.full(key.max() + 1, -np.inf)
    np.minimum.at(low, key, meta["pad"])
    np.maximum.at(high, key, meta["pad"])
    return np.minimum(np.minimum(meta["pad"] - low[key], high[key] - meta["pad"]), 4.0)
