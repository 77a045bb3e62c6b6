"""Sequential recombination of all objects of many jets at once: Cambridge/Aachen or kT, E-scheme, without a beam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.four_vectors import wrapped

FAR = 1e30


class History(NamedTuple):
    """What became of n jets of up to P objects: merge k makes the node P + k: its `parents` (n, P - 1, 2), -1 after
    the last merge of a jet; `p` (n, 2 P - 1, 4) of all nodes; `merges` (n,) how many there were."""

    parents: Array
    p: Floats
    merges: Array


def cluster(p: Floats, real: Array, power: int) -> History:
    """Cluster padded four-vectors (n, P, 4) where they are `real` (n, P): by angle (`power` 0, Cambridge/Aachen) or by
    min(pt^2) times angle^2 (`power` 1, kT), until one is left of each jet."""
    count, width, _ = p.shape
    state = _begin(p, real, power)
    parents = np.full((count, max(width - 1, 0), 2), -1)
    merges = np.maximum(real.sum(axis=1) - 1, 0)
    node = np.tile(np.arange(width), (count, 1))
    nodes = np.zeros((count, max(2 * width - 1, 1), 4))
    nodes[:, :width] = p
    for step in range(int(merges.max(initial=0))):
        rows = np.flatnonzero(merges > step)
        first, second = state.closest(rows)
        parents[rows, step, 0], parents[rows, step, 1] = node[rows, first], node[rows, second]
        node[rows, first] = width + step
        nodes[rows, width + step] = state.merge(rows, first, second)
    return History(parents, nodes, merges)


@dataclass
class _State:
    """Jets that are being clustered: distances squared of all pairs, and the nearest neighbour of each object."""

    p: Floats
    y: Floats
    phi: Floats
    weight: Floats
    apart: Floats  # (n, P, P), FAR of itself and of what is gone
    nearest: Array
    closeness: Floats  # (n, P), distance squared to the nearest
    power: int

    def closest(self, rows: Array) -> tuple[Array, Array]:
        """Return the pair (of each of the jets `rows`) that is merged next."""
        first = np.argmin(self.weight[rows] * self.closeness[rows], axis=1)
        return first, self.nearest[rows, first]

    def merge(self, rows: Array, first: Array, second: Array) -> Floats:
        """Put the sum of each pair in the place of the first; return the sums (rows, 4)."""
        total = self.p[rows, first] + self.p[rows, second]
        self.p[rows, first] = total
        y, phi, weight = _coordinates(total, self.power)
        self.y[rows, first], self.phi[rows, first], self.weight[rows, first] = y, phi, weight
        self.weight[rows, second], self.closeness[rows, second] = FAR, FAR
        self.apart[rows, second] = FAR
        self.apart[rows, :, second] = FAR
        gone = self.weight[rows] >= FAR
        new = (self.y[rows] - y[:, None]) ** 2 + wrapped(self.phi[rows] - phi[:, None]) ** 2
        new[gone] = FAR
        new[np.arange(len(rows)), first] = FAR
        self.apart[rows, first] = new
        self.apart[rows, :, first] = new
        self._find_nearest(rows, first, second, new, gone)
        return total

    def _find_nearest(self, rows: Array, first: Array, second: Array, new: Floats, gone: Array) -> None:
        nearest, closeness = self.nearest[rows], self.closeness[rows]
        lost = ((nearest == first[:, None]) | (nearest == second[:, None])) & ~gone
        lost[np.arange(len(rows)), first] = True
        better = (new < closeness) & ~gone
        self.nearest[rows] = np.where(better, first[:, None], nearest)
        self.closeness[rows] = np.where(better, new, closeness)
        row, column = np.nonzero(lost)
        near = self.apart[rows[row], column]
        at = np.argmin(near, axis=1)
        self.nearest[rows[row], column] = at
        self.closeness[rows[row], column] = near[np.arange(len(at)), at]


def _begin(p: Floats, real: Array, power: int) -> _State:
    count, width, _ = p.shape
    y, phi, weight = (part.reshape(count, width) for part in _coordinates(p.reshape(-1, 4), power))
    weight[~real] = FAR
    apart = (y[:, :, None] - y[:, None]) ** 2 + wrapped(phi[:, :, None] - phi[:, None]) ** 2
    pair = real[:, :, None] & real[:, None]
    pair[:, np.arange(width), np.arange(width)] = False
    apart[~pair] = FAR
    nearest = np.argmin(apart, axis=2)
    closeness = np.take_along_axis(apart, nearest[:, :, None], axis=2)[:, :, 0]
    return _State(p.copy(), y, phi, weight, apart, nearest, closeness, power)


def _coordinates(p: Floats, power: int) -> tuple[Floats, Floats, Floats]:
    """Return rapidity, azimuth and pt^(2 power)."""
    square = p[:, 0] ** 2 + p[:, 1] ** 2
    transverse = np.sqrt(np.maximum(square + np.maximum(p[:, 3] ** 2 - square - p[:, 2] ** 2, 0.0), 1e-18))
    return np.arcsinh(p[:, 2] / transverse), np.arctan2(p[:, 1], p[:, 0]), square**power
