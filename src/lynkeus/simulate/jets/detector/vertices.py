"""Secondary vertices: displaced tracks of a jet that come from one place, found from the best pair of them on."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.detector.seen import Seen
from lynkeus.simulate.jets.detector.vertex_fit import Lines, fit_vertices
from lynkeus.simulate.jets.four_vectors import eta_of, mass_of, phi_of, pt_of, sums, wrapped

SIGNIFICANCE, TRACK_GEV, MOST_TRACKS = 2.5, 0.8, 12  # of a displaced track: |d0| / error, pt; the most of a jet
FARTHEST_MM = 25.0  # across the beam: beyond are strange hadrons and the material of a real detector
COMPATIBLE = 9.0  # chi2 of two residuals of a track at a vertex
ROUNDS = 3  # vertices of a jet at most
KS_GEV, KS_WINDOW = 0.4976, 0.02
PRIMARY_MM = 0.01  # error of the place of the collision


def find_vertices(seen: Seen, jets: Floats) -> tuple[Floats, Array]:
    """Return the vertices (v, 10) of jets, columns as in columns.VERTEX, float32, and how many each jet has (n,).

    `seen`: objects sorted by jet. The first of a jet is the one with most tracks. Pairs with the mass of a K_S are left
    out, and what lies against the flight of the jet.
    """
    count = len(jets)
    left = _displaced(seen)
    found, owners = [], []
    for _ in range(ROUNDS):
        if not len(left):
            break
        used, vertex, place, covariance = _best_vertices(left, jets)
        if not len(place):
            break
        columns, keep = _describe(left.cut(used), vertex, place, covariance, jets)
        owner = np.zeros(len(place), np.int64)
        owner[vertex] = left.owner[used]
        found.append(columns[keep])
        owners.append(owner[keep])
        rest = np.ones(len(left), bool)
        rest[used] = False
        tried = np.isin(left.owner, owner)
        left = left.cut(rest & tried)  # a jet without a vertex now has none later
    if not found:
        return np.zeros((0, 10), np.float32), np.zeros(count, np.int64)
    owner, values = np.concatenate(owners), np.concatenate(found)
    order = np.argsort(owner, kind="stable")
    return values[order].astype(np.float32), np.bincount(owner, minlength=count)


def _displaced(seen: Seen) -> Seen:
    """Return the most significant displaced tracks of each jet, sorted by jet."""
    error = seen.impact[:, 1]
    significance = np.abs(seen.impact[:, 0]) / np.where(error > 0, error, np.inf)
    tracks = np.flatnonzero((seen.charge != 0) & (significance > SIGNIFICANCE) & (pt_of(seen.p) > TRACK_GEV)
                            & (np.abs(seen.impact[:, 0]) < FARTHEST_MM))  # fmt: skip
    chosen = tracks[np.lexsort((-significance[tracks], seen.owner[tracks]))]
    owner = seen.owner[chosen]
    rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
    return seen.cut(chosen[rank < MOST_TRACKS])


def _pairs(owner: Array) -> tuple[Array, Array]:
    """Return the numbers of all pairs of tracks of one jet, of tracks sorted by jet."""
    end = np.searchsorted(owner, owner, side="right")
    later = end - np.arange(len(owner)) - 1
    first = np.repeat(np.arange(len(owner)), later)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    return first, first + 1 + offset


def _best_vertices(tracks: Seen, jets: Floats) -> tuple[Array, Array, Floats, Floats]:
    """Return, of the best vertex of each jet: the numbers of its tracks, which vertex each is of, places (v, 3) and
    covariances (v, 3, 3)."""
    lines, (first, second) = Lines.of(tracks), _pairs(tracks.owner)
    number = np.arange(len(first))
    both = np.r_[first, second]
    place, _ = fit_vertices(lines.cut(both), np.r_[number, number], len(first))
    chi2 = lines.cut(first).chi2(place) + lines.cut(second).chi2(place)
    axis = jets[tracks.owner[first], :3]
    ahead = (place * axis).sum(axis=1) > 0
    good = np.flatnonzero((chi2 < COMPATIBLE) & ahead & (np.hypot(place[:, 0], place[:, 1]) < FARTHEST_MM))
    pair, track = _all_tracks(tracks.owner, tracks.owner[first[good]])
    fits = lines.cut(track).chi2(place[good][pair]) < COMPATIBLE
    size = np.bincount(pair[fits], minlength=len(good))
    owner = tracks.owner[first[good]]
    order = np.lexsort((chi2[good], -size, owner))
    best = order[np.r_[True, owner[order][1:] != owner[order][:-1]]] if len(order) else order
    rank = np.full(len(good), -1)
    rank[best] = np.arange(len(best))
    chosen = fits & (rank[pair] >= 0)
    used, vertex = track[chosen], rank[pair[chosen]]
    enough = np.bincount(vertex, minlength=len(best))[vertex] > 1
    used, vertex = used[enough], vertex[enough]
    _, vertex = np.unique(vertex, return_inverse=True)
    many = int(vertex.max(initial=-1)) + 1
    return (used, vertex, *fit_vertices(lines.cut(used), vertex, many))


def _all_tracks(owner: Array, of_pair: Array) -> tuple[Array, Array]:
    """Return each pair with each track of its jet: numbers of pairs and of tracks."""
    start, end = np.searchsorted(owner, of_pair), np.searchsorted(owner, of_pair, side="right")
    size = end - start
    pair = np.repeat(np.arange(len(of_pair)), size)
    return pair, np.arange(len(pair)) - np.repeat(np.cumsum(size) - size, size) + np.repeat(start, size)


def _describe(tracks: Seen, vertex: Array, place: Floats, covariance: Floats, jets: Floats) -> tuple[Floats, Array]:
    """Return the columns (v, 10) of vertices, and which are kept (v,): no K_S, and not too far."""
    count = len(place)
    p, size = sums(tracks.p, vertex, count), np.bincount(vertex, minlength=count)
    owner = np.zeros(count, np.int64)
    owner[vertex] = tracks.owner
    dxy, d3d = np.hypot(place[:, 0], place[:, 1]), np.sqrt((place**2).sum(axis=1))
    covariance = covariance + PRIMARY_MM**2 * np.eye(3)
    flat = place * np.array([1.0, 1.0, 0.0])
    errors = [
        np.sqrt(np.einsum("ni,nij,nj->n", way, covariance, way)) / np.maximum((way**2).sum(axis=1) ** 0.5, 1e-9)
        for way in (flat, place)
    ]
    cosine = (place * p[:, :3]).sum(axis=1) / np.maximum(d3d * np.sqrt((p[:, :3] ** 2).sum(axis=1)), 1e-9)
    axis, mass = jets[owner], mass_of(p)
    columns = np.stack(
        [eta_of(p) - eta_of(axis), wrapped(phi_of(p) - phi_of(axis)), pt_of(p), mass, size, dxy, dxy / errors[0], d3d,
         d3d / errors[1], cosine], axis=1
    )  # fmt: skip
    strange = (size == 2) & (np.abs(mass - KS_GEV) < KS_WINDOW)
    return columns, ~strange & (dxy < FARTHEST_MM)
