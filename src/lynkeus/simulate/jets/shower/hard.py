"""What a jet begins with: one parton, or the partons of a decaying W, Z, H or top, as lines that shower.

In the frame of a jet: its axis is x, the beam z, the pseudorapidity 0, so that angles are distances in eta and phi.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.decays.decay import breit_wigner
from lynkeus.simulate.jets.four_vectors import boosted, eta_of, mass_of, phi_of, two_body, with_mass
from lynkeus.simulate.jets.shower.branching import FREE

WIDEST = 1.0  # rad, at which a single parton begins to shower: the collision has other jets beyond
MASSES = {24: (80.38, 2.085), 23: (91.19, 2.495), 25: (125.1, 0.0041), 6: (172.5, 1.42)}  # GeV, and widths
PAIRS: dict[int, tuple[tuple[float, int, int], ...]] = {  # share, quark, antiquark; codes of shower.branching
    24: ((0.475, 0, 1), (0.025, 0, 2), (0.475, 3, 2), (0.025, 3, 1)),
    23: ((0.222, 1, 1), (0.166, 0, 0), (0.223, 2, 2), (0.172, 3, 3), (0.217, 4, 4)),
    25: ((1.0, 4, 4),),
}
CODES = {1: 1, 2: 0, 3: 2, 4: 3, 5: 4}  # PDG -> shower.branching
LONGITUDINAL = 0.69  # share of the W from tops

Place = Callable[[Floats], tuple[Floats, Array]]


@dataclass(frozen=True)
class Hard:
    """Some lines for each of k jets of one kind: `angle`, `energy` (GeV), `left`, `right` (k, lines).

    `reach` (k,) is the largest distance of a line from the axis. `place` gives, from the masses (k, lines) that the
    lines get by showering, their four-vectors (k, lines, 4) and whether they fit (k,). `chains`: to which chain of
    colour a line belongs.
    """

    angle: Floats
    energy: Floats
    left: Array
    right: Array
    reach: Floats
    place: Place
    chains: tuple[int, ...]


def along_axis(pt: Floats, mass: Floats) -> Floats:
    """Return the four-vectors (n, 4) along x."""
    return with_mass(np.stack([pt, np.zeros_like(pt), np.zeros_like(pt)], axis=1), mass)


def one_parton(pt: Floats, flavour: int, rng: np.random.Generator) -> Hard:
    """Return jets of a quark (1 to 5, or as often its antiquark) or of a gluon (21)."""
    count = len(pt)
    anti = rng.random(count) < 0.5
    left = np.full(count, FREE) if flavour == 21 else np.where(anti, FREE, CODES[flavour])
    right = np.full(count, FREE) if flavour == 21 else np.where(anti, CODES[flavour], FREE)

    def place(masses: Floats) -> tuple[Floats, Array]:
        return along_axis(pt, masses[:, 0])[:, None], np.ones(count, bool)

    angle = np.full((count, 1), WIDEST)
    return Hard(angle, pt[:, None], left[:, None], right[:, None], np.zeros(count), place, (0,))


def two_prongs(pt: Floats, boson: int, rng: np.random.Generator) -> Hard:
    """Return jets of a W (24), Z (23) or H (25) that decays to two quarks."""
    count = len(pt)
    parent = along_axis(pt, _masses(boson, count, rng))
    cosine, azimuth = rng.uniform(-1, 1, count), rng.uniform(-np.pi, np.pi, count)
    left, right = _pairs(boson, count, rng)

    def place(masses: Floats) -> tuple[Floats, Array]:
        fits = masses.sum(axis=1) < mass_of(parent)
        return np.stack(two_body(parent, (masses[:, 0], masses[:, 1]), cosine, azimuth), axis=1), fits

    prongs = place(np.zeros((count, 2)))[0]
    angle = np.repeat(_distance(prongs[:, 0], prongs[:, 1])[:, None], 2, axis=1)
    return Hard(np.minimum(angle, WIDEST), prongs[:, :, 3], left, right, _reach(prongs), place, (0, 0))


def three_prongs(pt: Floats, rng: np.random.Generator) -> Hard:
    """Return jets of a top quark or antiquark that decays to b q q', the W with its helicities."""
    count = len(pt)
    mass, w_mass = _masses(6, count, rng), _masses(24, count, rng)
    parent, rest = along_axis(pt, mass), with_mass(np.zeros((count, 3)), mass)
    top = np.stack([rng.uniform(-1, 1, count), rng.uniform(-np.pi, np.pi, count)])
    cosine, azimuth = _helicity(count, rng), rng.uniform(-np.pi, np.pi, count)
    quarks, anti = _pairs(24, count, rng), rng.random(count) < 0.5

    def place(masses: Floats) -> tuple[Floats, Array]:
        fits = (masses[:, 0] + w_mass < mass) & (masses[:, 1] + masses[:, 2] < w_mass)
        b, w = two_body(rest, (masses[:, 0], w_mass), *top)
        pair = two_body(w, (masses[:, 1], masses[:, 2]), cosine, azimuth)
        return np.stack([boosted(p, parent, mass) for p in (b, *pair)], axis=1), fits

    prongs = place(np.zeros((count, 3)))[0]
    w = prongs[:, 1] + prongs[:, 2]
    to_w, apart = _distance(prongs[:, 0], w), _distance(prongs[:, 1], prongs[:, 2])
    angle = np.minimum(np.stack([to_w, apart, apart], axis=1), WIDEST)
    # a top has a quark and W+ (u dbar); an antitop an antiquark and W- (d ubar)
    left = np.stack(
        [np.where(anti, FREE, 4), np.where(anti, quarks[1][:, 1], quarks[0][:, 0]), np.full(count, FREE)], 1
    )
    right = np.stack(
        [np.where(anti, 4, FREE), np.full(count, FREE), np.where(anti, quarks[0][:, 0], quarks[1][:, 1])], 1
    )
    return Hard(angle, prongs[:, :, 3], left, right, _reach(prongs), place, (0, 1, 1))


