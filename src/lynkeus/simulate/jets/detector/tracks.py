"""Tracks of charged particles: efficiency, momenta, impact parameters, and what they are taken for."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.detector.response import Response
from lynkeus.simulate.jets.detector.seen import CHARGED_HADRON, ELECTRON, MUON, Seen
from lynkeus.simulate.jets.four_vectors import eta_of, of_pt_eta_phi, phi_of, pt_of
from lynkeus.simulate.jets.particles import Particles

NEGATIVE = (11, 13, 15, 3112, 3312, 3334)  # codes whose charge is negative where they are positive
CHARGED = (11, 13, 211, 321, 2212, 3222, 3112, 3312, 3334)
PION_GEV = 0.13957
IDENTIFIED = {11: (ELECTRON, 0.000511), 13: (MUON, 0.10566)}


def charge_of(pdg: Array) -> Array:
    """Return the charges of stable particles by their codes."""
    sign = np.where(np.isin(np.abs(pdg), NEGATIVE), -1, 1) * np.sign(pdg)
    return np.where(np.isin(np.abs(pdg), CHARGED), sign, 0)


def impact_parameters(p: Floats, origin: Floats) -> tuple[Floats, Floats]:
    """Return the signed distances in mm of closest approach to the beam line: d0 = -x sin(phi) + y cos(phi), and dz
    there, along straight lines from `origin` (n, 3)."""
    phi = phi_of(p)
    sin, cos = np.sin(phi), np.cos(phi)
    d0 = -origin[:, 0] * sin + origin[:, 1] * cos
    dz = origin[:, 2] - (origin[:, 0] * cos + origin[:, 1] * sin) * p[:, 2] / np.maximum(pt_of(p), 1e-9)
    return d0, dz


def track(particles: Particles, charge: Array, response: Response, rng: np.random.Generator) -> tuple[Seen, Array]:
    """Return the tracks of charged particles (n,), and which of them have one (n,)."""
    radius = np.hypot(particles.origin[:, 0], particles.origin[:, 1])
    pt, eta = pt_of(particles.p), eta_of(particles.p)
    found = rng.random(len(pt)) < response.efficiency(pt, eta, radius)
    seen, pt, eta = particles.cut(found), pt[found], eta[found]
    shake = rng.standard_normal((5, len(pt)))
    kind, mass = _identify(np.abs(seen.pdg), pt, response, rng)
    curvature = np.maximum(1.0 + response.pt_resolution(pt, eta) * shake[0], 0.1)
    angle = response.angle_resolution(pt)
    p = of_pt_eta_phi(pt / curvature, eta + angle * shake[1], phi_of(seen.p) + angle * shake[2], mass)
    d0, dz = impact_parameters(seen.p, seen.origin)
    d0_error, dz_error = response.d0_error(pt, eta), response.dz_error(pt, eta)
    wide = response.d0_scale * np.where(rng.random(len(pt)) < response.tail, response.tail_scale, 1.0)
    impact = np.stack(
        [d0 + wide * d0_error * shake[3], d0_error, dz + wide * dz_error * shake[4],
         dz_error], axis=1
    )  # fmt: skip
    return Seen(seen.owner, p, charge[found], kind, impact, seen.ancestor), found


def _identify(code: Array, pt: Floats, response: Response, rng: np.random.Generator) -> tuple[Array, Floats]:
    """Return what tracks are taken for, and the mass that their energy is computed with."""
    chance = rng.random(len(code))
    kind = np.full(len(code), CHARGED_HADRON)
    hadron = ~np.isin(code, tuple(IDENTIFIED))
    enough = pt > 2.0
    kind[(code == 11) & enough & (chance < response.electron)] = ELECTRON
    kind[(code == 13) & enough & (chance < response.muon)] = MUON
    kind[hadron & enough & (chance < response.pion_as_electron)] = ELECTRON
    kind[hadron & enough & (chance > 1 - response.pion_as_muon)] = MUON
    mass = np.full(len(code), PION_GEV)
    for number, value in IDENTIFIED.values():
        mass[kind == number] = value
    return kind, mass
