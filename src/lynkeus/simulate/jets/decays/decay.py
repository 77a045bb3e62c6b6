"""decay: particles fly by their lifetimes and decay, until only stable ones are left."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.decays.phase_space import decay_by_phase_space
from lynkeus.simulate.jets.decays.table import OWN_ANTIPARTICLES, SPECIES, Species
from lynkeus.simulate.jets.four_vectors import mass_of
from lynkeus.simulate.jets.particles import BEAUTY, CHARM, STRANGE, TAU, Particles

DECAYING = {abs(code): code for code, species in SPECIES.items() if species.channels}
RANK = {BEAUTY: 4, CHARM: 3, TAU: 2, STRANGE: 1, 0: 0}
_BY_RANK = np.array(sorted(RANK, key=lambda ancestor: RANK[ancestor]))


def ancestor_of(pdg: Array) -> Array:
    """Return what particles are to their products: 5 or 4 of hadrons with b or c, 15 of taus, 3 of strange hadrons that
    fly millimetres, else 0."""
    code = np.abs(pdg)
    thousands, hundreds = code // 1000 % 10, code // 100 % 10
    heaviest = np.maximum(thousands, hundreds)
    strange = np.isin(code, (310, 3122))
    found = np.where((heaviest >= CHARM) & (heaviest <= BEAUTY), heaviest, np.where(strange, STRANGE, 0))
    return np.where(code == TAU, TAU, found)


def decay(particles: Particles, rng: np.random.Generator, stable: Collection[int] = ()) -> Particles:
    """Return what is left when all have decayed that do, but for the codes that are called `stable`.

    Four-momentum and charge are conserved in each decay; `origin` is where a product was made, by an exponential
    in proper time, along a straight line.
    """
    codes = [code for code in DECAYING if code not in stable]
    done, now = [], particles
    while True:
        unstable = np.isin(np.abs(now.pdg), codes)
        done.append(now.cut(~unstable))
        if not unstable.any():
            return Particles.join(done)
        now = Particles.join(list(_products(now.cut(unstable), rng)))


def _products(parents: Particles, rng: np.random.Generator) -> Iterator[Particles]:
    codes = np.abs(parents.pdg)
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    edges = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1], True])
    for first, last in pairwise(edges):
        code = DECAYING[int(ordered[first])]
        yield from _decay_species(parents.cut(order[first:last]), code, SPECIES[code], rng)


def _decay_species(parents: Particles, code: int, species: Species, rng: np.random.Generator) -> Iterator[Particles]:
    shares = np.cumsum([share for share, _ in species.channels])
    channel = np.searchsorted(shares, rng.random(len(parents)) * shares[-1], side="right")
    vertex = parents.origin
    if species.ctau:
        flown = species.ctau * rng.standard_exponential(len(parents)) / species.mass
        vertex = vertex + flown[:, None] * parents.p[:, :3]
    for number, (_, products) in enumerate(species.channels):
        chosen = np.flatnonzero(channel == number)
        if len(chosen):
            yield _decay_channel(parents.cut(chosen), vertex[chosen], code, products, rng)


def _decay_channel(
    parents: Particles, vertex: Floats, code: int, products: tuple[int, ...], rng: np.random.Generator
) -> Particles:
    count, made = len(parents), len(products)
    masses = draw_masses(mass_of(parents.p), products, rng)
    p = decay_by_phase_space(parents.p, masses, rng)
    same = np.where(np.isin(np.abs(products), OWN_ANTIPARTICLES), np.abs(products), 0)
    sign = np.where(parents.pdg == code, 1, -1)
    pdg = np.where(same[None] > 0, same[None], sign[:, None] * np.array(products)[None])
    own = ancestor_of(parents.pdg)
    rank = np.maximum(_ranks(own), _ranks(parents.ancestor))
    return Particles(
        np.repeat(parents.owner, made), pdg.reshape(-1), p.reshape(-1, 4), np.repeat(vertex, made, axis=0),
        np.repeat(_BY_RANK[rank], made),
    ) if count else parents  # fmt: skip


def _ranks(ancestor: Array) -> Array:
    table = np.zeros(TAU + 1, np.int64)
    for name, rank in RANK.items():
        table[name] = rank
    return table[ancestor]


def draw_masses(available: Floats, products: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Return the masses (n, k) of the products in GeV, of broad ones by a Breit-Wigner within what is `available`."""
    species = [_species(code) for code in products]
    masses = np.repeat(np.array([[one.mass for one in species]]), len(available), axis=0)
    for k, one in enumerate(species):
        if one.width:
            others = sum(other.mass if not other.width else _least(other) for j, other in enumerate(species) if j != k)
            masses[:, k] = breit_wigner(one.mass, one.width, _least(one), available - others, rng)
    return masses


def breit_wigner(mass: float, width: float, least: float, most: Floats, rng: np.random.Generator) -> Floats:
    """Return masses (n,) by a Breit-Wigner, cut at `least` and at `most` (n,)."""
    low, high = np.arctan2(2 * (least - mass), width), np.arctan(2 * (most - mass) / width)
    return mass + width / 2 * np.tan(low + rng.random(len(most)) * np.maximum(high - low, 0.0))


def _species(code: int) -> Species:
    return SPECIES[code] if code in SPECIES else SPECIES[-code]


def _least(species: Species) -> float:
    """Return the smallest mass at which a broad particle decays."""
    if not species.width:
        return species.mass
    return max(sum(_least(_species(code)) for code in products) for _, products in species.channels) + 1e-3
