"""Towers of the calorimeters: photons and neutral hadrons, and charged ones that left no track, added by cells."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.detector.response import Response
from lynkeus.simulate.jets.detector.seen import NEUTRAL_HADRON, PHOTON, Seen
from lynkeus.simulate.jets.four_vectors import eta_of, of_pt_eta_phi, phi_of
from lynkeus.simulate.jets.particles import NEUTRINOS, Particles

CELL = {PHOTON: 0.0174, NEUTRAL_HADRON: 0.087}  # in eta and phi
SHOWERING = (11, 22)  # codes of what the electromagnetic calorimeter takes
MUON_CODE = 13


def measure_towers(particles: Particles, response: Response, rng: np.random.Generator) -> Seen:
    """Return the towers of particles without a track: one for each cell, owner and calorimeter, above its threshold.

    Neutrinos and muons leave nothing. A tower points to where its energy was, blurred by a third of its cell.
    """
    eta, code = eta_of(particles.p), np.abs(particles.pdg)
    inside = (np.abs(eta) < response.calorimeter_eta) & ~np.isin(code, (*NEUTRINOS, MUON_CODE))
    particles, eta = particles.cut(inside), eta[inside]
    photons = np.isin(np.abs(particles.pdg), SHOWERING)
    return Seen.join(
        [
            _towers(particles.cut(photons), eta[photons], PHOTON, response, rng),
            _towers(particles.cut(~photons), eta[~photons], NEUTRAL_HADRON, response, rng),
        ]
    )


def _towers(particles: Particles, eta: Floats, kind: int, response: Response, rng: np.random.Generator) -> Seen:
    cell, phi, energy = CELL[kind], phi_of(particles.p), particles.p[:, 3]
    owner, tower = _cells(particles.owner, eta, phi, cell)
    count = len(owner)
    total = np.bincount(tower, energy, count)
    eta = np.bincount(tower, energy * eta, count) / np.maximum(total, 1e-9)
    x, y = (np.bincount(tower, energy * of(phi), count) for of in (np.cos, np.sin))
    resolution = response.photon_resolution if kind == PHOTON else response.hadron_resolution
    shake = rng.standard_normal((3, count))
    measured = total * (1 + resolution(np.maximum(total, 1e-3)) * shake[0])
    eta, phi = eta + cell / 3 * shake[1], np.arctan2(y, x) + cell / 3 * shake[2]
    above = measured > (response.photon_gev if kind == PHOTON else response.neutral_gev)
    p = of_pt_eta_phi(measured / np.cosh(eta), eta, phi)
    whole = np.full(count, kind)
    return Seen(owner, p, np.zeros(count, np.int64), whole, np.zeros((count, 4)), np.zeros(count, np.int64)).cut(above)


def _cells(owner: Array, eta: Floats, phi: Floats, cell: float) -> tuple[Array, Array]:
    """Return the owner of each tower, and the tower (n,) of each particle."""
    row, column = (np.floor(angle / cell).astype(np.int64) + 1024 for angle in (eta, phi))
    towers, tower = np.unique((owner * 2048 + row) * 2048 + column, return_inverse=True)
    return towers // 2048**2, tower
