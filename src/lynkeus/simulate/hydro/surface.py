"""surface: the hypersurface on which the energy density has a given value, by tetrahedra, with its normals.

Each cube of the grid (tau, x, y) is cut into six tetrahedra around its diagonal; in a tetrahedron the surface is a
triangle or two. There are no ambiguous cases, so it has no holes.
"""

from __future__ import annotations

from itertools import permutations
from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats

CORNERS = np.array([(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])  # of a cube, in steps of (tau, x, y)


def _tetrahedra() -> Array:
    """Return (6, 4) the corners of the tetrahedra: the paths along three edges from (0, 0, 0) to (1, 1, 1)."""
    number = {tuple(corner): k for k, corner in enumerate(CORNERS.tolist())}
    found = []
    for order in permutations(range(3)):
        at, path = [0, 0, 0], [0]
        for axis in order:
            at[axis] = 1
            path.append(number[tuple(at)])
        found.append(path)
    return np.array(found)


TETRAHEDRA = _tetrahedra()


class Surface(NamedTuple):
    """Elements of a hypersurface: `place` (n, 3) as tau, x, y in fm; `normal` (n, 3): the covariant element d sigma_mu
    in fm^2 without the factor tau of the rapidity, pointing to less energy; `vx`, `vy` (n,) of the fluid there."""

    place: Floats
    normal: Floats
    vx: Floats
    vy: Floats


def isosurface(tau: Floats, e: Floats, vx: Floats, vy: Floats, x: Floats, y: Floats, level: float) -> Surface:
    """Return where e (tau, x, y) is `level`; all arrays on the grid of tau (not even), x, y in fm."""
    inside = e > level
    cells = [inside[a : a + e.shape[0] - 1, b : b + e.shape[1] - 1, c : c + e.shape[2] - 1] for a, b, c in CORNERS]
    count = np.sum(cells, axis=0)
    at = np.argwhere((count > 0) & (count < 8))
    if not len(at):
        return Surface(np.empty((0, 3)), np.empty((0, 3)), np.empty(0), np.empty(0))
    index = at[:, None] + CORNERS  # (cells, 8, 3)
    t, i, j = index[..., 0], index[..., 1], index[..., 2]
    corner = np.stack([tau[t], x[i], y[j]], axis=-1)
    fields = np.stack([e[t, i, j], vx[t, i, j], vy[t, i, j]], axis=-1)
    corner, fields = corner[:, TETRAHEDRA].reshape(-1, 4, 3), fields[:, TETRAHEDRA].reshape(-1, 4, 3)
    above = fields[..., 0] > level
    some = (above.sum(axis=1) > 0) & (above.sum(axis=1) < 4)
    return _triangles(corner[some], fields[some], level)


def _triangles(corner: Floats, fields: Floats, level: float) -> Surface:
    """Return the triangles of tetrahedra that the surface cuts; `corner`, `fields` (n, 4, 3)."""
    order = np.argsort(fields[..., 0] <= level, axis=1, kind="stable")  # those above first
    corner, fields = (np.take_along_axis(part, order[:, :, None], axis=1) for part in (corner, fields))
    many = (fields[..., 0] > level).sum(axis=1)
    points, values = [], []
    for number, edges in (
        (1, [((0, 1), (0, 2), (0, 3))]), (3, [((0, 3), (1, 3), (2, 3))]),
        (2, [((0, 2), (0, 3), (1, 3)), ((0, 2), (1, 3), (1, 2))]),
    ):  # fmt: skip
        own = many == number
        for triangle in edges:
            cut = [_on_edge(corner[own], fields[own], a, b, level) for a, b in triangle]
            points.append(np.stack([one[0] for one in cut], axis=1))
            values.append(np.mean([one[1] for one in cut], axis=0))
    away = np.concatenate([_outward(corner, fields, many == number, level) for number in (1, 3, 2, 2)])
    place, flow = np.concatenate(points), np.concatenate(values)
    normal = 0.5 * np.cross(place[:, 1] - place[:, 0], place[:, 2] - place[:, 0])
    normal *= np.where((normal * away).sum(axis=1) < 0, -1.0, 1.0)[:, None]
    return Surface(place.mean(axis=1), normal, flow[:, 1], flow[:, 2])


def _on_edge(corner: Floats, fields: Floats, a: int, b: int, level: float) -> tuple[Floats, Floats]:
    """Return where the surface cuts an edge, and the fields there."""
    high, low = fields[:, a, 0], fields[:, b, 0]
    share = ((high - level) / np.maximum(high - low, 1e-300))[:, None]
    return corner[:, a] * (1 - share) + corner[:, b] * share, fields[:, a] * (1 - share) + fields[:, b] * share


def _outward(corner: Floats, fields: Floats, own: Array, level: float) -> Floats:
    """Return (n, 3) a direction from corners above the level to those below."""
    above = (fields[own, :, 0] > level)[:, :, None]
    some = corner[own]
    return np.sum(some * ~above, axis=1) / (~above).sum(axis=1) - np.sum(some * above, axis=1) / above.sum(axis=1)
