"""Hadrons along the flow of colour: neighbours share a quark and an antiquark, so that charge and flavour are kept."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.simulate.jets.shower.branching import BEAUTY, CHARM, DIQUARK, DOWN, FREE, STRANGE, UP
from lynkeus.simulate.jets.shower.sudakov import Tune

ETA_SHARE = 0.12  # of the mesons of u ubar and d dbar; of s sbar all
_LIGHT = {(UP, DOWN): 211, (UP, STRANGE): 321, (DOWN, STRANGE): 311}
_HEAVY = {(CHARM, DOWN): 411, (CHARM, UP): 421, (CHARM, STRANGE): 431, (CHARM, BEAUTY): 421, (BEAUTY, UP): -521,
          (BEAUTY, DOWN): -511, (BEAUTY, STRANGE): -531, (BEAUTY, CHARM): -521}  # fmt: skip
_BARYONS = {UP: 2212, DOWN: 2112, STRANGE: 3122, CHARM: 4122, BEAUTY: 5122}


def _table() -> Array:
    """Return the hadron of each quark and antiquark (6, 6); a diquark on the right makes a baryon."""
    made = np.full((6, 6), 111)
    for (first, second), code in (_LIGHT | _HEAVY).items():
        made[first, second], made[second, first] = code, -code
    for quark, code in _BARYONS.items():
        made[quark, DIQUARK], made[DIQUARK, quark] = code, -code
    return made


HADRONS = _table()
VECTORS = {211: 213, 321: 323, 311: 313}


def flavours_between(
    chain: Array, left: Array, right: Array, tune: Tune, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return the quark and the antiquark (n,) of each hadron of partons in the order of colour.

    `chain` (n,): partons of one chain are neighbours. A flavour that a parton brings is its own; the others are drawn,
    once for both neighbours; the ends of a chain too, where the rest of the event would be.
    """
    count = len(chain)
    last = np.r_[chain[1:] != chain[:-1], True]
    drawn = rng.choice(3, count, p=np.array([1, 1, tune.strange]) / (2 + tune.strange))
    diquark = rng.random(count) < tune.baryons
    follows = np.r_[left[1:], FREE]
    known = np.where(right != FREE, right, np.where(last, FREE, follows))
    heavy = (left > STRANGE) | np.r_[right[1:] > STRANGE, False]
    diquark &= ~last & (known == FREE) & ~np.r_[False, diquark[:-1]] & ~heavy
    between = np.where(known != FREE, known, np.where(diquark, DIQUARK, drawn))
    start = np.where(left != FREE, left, rng.choice(2, count))
    quark = np.where(np.r_[True, last[:-1]], start, np.r_[UP, between[:-1]])
    return quark, between


def hadrons_of(quark: Array, antiquark: Array, tune: Tune, rng: np.random.Generator) -> Array:
    """Return the codes (n,) of the hadrons of a quark and an antiquark (or diquarks)."""
    code = HADRONS[quark, antiquark]
    chance, spin = rng.random(len(code)), rng.random(len(code)) < tune.vectors
    hidden = (quark == antiquark) & (quark < CHARM)
    eta = hidden & ((quark == STRANGE) | (chance < ETA_SHARE))
    code = np.where(eta, 221, np.where(hidden & spin, np.where(chance < 0.56, 113, 223), code))
    for scalar, vector in VECTORS.items():
        code = np.where(spin & (np.abs(code) == scalar), np.sign(code) * vector, code)
    return np.where(np.abs(code) == 311, np.where(chance < 0.5, 310, 130), code)
