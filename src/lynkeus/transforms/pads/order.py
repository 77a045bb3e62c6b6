"""In which order pads are to be looked at: those first of which a label would teach most."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array, Floats

PROBLEMATIC = 1.5  # how much later a pad of a problematic class comes than a good one that is as sure


def least_sure(good: Floats, classes: Array) -> Array:
    """Return (n,) the numbers of pads, the least sure first, of one class not all at once; `good` (n,): how probably
    each is good, `classes` (n,): its class by number, 0 for good."""
    order = np.argsort(np.abs(good - 0.5), kind="stable")
    place, kinds = np.empty(len(order)), classes[order]
    for k in np.unique(kinds):
        own = kinds == k
        place[own] = np.arange(own.sum()) * (PROBLEMATIC if k > 0 else 1.0)
    found: Array = order[np.argsort(place, kind="stable")].astype(np.uint32)
    return found
