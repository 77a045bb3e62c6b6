"""Soft-drop mass and N-subjettiness of many jets, in blocks of jets of about as many objects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.four_vectors import eta_of, mass_of, phi_of, pt_of, wrapped
from lynkeus.simulate.jets.substructure.cluster import History, cluster

Z_CUT, BETA = 0.1, 0.0  # of soft drop (Larkoski et al. 2014), as CMS takes them
AXES = 4
BLOCK = 64


def substructure(p: Floats, owner: Array, count: int, radius: float) -> tuple[Floats, Floats]:
    """Return the soft-drop masses (count,) in GeV and tau_1 to tau_4 (count, 4) of objects (n, 4) sorted by `owner`.

    tau_N = sum pt min(distance to N axes) / (radius sum pt) (Thaler, Van Tilburg 2011, beta = 1), the axes those of
    exclusive kT; 0 where there are no more than N objects.
    """
    groomed, tau = np.zeros(count), np.zeros((count, AXES))
    sizes = np.bincount(owner, minlength=count)
    starts = np.cumsum(sizes) - sizes
    for jets in _blocks(sizes):
        padded, real = pad(p, starts[jets], sizes[jets])
        groomed[jets] = soft_drop_mass(cluster(padded, real, 0), real.shape[1], radius)
        tau[jets] = n_subjettiness(padded, real, radius)
    return groomed, tau


def _blocks(sizes: Array) -> Iterator[Array]:
    order = np.argsort(sizes, kind="stable")
    order = order[sizes[order] > 0]
    for first in range(0, len(order), BLOCK):
        yield order[first : first + BLOCK]


def pad(p: Floats, starts: Array, sizes: Array) -> tuple[Floats, Array]:
    """Return objects (n, P, 4) of jets, which begin at `starts` and have `sizes` of them, and where they are real."""
    place = np.arange(int(sizes.max(initial=1)))
    real = place < sizes[:, None]
    padded = p[np.where(real, starts[:, None] + place, 0)]
    padded[~real] = 0.0
    return padded, real


def soft_drop_mass(history: History, width: int, radius: float) -> Floats:
    """Return the masses (n,) of jets after soft drop, from their Cambridge/Aachen `history` of `width` objects; 0 where
    no splitting is left."""
    count = len(history.merges)
    rows, node = np.arange(count), np.where(history.merges > 0, width + history.merges - 1, 0)
    mass, going = np.zeros(count), history.merges > 0
    while going.any():
        at = rows[going]
        pair = history.parents[at, node[at] - width]
        first, second = history.p[at, pair[:, 0]], history.p[at, pair[:, 1]]
        pt = np.stack([pt_of(first), pt_of(second)])
        apart = np.hypot(eta_of(first) - eta_of(second), wrapped(phi_of(first) - phi_of(second)))
        passes = pt.min(axis=0) > Z_CUT * (apart / radius) ** BETA * pt.sum(axis=0)
        mass[at[passes]] = mass_of(history.p[at[passes], node[at[passes]]])
        node[at] = np.where(pt[0] > pt[1], pair[:, 0], pair[:, 1])
        going[at] = ~passes & (node[at] >= width)
    return mass


def n_subjettiness(p: Floats, real: Array, radius: float) -> Floats:
    """Return tau_1 to tau_4 (n, 4) of padded objects (n, P, 4)."""
    count, width, _ = p.shape
    history = cluster(p, real, 1)
    flat = p.reshape(-1, 4)
    eta, phi = eta_of(flat).reshape(count, width), phi_of(flat).reshape(count, width)
    pt = np.where(real, pt_of(flat).reshape(count, width), 0.0)
    tau, total = np.zeros((count, AXES)), np.maximum(pt.sum(axis=1) * radius, 1e-9)
    for number in range(1, AXES + 1):
        axes = exclusive_axes(history, width, number)
        enough = history.merges + 1 > number
        nearest = np.full((count, width), np.inf)
        for k in range(number):
            axis = history.p[np.arange(count), axes[:, k]]
            distance = np.hypot(eta - eta_of(axis)[:, None], wrapped(phi - phi_of(axis)[:, None]))
            nearest = np.minimum(nearest, np.where((axes[:, k] >= 0)[:, None], distance, np.inf))
        tau[:, number - 1] = np.where(enough, (np.where(real, pt * nearest, 0.0)).sum(axis=1) / total, 0.0)
    return tau


def exclusive_axes(history: History, width: int, number: int) -> Array:
    """Return the nodes (n, number) that are left when clustering stops at `number` of them; -1: there are fewer."""
    count, rows = len(history.merges), np.arange(len(history.merges))
    axes = np.full((count, number), -1)
    axes[:, 0] = np.where(history.merges > 0, width + history.merges - 1, 0)
    for k in range(1, number):  # undo one merge after the other, the last one first
        merge = history.merges - k
        undo = merge >= 0
        at, step = rows[undo], merge[undo]
        place = np.argmax(axes[at] == (width + step)[:, None], axis=1)
        axes[at, place], axes[at, k] = history.parents[at, step, 0], history.parents[at, step, 1]
    return axes
