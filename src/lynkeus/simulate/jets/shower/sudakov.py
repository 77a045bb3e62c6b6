"""Tables of the chance that a parton branches, against energy times angle, from which branchings are drawn directly.

A quark or a gluon of energy E branches at the angle theta by dP = dtheta^2/theta^2 dz alpha_s(kT)/(2 pi) P(z), for
kT = z (1 - z) E theta above a cutoff (Ellis, Stirling, Webber, "QCD and Collider Physics", chapter 5). For a massless
parton this hangs on E theta alone, so that one table replaces the veto algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from lynkeus.core.batch import Array, Floats

C_F, C_A, T_R, FLAVOURS = 4 / 3, 3.0, 0.5, 5
B0 = (33 - 2 * FLAVOURS) / 3
Z_MASS = 91.19
SCALES, STEPS, CHANCES = 160, 400, 256  # of the tables: ln(E theta), z, cumulative chance
MOST = 2e4  # GeV, the largest E theta


@dataclass(frozen=True)
class Tune:
    """Of the fast generator.

    `alpha`: the strong coupling at the Z mass (one loop); `cutoff` of kT in GeV; `fsr`: by which the scale of the
    coupling is multiplied (as FSR variations are quoted); `vectors`: share of mesons that are made with spin 1;
    `strange` quarks for each up quark; share of `baryons` (diquarks); `soft`: the rest of the collision, as a share of
    the usual.
    """

    alpha: float = 0.1365
    cutoff: float = 0.3
    fsr: float = 1.0
    vectors: float = 0.5
    strange: float = 0.25
    baryons: float = 0.05
    soft: float = 1.0

    def alpha_s(self, kt: Floats) -> Floats:
        """Return the strong coupling at these kT in GeV, which does not grow above 1."""
        inverse = 1 / self.alpha + B0 / (2 * np.pi) * np.log(np.maximum(self.fsr * kt, 1e-3) / Z_MASS)
        return 1 / np.maximum(inverse, 1.0)


def splitting(gluon: bool, z: Floats) -> Floats:
    """Return what P(z) is in all: q -> q(z) g, or half of g -> g g and g -> q qbar of five flavours."""
    if gluon:
        return C_A * (z / (1 - z) + (1 - z) / z + z * (1 - z)) + quark_pairs(z)
    return C_F * (1 + z**2) / (1 - z)


def quark_pairs(z: Floats) -> Floats:
    """Return P(z) of g -> q qbar, of five flavours."""
    return T_R * FLAVOURS * (z**2 + (1 - z) ** 2)


@dataclass(frozen=True)
class Sudakov:
    """Tables of quarks (row 0) and gluons (row 1): `log` (SCALES,) of E theta, `exponent` (2, SCALES) branchings
    expected below, `places` (2, SCALES, CHANCES) of ln(z / (1 - z)) in units of its largest."""

    log: Floats
    exponent: Floats
    places: Floats
    cutoff: float

    def next_scale(self, gluon: Array, log: Floats, chance: Floats) -> Floats:
        """Return ln(E theta) of the next branching below `log`, -inf where there is none; `chance` is uniform."""
        found = np.empty(len(log))
        for kind in (0, 1):
            chosen = np.flatnonzero(gluon == kind)
            start = np.interp(log[chosen], self.log, self.exponent[kind])
            left = start + np.log(chance[chosen])
            below = np.interp(left, self.exponent[kind], self.log)
            found[chosen] = np.where(left > 0, below, -np.inf)
        return found

    def draw_z(self, gluon: Array, log: Floats, chance: Floats) -> Floats:
        """Return the share of the energy that goes to the first product (the quark, if there is one)."""
        row, low = _cell((log - self.log[0]) / (self.log[1] - self.log[0]), SCALES)
        column, left = _cell(chance * (CHANCES - 1), CHANCES)
        table = self.places.reshape(-1)
        at = (gluon.astype(np.int64) * SCALES + row) * CHANCES + column
        near = table[at] * (1 - left) + table[at + 1] * left
        far = table[at + CHANCES] * (1 - left) + table[at + CHANCES + 1] * left
        place = (near * (1 - low) + far * low) * widest(log, self.cutoff)
        return 1 / (1 + np.exp(-place))


def widest(log: Floats, cutoff: float) -> Floats:
    """Return the largest ln(z / (1 - z)) at which kT is above the cutoff."""
    ratio = np.minimum(cutoff * np.exp(-log), 0.25)
    return 2 * np.arccosh(np.maximum(0.5 / np.sqrt(ratio), 1.0))


def _cell(position: Floats, size: int) -> tuple[Array, Floats]:
    whole = np.clip(position.astype(np.int64), 0, size - 2)
    return whole, np.clip(position - whole, 0.0, 1.0)


@cache
def sudakov(tune: Tune) -> Sudakov:
    """Return the tables of a tune."""
    log = np.linspace(np.log(4.0 * tune.cutoff), np.log(MOST), SCALES)
    unit = np.linspace(-1, 1, STEPS)
    place = unit[None] * widest(log, tune.cutoff)[:, None]
    z = 1 / (1 + np.exp(-place))
    coupling = tune.alpha_s(z * (1 - z) * np.exp(log)[:, None]) / (2 * np.pi)
    exponents, places = [], []
    for gluon in (False, True):
        density = coupling * splitting(gluon, z) * z * (1 - z)
        summed = np.zeros_like(density)
        summed[:, 1:] = np.cumsum((density[:, 1:] + density[:, :-1]) / 2 * np.diff(place, axis=1), axis=1)
        rate = 2 * summed[:, -1]
        exponent = np.zeros(SCALES)
        exponent[1:] = np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(log))
        exponents.append(exponent)
        chances = np.linspace(0, 1, CHANCES)
        rows = [np.interp(chances, row / max(row[-1], 1e-300), unit) for row in summed]
        rows[0] = np.linspace(-1, 1, CHANCES)
        places.append(np.array(rows))
    return Sudakov(log, np.array(exponents), np.array(places), tune.cutoff)
