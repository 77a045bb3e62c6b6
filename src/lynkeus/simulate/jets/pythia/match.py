"""Which jet is which: the nearest in eta and phi of the same event."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.four_vectors import eta_of, phi_of, pt_of, wrapped
from lynkeus.simulate.jets.pythia.events import Seeds


def distance(first: Floats, second: Floats) -> Floats:
    """Return the distances (n,) in eta and phi of four-vectors (n, 4)."""
    return np.hypot(eta_of(first) - eta_of(second), wrapped(phi_of(first) - phi_of(second)))


def pairs(first: Array, second: Array) -> tuple[Array, Array]:
    """Return the numbers of all pairs of an entry of `first` and one of `second` that have the same event; both are
    sorted."""
    start, end = np.searchsorted(second, first), np.searchsorted(second, first, side="right")
    size = end - start
    one = np.repeat(np.arange(len(first)), size)
    return one, np.arange(len(one)) - np.repeat(np.cumsum(size) - size - start, size)


def nearest(jets: Floats, event: Array, seeds: Seeds, within: float) -> Array:
    """Return which of the seeds (n,) is nearest to each jet, -1 where none is `within`; a seed has one jet, the nearest
    one."""
    jet, seed = pairs(event, seeds.event)
    away = distance(jets[jet], seeds.p[seed])
    close = np.flatnonzero(away < within)
    close = close[np.argsort(away[close], kind="stable")[::-1]]  # the nearest is written last
    of_seed, of_jet = np.full(len(seeds.event), -1), np.full(len(jets), -1)
    of_seed[seed[close]] = jet[close]
    of_jet[jet[close]] = seed[close]
    mutual = of_jet >= 0
    mutual[mutual] = of_seed[of_jet[mutual]] == np.flatnonzero(mutual)
    return np.where(mutual, of_jet, -1)


def reach(jets: Floats, prongs: Floats) -> Floats:
    """Return the largest distance (n,) of prongs (n, k, 4) from their jets; 0 of none."""
    if not prongs.shape[1]:
        return np.zeros(len(jets))
    return np.stack([distance(jets, prongs[:, k]) for k in range(prongs.shape[1])]).max(axis=0)


def leading(jets: Floats, event: Array, hadrons: Seeds, within: float) -> tuple[Array, Floats]:
    """Return the flavour (n,) of jets by the hadrons in them (5 before 4 before 0), and the pt in GeV of the leading b
    hadron, 0 where there is none."""
    jet, hadron = pairs(event, hadrons.event)
    inside = distance(jets[jet], hadrons.p[hadron]) < within
    jet, hadron = jet[inside], hadron[inside]
    flavour, b_pt = np.zeros(len(jets), np.int64), np.zeros(len(jets))
    np.maximum.at(flavour, jet, hadrons.flavour[hadron])
    is_b = hadrons.flavour[hadron] == 5
    np.maximum.at(b_pt, jet[is_b], pt_of(hadrons.p[hadron[is_b]]))
    return flavour, b_pt
