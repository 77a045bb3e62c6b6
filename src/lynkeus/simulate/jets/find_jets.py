"""Jets around the axes where they were made: cones that settle on what is in them (alone, as anti-kT would)."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.simulate.jets.detector.seen import Seen
from lynkeus.simulate.jets.four_vectors import eta_of, phi_of, sums, wrapped

ROUNDS = 2


def cone_jets(seen: Seen, eta: Floats, phi: Floats, radius: float) -> tuple[Seen, Floats]:
    """Return the objects within `radius` of each jet, sorted by jet and falling pt, and the four-vectors (n, 4).

    `eta`, `phi` (n,): where to begin; the axis is moved twice to the sum of what is inside.
    """
    count = len(eta)
    own_eta, own_phi = eta_of(seen.p), phi_of(seen.p)
    for _ in range(ROUNDS + 1):
        inside = np.hypot(own_eta - eta[seen.owner], wrapped(own_phi - phi[seen.owner])) < radius
        total = sums(seen.p[inside], seen.owner[inside], count)
        some = (total[:, :3] ** 2).sum(axis=1) > 0
        eta, phi = np.where(some, eta_of(total), eta), np.where(some, phi_of(total), phi)
    return by_pt(seen.cut(inside)), total


def by_pt(seen: Seen) -> Seen:
    """Return objects sorted by owner, those of an owner by falling pt."""
    return seen.cut(np.lexsort((-np.hypot(seen.p[:, 0], seen.p[:, 1]), seen.owner)))
