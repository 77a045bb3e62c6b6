"""freeze_out: particles from the surface where the fluid ends (Cooper & Frye 1974), boost invariant, Boltzmann.

dN / (dy p_T dp_T dphi) = g / (2 pi hbar)^3 sum over the surface of 2 tau exp(gamma p_T . v / T)
[dsigma_tau m_T K_1(gamma m_T / T) + (p_T . dsigma) K_0(gamma m_T / T)]. No resonances decay: spectra are softer in
nature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import k0e, k1e, kn

from lynkeus.core.batch import Floats
from lynkeus.simulate.hydro.eos import HBAR_C
from lynkeus.simulate.hydro.surface import Surface

PION = 0.13957  # GeV
CHUNK = 2000  # elements of the surface at a time


@dataclass(frozen=True)
class Bins:
    """Middles of even bins: `pt` to `highest` GeV, `phi` around; of particles of one charge, at rapidity 0."""

    pt: int = 15
    phi: int = 48
    highest: float = 2.0

    @property
    def momenta(self) -> Floats:
        """Return the middles of the bins of p_T, GeV."""
        return (np.arange(self.pt) + 0.5) * self.highest / self.pt

    @property
    def angles(self) -> Floats:
        """Return the middles of the bins of phi, radian."""
        return (np.arange(self.phi) + 0.5) * 2 * np.pi / self.phi


def spectrum(surface: Surface, temperature: float, bins: Bins, mass: float = PION, degeneracy: float = 1.0) -> Floats:
    """Return dN / (dy p_T dp_T dphi) in 1/GeV^2 at the middles of the bins, (pt, phi)."""
    pt, phi = bins.momenta, bins.angles
    mt = np.hypot(pt, mass)
    total = np.zeros((bins.pt, bins.phi))
    along = np.stack([np.cos(phi), np.sin(phi)])  # (2, phi)
    for first in range(0, len(surface.place), CHUNK):
        own = slice(first, first + CHUNK)
        tau, flow = surface.place[own, 0], np.stack([surface.vx[own], surface.vy[own]], axis=1)
        gamma = 1 / np.sqrt(np.maximum(1 - (flow**2).sum(axis=1), 1e-12))
        z = gamma[:, None] * mt / temperature  # (elements, pt)
        # exp(-z) of the scaled Bessel functions and the boost together: neither alone fits into a number.
        boost = (gamma[:, None] * flow) @ along  # (elements, phi)
        power = np.exp(boost[:, None, :] * pt[:, None] / temperature - z[:, :, None])
        time = (2 * tau * surface.normal[own, 0])[:, None] * mt * k1e(z)
        space = (2 * tau)[:, None] * pt * k0e(z)
        outward = surface.normal[own, 1:] @ along
        total += np.einsum("epf,ep->pf", power, time) + np.einsum("epf,ep,ef->pf", power, space, outward)
    return degeneracy * total / (2 * np.pi * HBAR_C) ** 3


def thermal_density(temperature: float, mass: float = PION, degeneracy: float = 1.0) -> float:
    """Return particles per fm^3 of a Boltzmann gas: g T m^2 K_2(m / T) / (2 pi^2)."""
    return degeneracy * temperature * mass**2 * float(kn(2, mass / temperature)) / (2 * np.pi**2 * HBAR_C**3)


def number(surface: Surface, temperature: float, mass: float = PION, degeneracy: float = 1.0) -> float:
    """Return dN / dy of all momenta: the flux of the thermal density through the surface."""
    gamma = 1 / np.sqrt(1 - surface.vx**2 - surface.vy**2)
    flow = surface.normal[:, 0] + surface.normal[:, 1] * surface.vx + surface.normal[:, 2] * surface.vy
    return thermal_density(temperature, mass, degeneracy) * float((surface.place[:, 0] * gamma * flow).sum())


def counted(rate: Floats, bins: Bins, particles: float, rng: np.random.Generator) -> Floats:
    """Return (pt, phi) how many of about `particles` fall into each bin: a Poisson number each, where the surface emits
    a negative number none."""
    expected = np.maximum(rate, 0.0) * bins.momenta[:, None]
    return rng.poisson(expected * particles / expected.sum()).astype(float)
