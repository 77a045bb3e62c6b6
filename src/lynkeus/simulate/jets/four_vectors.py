"""Four-vectors (n, 4) as px, py, pz, energy in GeV: boosts, rotations, two-body decays; the beam is the z axis."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array, Floats


def pt_of(p: Floats) -> Floats:
    """Return the transverse momenta (n,)."""
    return np.hypot(p[:, 0], p[:, 1])


def eta_of(p: Floats) -> Floats:
    """Return the pseudorapidities (n,); large and finite along the beam."""
    return np.arcsinh(p[:, 2] / np.maximum(pt_of(p), 1e-9))


def phi_of(p: Floats) -> Floats:
    """Return the azimuths (n,) in -pi to pi."""
    return np.arctan2(p[:, 1], p[:, 0])


def mass_of(p: Floats) -> Floats:
    """Return the invariant masses (n,), 0 where rounding makes them imaginary."""
    return np.sqrt(np.maximum(p[:, 3] ** 2 - (p[:, :3] ** 2).sum(axis=1), 0.0))


def wrapped(angle: Floats) -> Floats:
    """Return angles in -pi to pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def of_pt_eta_phi(pt: Floats, eta: Floats, phi: Floats, mass: Floats | float = 0.0) -> Floats:
    """Return the four-vectors of these transverse momenta, pseudorapidities, azimuths and masses."""
    momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=1)
    return with_mass(momentum, mass)


def with_mass(momentum: Floats, mass: Floats | float) -> Floats:
    """Return the four-vectors (n, 4) of momenta (n, 3) and masses."""
    energy = np.sqrt((momentum**2).sum(axis=1) + np.square(mass))
    return np.column_stack([momentum, energy])


def boosted(p: Floats, frame: Floats, mass: Floats) -> Floats:
    """Return `p` (n, 4), given in the rest frames of `frame` (n, 4) with these masses, where `frame` has its
    momentum."""
    mass = np.maximum(mass, 1e-12)
    along = (p[:, :3] * frame[:, :3]).sum(axis=1)
    energy = (frame[:, 3] * p[:, 3] + along) / mass
    factor = (p[:, 3] + energy) / (frame[:, 3] + mass)
    return np.column_stack([p[:, :3] + factor[:, None] * frame[:, :3], energy])


def onto(directions: Floats, axes: Floats) -> Floats:
    """Return vectors (n, 3) that are given relative to z, rotated so that z becomes `axes` (n, 3); an axis of no length
    is z."""
    across = np.hypot(axes[:, 0], axes[:, 1])
    size = np.hypot(across, axes[:, 2])
    some, flat = size > 0, across > 0
    cos = np.where(some, axes[:, 2], 1.0) / np.where(some, size, 1.0)
    sin = across / np.where(some, size, 1.0)
    x, y = np.where(flat, axes[:, 0], 1.0) / np.where(flat, across, 1.0), axes[:, 1] / np.where(flat, across, 1.0)
    u, v, w = directions.T
    plane = u * cos + w * sin
    return np.stack([plane * x - v * y, plane * y + v * x, w * cos - u * sin], axis=1)


def momentum_in_rest(mass: Floats, first: Floats | float, second: Floats | float) -> Floats:
    """Return the momentum of the products of a two-body decay in the rest frame; 0 where it is closed."""
    above = np.maximum(mass**2 - np.square(first + np.asarray(second)), 0.0)
    return np.sqrt(above * (mass**2 - np.square(first - np.asarray(second)))) / (2 * np.maximum(mass, 1e-12))


def two_body(parent: Floats, masses: tuple[Floats, Floats], cosine: Floats, azimuth: Floats) -> tuple[Floats, Floats]:
    """Return the two products (n, 4) of decays of `parent`; `cosine` (to its flight) and `azimuth` of the first in the
    rest frame."""
    return back_to_back(parent, masses, onto(unit(cosine, azimuth), parent[:, :3]))


def unit(cosine: Floats, azimuth: Floats) -> Floats:
    """Return vectors (n, 3) of length 1, by the cosine to z and the azimuth."""
    sine = np.sqrt(np.maximum(1 - cosine**2, 0.0))
    return np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], axis=1)


def back_to_back(parent: Floats, masses: tuple[Floats, Floats], way: Floats) -> tuple[Floats, Floats]:
    """Return the two products (n, 4) of decays of `parent`, the first along `way` (n, 3) in the rest frame."""
    own = mass_of(parent)
    momentum = momentum_in_rest(own, *masses)[:, None] * way
    first = boosted(with_mass(momentum, masses[0]), parent, own)
    return first, with_mass(parent[:, :3] - first[:, :3], masses[1])


def sums(p: Floats, owner: Array, count: int) -> Floats:
    """Return the sums (count, 4) of the four-vectors of each owner."""
    return np.stack([np.bincount(owner, p[:, k], count) for k in range(4)], axis=1)
