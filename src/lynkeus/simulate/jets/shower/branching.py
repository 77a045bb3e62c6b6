"""shower: partons branch at ever smaller angles (colour coherence), all jets at once, to the partons of hadrons."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.shower.sudakov import FLAVOURS, Tune, quark_pairs, splitting, sudakov

FREE = -1  # a side of a parton whose flavour is not decided: a gluon has two, a quark one
UP, DOWN, STRANGE, CHARM, BEAUTY, DIQUARK = range(6)
QUARK_MASS = np.array([0.0, 0.0, 0.0, 1.5, 4.8])
GENERATIONS = 400  # never reached: the scale falls with each


class Partons(NamedTuple):
    """n partons: `line` (n,) the number of the one they come from, `share` of its light-cone momentum, `kx`, `ky` GeV
    across it, the largest `angle` at which it may branch, its flavour on the `left` (a quark) and on the `right` (an
    antiquark) or FREE, and its `place` in the order of colour, from 0 to 1."""

    line: Array
    share: Floats
    kx: Floats
    ky: Floats
    angle: Floats
    left: Array
    right: Array
    place: Floats

    def cut(self, chosen: Array) -> Self:
        """Return those chosen."""
        return type(self)(*(column[chosen] for column in self))


def join(parts: list[Partons]) -> Partons:
    """Return all partons of several."""
    return Partons(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def begin(angle: Floats, left: Array, right: Array) -> Partons:
    """Return the partons (n,) that shower: one a line, with its whole momentum."""
    count, zero = len(angle), np.zeros(len(angle))
    return Partons(np.arange(count), np.ones(count), zero, zero, angle, left, right, zero)


def shower(start: Partons, energy: Floats, tune: Tune, rng: np.random.Generator) -> Partons:
    """Return the partons (n,) that are left, those of a line in the order of colour.

    `energy` (lines,) in GeV of each line. Shares of light-cone momentum and transverse momenta are conserved in every
    branching; a heavy quark does not radiate within its dead cone. Masses come with the hadrons.
    """
    tables, done, now = sudakov(tune), list[Partons](), start
    for _ in range(GENERATIONS):
        gluon = (now.left == FREE) & (now.right == FREE)
        own = now.share * energy[now.line]
        log = tables.next_scale(gluon, np.log(np.maximum(own * now.angle, 1e-9)), rng.random(len(own)))
        goes_on = np.isfinite(log)
        done.append(now.cut(~goes_on))
        now, gluon, own, log = now.cut(goes_on), gluon[goes_on], own[goes_on], log[goes_on]
        if not len(own):
            break
        z = tables.draw_z(gluon, log, rng.random(len(own)))
        now = _branch(now._replace(angle=np.exp(log) / own), own, z, gluon, rng)
    found = join(done)
    return found.cut(np.lexsort((found.place, found.line)))


def _branch(at: Partons, energy: Floats, z: Floats, gluon: Array, rng: np.random.Generator) -> Partons:
    """Return the partons after their branchings; those in the dead cone of their mass are left as they are."""
    flavour = np.maximum(at.left, at.right)
    dead = np.where(flavour > STRANGE, QUARK_MASS[np.clip(flavour, 0, 4)], 0.0) / energy
    lives = rng.random(len(z)) < 1 / (1 + (dead / at.angle) ** 2) ** 2
    vetoed = at.cut(~lives)
    at, energy, z, gluon = at.cut(lives), energy[lives], z[lives], gluon[lives]
    pair = _pair_flavours(at, energy, z, gluon, rng)
    right_quark = at.right != FREE  # the quark of q -> q g is where its flavour is; z is its share
    z = np.where(right_quark, 1 - z, z)  # from here on the share of the left product
    kt, azimuth = z * (1 - z) * energy * at.angle, rng.uniform(-np.pi, np.pi, len(z))
    dx, dy = kt * np.cos(azimuth), kt * np.sin(azimuth)
    first = at._replace(share=z * at.share, kx=z * at.kx + dx, ky=z * at.ky + dy, right=pair)
    second = at._replace(
        share=(1 - z) * at.share, kx=(1 - z) * at.kx - dx, ky=(1 - z) * at.ky - dy,
        left=pair, place=at.place + first.share,
    )  # fmt: skip
    return join([vetoed, first, second])


def _pair_flavours(at: Partons, energy: Floats, z: Floats, gluon: Array, rng: np.random.Generator) -> Array:
    """Return the flavour of g -> q qbar, FREE for other branchings; light where the pair is too light for its own."""
    chance, drawn = rng.random(len(z)), rng.integers(0, FLAVOURS, len(z))
    pair = gluon & (chance * splitting(True, z) < quark_pairs(z))
    mass = np.sqrt(z * (1 - z)) * energy * at.angle
    too_light = mass < 2 * QUARK_MASS[drawn] * 1.2
    return np.where(pair, np.where(too_light, drawn % (STRANGE + 1), drawn), FREE)
