"""Sequential recombination of all objects of many jets at once: Cambridge/Aachen or kT, E-scheme, without a beam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats

FAR = 1e30
SQUEEZE = 0.7  # share of objects that are left when those that are gone are taken out


class History(NamedTuple):
    """What became of n jets of up to P objects: merge k makes the node P + k: its `parents` (n, P - 1, 2), -1 after
    the last merge of a jet; `p` (n, 2 P - 1, 4) of all nodes; `merges` (n,) how many there were."""

    parents: Array
    p: Floats
    merges: Array


def cluster(p: Floats, real: Array, power: int) -> History:
    """Cluster padded four-vectors (n, P, 4) where they are `real` (n, P): by angle (`power` 0, Cambridge/Aachen) or by
    min(pt^2) times angle^2 (`power` 1, kT), until one is left of each jet.

    Nearest neighbours in angle are kept: the pair that is merged is always one of them (Cacciari, Salam 2005).
    """
    count, width, _ = p.shape
    merges = np.maximum(real.sum(axis=1) - 1, 0)
    order = np.argsort(-merges, kind="stable")  # jets that are done are at the end: slices instead of copies
    state = _begin(p[order], real[order], power)
    parents = np.full((count, max(width - 1, 0), 2), -1)
    nodes = np.zeros((count, max(2 * width - 1, 1), 4))
    nodes[:, :width] = p[order]
    left = merges[order]
    for step in range(int(left.max(initial=0))):
        going = int(np.searchsorted(-left, -step))  # those that have more merges than `step`
        parents[:going, step], nodes[:going, width + step] = state.merge(going, width + step)
        if width - step - 1 < SQUEEZE * state.y.shape[1]:
            state.squeeze(going, width - step - 1)
    back = np.argsort(order)
    return History(parents[back], nodes[back], merges)


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
    node: Array
    power: int

    def merge(self, going: int, node: int) -> tuple[Array, Floats]:
        """Put the sum of the pair that is next in the place of its first, for each of the first jets; return the nodes
        of the pairs (going, 2) and their sums (going, 4)."""
        rows = np.arange(going)
        first = np.argmin(self.weight[:going] * self.closeness[:going], axis=1)
        second = self.nearest[rows, first]
        pair = np.stack([self.node[rows, first], self.node[rows, second]], axis=1)
        total = self.p[rows, first] + self.p[rows, second]
        y, phi, weight = _coordinates(total, self.power)
        self.p[rows, first], self.node[rows, first] = total, node
        self.y[rows, first], self.phi[rows, first], self.weight[rows, first] = y, phi, weight
        self.y[rows, second], self.weight[rows, second], self.closeness[rows, second] = FAR, FAR, FAR
        self.apart[rows, second] = FAR
        self.apart[rows, :, second] = FAR
        new = _apart(self.y[:going] - y[:, None], self.phi[:going] - phi[:, None])
        new[rows, first] = FAR
        self.apart[rows, first] = new
        self.apart[rows, :, first] = new
        self._find_nearest(rows, first, second, new)
        return pair, total

    def _find_nearest(self, rows: Array, first: Array, second: Array, new: Floats) -> None:
        nearest, closeness = self.nearest[: len(rows)], self.closeness[: len(rows)]
        lost = (nearest == first[:, None]) | (nearest == second[:, None])
        lost[rows, first] = True
        better = new < closeness
        np.copyto(nearest, first[:, None], where=better)
        np.copyto(closeness, new, where=better)
        lost &= self.weight[: len(rows)] < FAR
        row, column = np.nonzero(lost)
        near = self.apart[row, column]
        at = np.argmin(near, axis=1)
        nearest[row, column], closeness[row, column] = at, near[np.arange(len(at)), at]

    def squeeze(self, going: int, width: int) -> None:
        """Take out what is gone: no jet has more than `width` objects left."""
        gone = self.weight[:going] >= FAR
        kept = np.argsort(gone, axis=1, kind="stable")[:, :width]
        place = np.empty(gone.shape, np.int64)
        np.put_along_axis(place, np.argsort(gone, axis=1, kind="stable"), np.arange(gone.shape[1])[None], axis=1)
        rows = np.arange(going)[:, None]
        for name in ("p", "y", "phi", "weight", "closeness", "node"):
            setattr(self, name, getattr(self, name)[rows, kept])
        self.nearest = np.minimum(place[rows, self.nearest[rows, kept]], width - 1)  # beyond: of what is gone itself
        self.apart = self.apart[rows[:, :, None], kept[:, :, None], kept[:, None]]


def _begin(p: Floats, real: Array, power: int) -> _State:
    count, width, _ = p.shape
    y, phi, weight = (part.reshape(count, width) for part in _coordinates(p.reshape(-1, 4), power))
    y[~real], weight[~real] = FAR, FAR
    apart = _apart(y[:, :, None] - y[:, None], phi[:, :, None] - phi[:, None])
    apart[~real] = FAR
    apart[:, np.arange(width), np.arange(width)] = FAR
    nearest = np.argmin(apart, axis=2)
    closeness = np.take_along_axis(apart, nearest[:, :, None], axis=2)[:, :, 0]
    node = np.tile(np.arange(width), (count, 1))
    return _State(p.copy(), y, phi, weight, apart, nearest, closeness, node, power)


def _apart(y: Floats, phi: Floats) -> Floats:
    """Return distances squared of differences in rapidity and azimuth, FAR at most."""
    np.abs(phi, out=phi)
    np.minimum(phi, np.abs(2 * np.pi - phi), out=phi)
    phi *= phi
    y *= y
    phi += y
    return np.minimum(phi, FAR, out=phi)


def _coordinates(p: Floats, power: int) -> tuple[Floats, Floats, Floats]:
    """Return rapidity, azimuth and pt^(2 power)."""
    square = p[:, 0] ** 2 + p[:, 1] ** 2
    transverse = np.sqrt(np.maximum(square + np.maximum(p[:, 3] ** 2 - square - p[:, 2] ** 2, 0.0), 1e-18))
    return np.arcsinh(p[:, 2] / transverse), np.arctan2(p[:, 1], p[:, 0]), square**power