def _masses(code: int, count: int, rng: np.random.Generator) -> Floats:
    mass, width = MASSES[code]
    return breit_wigner(mass, width, mass - 8 * width, np.full(count, mass + 8 * width), rng)


def _pairs(boson: int, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the flavours on the left and on the right (n, 2); of a W as often one sign as the other."""
    shares = np.array([pair[0] for pair in PAIRS[boson]])
    which = rng.choice(len(shares), count, p=shares / shares.sum())
    quark, antiquark = (np.array([pair[k] for pair in PAIRS[boson]])[which] for k in (1, 2))
    free = np.full(count, FREE)
    return np.stack([quark, free], axis=1), np.stack([free, antiquark], axis=1)


def _helicity(count: int, rng: np.random.Generator) -> Floats:
    """Return cosines of the quark to the flight of a W from a top: 3/4 sin^2 (longitudinal), else 3/8 (1 - cos)^2."""
    chance = rng.random(count)
    left = 1 - 2 * np.cbrt(rng.random(count))
    longitudinal = 2 * np.cos((np.arccos(1 - 2 * chance) + 4 * np.pi) / 3)  # solves 3c - c^3 = 4u - 2
    return np.where(rng.random(count) < LONGITUDINAL, np.clip(longitudinal, -1, 1), np.clip(left, -1, 1))


def _distance(first: Floats, second: Floats) -> Floats:
    return np.hypot(eta_of(first) - eta_of(second), phi_of(first) - phi_of(second))


def _reach(prongs: Floats) -> Floats:
    """Return the largest distance (n,) of prongs (n, k, 4) from the axis."""
    count, lines, _ = prongs.shape
    flat = prongs.reshape(-1, 4)
    return np.hypot(eta_of(flat), phi_of(flat)).reshape(count, lines).max(axis=1)
