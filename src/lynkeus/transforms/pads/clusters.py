"""Clusters of problematic pads: those that touch each other on the plane, and the electronics card that they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lynkeus.core.batch import Array
from lynkeus.transforms.pads.neighbours import from_middle

LEAST, SHARED = 3, 0.8  # pads of a cluster; the share of them that a card has to have


class PadCluster(NamedTuple):
    """`pads`: their rows in the table; `kind`: the class of most; `card` that most are read by, '' where they share
    none."""

    pads: Array
    kind: str
    card: str


def clusters_of(meta: Mapping[str, Array], bad: Array, kinds: Array, least: int = LEAST) -> list[PadCluster]:
    """Return clusters of at least so many pads that are `bad` (n,), the largest first; `kinds` (n,) their classes."""
    label = components_of(meta, bad)
    found = []
    order = np.argsort(label, kind="stable")
    order = order[label[order] >= 0]
    for own in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        if len(own) >= least:
            found.append(PadCluster(own, _most(kinds[own])[0], _shared_card(meta, own)))
    return sorted(found, key=lambda one: -len(one.pads))


def components_of(meta: Mapping[str, Array], bad: Array) -> Array:
    """Return (n,) the number of the cluster of each pad that is bad, -1 of the others: pads beside each other in a row,
    or in the next row at most one pad aside, in one sector."""
    n = len(bad)
    sector = meta["sector"].astype(np.int64)
    row, aside = meta["row"].astype(np.int64), np.empty(n, np.int64)
    for one in np.unique(sector):
        own = np.flatnonzero(sector == one)
        aside[own] = _aside(meta, own)
    base = np.int64(1 << 20)
    key = (sector * base + row) * base + aside + base // 2
    rows = np.flatnonzero(bad)
    order = rows[np.argsort(key[rows])]
    keys = key[order]
    pairs: list[tuple[Array, Array]] = []
    for step in (np.int64(1), base - 1, base, base + 1):
        at = np.searchsorted(keys, keys + step)
        there = (at < len(keys)) & (keys[np.minimum(at, len(keys) - 1)] == keys + step) if len(keys) else at > 0
        pairs.append((order[there], order[at[there]]))
    one, other = (np.concatenate([pair[k] for pair in pairs]) for k in (0, 1))
    _, label = connected_components(coo_matrix((np.ones(len(one)), (one, other)), shape=(n, n)), directed=False)
    found: Array = np.where(bad, label, -1)
    return found


def _aside(meta: Mapping[str, Array], own: Array) -> Array:
    """Return where in its row each pad of a sector is, so that pads above one another have one number: by x where rows
    lie along it, also of a file that ends in the middle of a row; else counted from the middle of each row."""
    row, pad = (meta[name][own].astype(np.int64) for name in ("row", "pad"))
    if {"x", "y"} <= set(meta):
        order = np.lexsort((pad, row))
        x, y = (meta[name][own][order].astype(float) for name in ("x", "y"))
        beside = (np.diff(row[order]) == 0) & (np.diff(pad[order]) == 1)
        across, along = (np.abs(np.diff(one)[beside]) for one in (x, y))
        step = float(np.median(across)) if beside.any() else 0.0
        if step > 0 and along.max() < 1e-3 * step and np.ptp(across) < 1e-2 * step:
            found = np.empty(len(own), np.int64)
            found[order] = np.rint((x - x.min()) / step)
            return found
    middle: Array = np.floor(from_middle(row.astype(float), pad.astype(float))).astype(np.int64)
    return middle


def _shared_card(meta: Mapping[str, Array], own: Array) -> str:
    if "card" not in meta:
        return ""
    card, count = _most(meta["card"][own])
    return card if count >= SHARED * len(own) else ""


def _most(words: Array) -> tuple[str, int]:
    found, counts = np.unique(words, return_counts=True)
    return str(found[counts.argmax()]), int(counts.max())
