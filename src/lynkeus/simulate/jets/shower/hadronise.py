"""From lines that shower to hadrons with masses, exactly on the four-vectors that the lines were given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.decays.decay import breit_wigner
from lynkeus.simulate.jets.decays.table import PI, SPECIES
from lynkeus.simulate.jets.four_vectors import onto
from lynkeus.simulate.jets.shower.branching import begin, shower
from lynkeus.simulate.jets.shower.hadrons import flavours_between, hadrons_of
from lynkeus.simulate.jets.shower.sudakov import Tune

BROADEST = 2.0  # widths by which the mass of a broad hadron differs at most


class Showered(NamedTuple):
    """n hadrons: `line` (n,), `pdg` (n,), in the frame of the line `plus` and `minus` (n,), energy +- momentum along
    it, and `across` (n, 2), all in GeV; `mass` (lines,) of all hadrons of a line together."""

    line: Array
    pdg: Array
    plus: Floats
    minus: Floats
    across: Floats
    mass: Floats


def shower_lines(
    flavours: tuple[Array, Array], angle: Floats, energy: Floats, chain: Array, tune: Tune, rng: np.random.Generator
) -> Showered:
    """Shower lines (n,) of these flavours (left, right), widest angles and energies in GeV to hadrons.

    `chain` (n,): neighbouring lines of one chain are joined by colour. Energies are the scale of the showers; what the
    lines have in the end is for `place_lines`.
    """
    partons = shower(begin(angle, *flavours), energy, tune, rng)
    quark, antiquark = flavours_between(chain[partons.line], partons.left, partons.right, tune, rng)
    pdg = hadrons_of(quark, antiquark, tune, rng)
    mass = masses_of(pdg, rng)
    plus, across = 2 * energy[partons.line] * partons.share, np.stack([partons.kx, partons.ky], axis=1)
    minus = (mass**2 + (across**2).sum(axis=1)) / plus
    whole = np.sqrt(2 * energy * np.bincount(partons.line, minus, len(energy)))
    return Showered(partons.line, pdg, plus, minus, across, whole)


def place_lines(showered: Showered, energy: Floats, lines: Floats) -> Floats:
    """Return the four-vectors (n, 4) of the hadrons where their lines have the four-vectors `lines` (lines, 4)."""
    size = np.sqrt((lines[:, :3] ** 2).sum(axis=1))
    stretch = ((lines[:, 3] + size) / (2 * energy))[showered.line]
    plus, minus = showered.plus * stretch, showered.minus / stretch
    own = np.column_stack([showered.across, (plus - minus) / 2])
    return np.column_stack([onto(own, lines[showered.line, :3]), (plus + minus) / 2])


def masses_of(pdg: Array, rng: np.random.Generator) -> Floats:
    """Return the masses (n,) in GeV, of broad hadrons by a Breit-Wigner within two widths."""
    code = np.abs(pdg)
    masses = np.empty(len(pdg))
    for one in np.unique(code):
        species = SPECIES[one] if one in SPECIES else SPECIES[-one]
        chosen = np.flatnonzero(code == one)
        masses[chosen] = species.mass
        if species.width:
            reach = BROADEST * species.width
            most = np.full(len(chosen), species.mass + reach)
            masses[chosen] = breit_wigner(species.mass, species.width, max(species.mass - reach, LEAST[one]), most, rng)
    return masses


LEAST = {113: 2.01 * SPECIES[PI].mass, 213: 0.28, 223: 0.43, 313: 0.65, 323: 0.65}
