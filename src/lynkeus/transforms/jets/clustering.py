"""Clustering of the particles of each jet into one, for many jets at once: Cambridge/Aachen and winner-take-all kT.

Jets are padded in descending order of their length, so that those that still have so many particles left are the
first ones, and every step is one operation on all of them. The nearest neighbour of each particle is kept (Anderberg
1973), as in FastJet's N^2 strategy (arXiv:1111.6097).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats
from lynkeus.transforms.jets.four_vectors import apart, mass, rapidity

Integers = npt.NDArray[np.int64]
FAR = np.inf


@dataclass
class Merges:
    """The history of jets (b,): the entry of `left` particles (1 to P) is the merge after which so many remain + 1.

    `pt` (b, P + 1, 2) of both parents, `distance` (b, P + 1) between them, `parents` (b, P + 1, 2): the merge that made
    each of them, 0 for a particle; `mass` (b, P + 1) in GeV of what came out.
    """

    pt: Floats
    distance: Floats
    parents: Integers
    mass: Floats


class Clustering:
    """Jets under way: `p4` (b, P, 4), the particles of each first, and `lengths` (b,), descending.

    `winner`: kT distances and the direction of the harder parent (winner-take-all, arXiv:1310.7584); otherwise angles,
    and sums of four-vectors. `axes`: for how many remaining particles rapidity and azimuth are kept. What is merged
    leaves a hole, into which the last particle moves: those that remain are the first ones.
    """

    def __init__(self, p4: Floats, lengths: Integers, winner: bool, axes: int = 0) -> None:
        self.p4, self.lengths, self.winner = p4.copy(), lengths, winner
        count, most = p4.shape[:2]
        # Distances in single precision: they are compared, and no more.
        self.pt = np.hypot(p4[..., 0], p4[..., 1]).astype(np.float32)
        self.rapidity = rapidity(p4).astype(np.float32)
        self.phi = np.arctan2(p4[..., 1], p4[..., 0]).astype(np.float32)
        self.made = np.zeros((count, most), np.int64)
        shape = (count, most + 1)
        self.merges = Merges(np.zeros((*shape, 2)), np.zeros(shape), np.zeros((*shape, 2), np.int64), np.zeros(shape))
        self.axes = np.full((axes + 1, count, max(axes, 1), 2), np.nan)
        self.nearest = np.full((count, most), FAR, np.float32)
        self.neighbour = np.zeros((count, most), np.int64)
        self._start()

    def run(self) -> Clustering:
        """Merge until one is left in every jet."""
        for left in range(self.p4.shape[1], 0, -1):
            jets = int(np.searchsorted(-self.lengths, -left, side="right"))  # those with so many particles or more
            if jets and left < len(self.axes):
                self.axes[left, :jets, :left] = np.stack([self.rapidity, self.phi], axis=-1)[:jets, :left]
            if jets and left > 1:
                self._merge(jets, left)
        return self

    def _start(self) -> None:
        there = np.arange(self.pt.shape[1]) < self.lengths[:, None]
        every = np.arange(len(self.pt))
        for one in range(self.pt.shape[1]):
            own = self._distances(self.rapidity, self.phi, self.pt, (every, np.full(len(every), one)))
            own[~there] = FAR
            self.neighbour[:, one] = own.argmin(axis=1)
            self.nearest[:, one] = np.where(there[:, one], own[every, self.neighbour[:, one]], FAR)

    def _distances(self, y: Floats, phi: Floats, pt: Floats, at: tuple[Integers, Integers]) -> Floats:
        """Return distances (m, left) to the particles `at` jets and places, of all of their jets."""
        found = (y - self.rapidity[at][:, None]) ** 2
        found += apart(phi, self.phi[at][:, None]) ** 2
        if self.winner:
            found *= np.minimum(pt, self.pt[at][:, None]) ** 2
        found[np.arange(len(found)), at[1]] = FAR
        return found

    def _merge(self, jets: int, left: int) -> None:
        rows = np.arange(jets)
        near, link = self.nearest[:jets, :left], self.neighbour[:jets, :left]
        first = near.argmin(axis=1)
        second = link[rows, first]
        one, other = np.minimum(first, second), np.maximum(first, second)
        stale = (link == one[:, None]) | (link == other[:, None])
        self._combine(rows, one, other, left)
        stale[rows, other] = stale[:, left - 1]
        self._fill(rows, other, left - 1)
        left -= 1
        near, link, stale = near[:, :left], link[:, :left], stale[:, :left]
        np.copyto(link, other[:, None], where=link == left)
        y, phi, pt = self.rapidity[:jets, :left], self.phi[:jets, :left], self.pt[:jets, :left]
        fresh = self._distances(y, phi, pt, (rows, one))
        closer = fresh <= near
        np.copyto(near, fresh, where=closer)
        np.copyto(link, one[:, None], where=closer)
        link[rows, one] = fresh.argmin(axis=1)
        near[rows, one] = fresh[rows, link[rows, one]]
        stale &= ~closer
        stale[rows, one] = False
        at = np.nonzero(stale)
        if len(at[0]):
            again = self._distances(y[at[0]], phi[at[0]], pt[at[0]], at)
            link[at] = again.argmin(axis=1)
            near[at] = again[np.arange(len(again)), link[at]]

    def _combine(self, rows: Integers, one: Integers, other: Integers, left: int) -> None:
        both = rows[:, None], np.stack([one, other], axis=1)
        pt = self.pt[both]
        kept = self.merges
        kept.pt[rows, left], kept.parents[rows, left] = pt, self.made[both]
        y, phi = self.rapidity[both], self.phi[both]
        kept.distance[rows, left] = np.hypot(y[:, 0] - y[:, 1], apart(phi[:, 0], phi[:, 1]))
        total = self.p4[rows, one] + self.p4[rows, other]
        self.p4[rows, one] = total
        if self.winner:
            harder = rows, (pt[:, 0] < pt[:, 1]).astype(np.int64)
            self.rapidity[rows, one], self.phi[rows, one] = y[harder], phi[harder]
            self.pt[rows, one] = pt.sum(axis=1)
        else:
            self.rapidity[rows, one], self.phi[rows, one] = rapidity(total), np.arctan2(total[:, 1], total[:, 0])
            self.pt[rows, one] = np.hypot(total[:, 0], total[:, 1])
        kept.mass[rows, left] = mass(total)
        self.made[rows, one] = left

    def _fill(self, rows: Integers, hole: Integers, last: int) -> None:
        for array in (self.p4, self.rapidity, self.phi, self.pt, self.made, self.nearest, self.neighbour):
            array[rows, hole] = array[rows, last]


def groomed(merges: Merges, lengths: Integers, z_cut: float, beta: float, radius: float) -> tuple[Floats, ...]:
    """Soft drop (arXiv:1402.2657): return (b,) mass in GeV, momentum share z and angle of the first declustering that
    has z > z_cut (angle / radius)^beta; all 0 where none has."""
    node = np.where(lengths > 1, 2, 0)
    rows = np.arange(len(lengths))
    while True:
        pt = merges.pt[rows, node]
        share = pt.min(axis=1) / np.maximum(pt.sum(axis=1), 1e-300)
        angle = merges.distance[rows, node]
        open_ = (node > 0) & (share <= z_cut * (angle / radius) ** beta)
        if not open_.any():
            break
        harder = merges.parents[rows, node, pt.argmax(axis=1)]
        node = np.where(open_, harder, node)
    found = node > 0
    return np.where(found, merges.mass[rows, node], 0.0), np.where(found, share, 0.0), np.where(found, angle, 0.0)
