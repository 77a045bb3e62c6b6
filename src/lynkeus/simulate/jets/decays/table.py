"""Masses, lifetimes and decay channels of the particles that the fast generator makes (rounded from the PDG's review).

Hadronic decays of B and D are a few channels that give the measured numbers of charged particles and of leptons; what
is between them has no line of its own.
"""

from __future__ import annotations

from typing import NamedTuple

PI, PI0, K, KS, KL, P, N, GAMMA = 211, 111, 321, 310, 130, 2212, 2112, 22
E, MU, NU_E, NU_MU, NU_TAU = 11, 13, 12, 14, 16
OWN_ANTIPARTICLES = (22, 111, 113, 130, 221, 223, 310)


Channels = tuple[tuple[float, tuple[int, ...]], ...]


class Species(NamedTuple):
    """`mass` and `width` in GeV, `ctau` in mm (0: at once), `channels`: share and products; none: stable."""

    mass: float
    ctau: float = 0.0
    channels: Channels = ()
    width: float = 0.0


def _pions(core: tuple[int, ...], charge: int, shares: dict[tuple[int, int], float]) -> Channels:
    """Return channels of `core` and pions: (charged, neutral) -> share, where the charged ones sum to `charge`."""
    made = []
    for (charged, neutral), share in shares.items():
        plus = (charged + charge) // 2
        made.append((share, core + (PI,) * plus + (-PI,) * (charged - plus) + (PI0,) * neutral))
    return tuple(made)


def _of_b(charmed: int) -> Channels:
    """A hadron with a b quark (not the antiquark): to a charmed hadron and a W- that becomes leptons, pions or a Ds."""
    pions = {(1, 0): 0.05, (1, 1): 0.13, (1, 2): 0.08, (3, 0): 0.15, (3, 1): 0.2, (5, 0): 0.08, (5, 1): 0.05}
    leptons = ((0.108, (charmed, E, -NU_E)), (0.108, (charmed, MU, -NU_MU)))
    return leptons + _pions((charmed,), -1, pions) + ((0.044, (charmed, -431)),)


SPECIES: dict[int, Species] = {
    E: Species(0.000511), MU: Species(0.10566), NU_E: Species(0.0), NU_MU: Species(0.0), NU_TAU: Species(0.0),
    GAMMA: Species(0.0), PI: Species(0.13957), K: Species(0.49368), KL: Species(0.49761), P: Species(0.93827),
    N: Species(0.93957),
    PI0: Species(0.13498, 0.0, ((0.988, (GAMMA, GAMMA)), (0.012, (GAMMA, E, -E)))),
    221: Species(0.54786, 0.0, ((0.4, (GAMMA, GAMMA)), (0.33, (PI0, PI0, PI0)), (0.27, (PI, -PI, PI0)))),
    113: Species(0.775, 0.0, ((1.0, (PI, -PI)),), 0.149),
    213: Species(0.775, 0.0, ((1.0, (PI, PI0)),), 0.149),
    223: Species(0.7827, 0.0, ((0.9, (PI, -PI, PI0)), (0.1, (PI0, GAMMA))), 0.0087),
    313: Species(0.895, 0.0, ((0.667, (K, -PI)), (0.167, (KS, PI0)), (0.166, (KL, PI0))), 0.047),
    323: Species(0.892, 0.0, ((0.333, (K, PI0)), (0.333, (KS, PI)), (0.334, (KL, PI))), 0.051),
    20213: Species(1.23, 0.0, ((0.5, (113, PI)), (0.5, (213, PI0))), 0.42),
    KS: Species(0.49761, 26.84, ((0.692, (PI, -PI)), (0.308, (PI0, PI0)))),
    3122: Species(1.11568, 78.9, ((0.641, (P, -PI)), (0.359, (N, PI0)))),
    411: Species(1.86966, 0.3098, (
        (0.16, (KL, -E, NU_E)), (0.16, (KL, -MU, NU_MU)), (0.17, (-K, PI, PI)), (0.12, (-K, PI, PI, PI0)),
        (0.11, (KS, PI)), (0.14, (KS, PI, PI0)), (0.08, (KS, PI, PI, -PI)), (0.06, (PI, PI, -PI)),
    )),
    421: Species(1.86484, 0.1229, (
        (0.065, (-K, -E, NU_E)), (0.065, (-K, -MU, NU_MU)), (0.1, (-K, PI)), (0.3, (-K, PI, PI0)),
        (0.17, (-K, PI, PI, -PI)), (0.08, (-K, PI, PI, -PI, PI0)), (0.12, (KS, PI, -PI)), (0.1, (KS, PI, -PI, PI0)),
    )),
    431: Species(1.96834, 0.1512, (
        (0.065, (221, -E, NU_E)), (0.065, (221, -MU, NU_MU)), (0.055, (PI, PI, -PI)),
        (0.25, (K, -K, PI)), (0.2, (K, -K, PI, PI0)), (0.15, (221, PI)), (0.12, (221, PI, PI0)), (0.095, (K, KS)),
    )),
    4122: Species(2.28646, 0.0607, (
        (0.04, (3122, -E, NU_E)), (0.04, (3122, -MU, NU_MU)), (0.25, (P, -K, PI)), (0.2, (P, -K, PI, PI0)),
        (0.22, (3122, PI, PI0)), (0.25, (P, KL, PI0)),
    )),
    -521: Species(5.27934, 0.4911, _of_b(421)),
    -511: Species(5.27966, 0.4551, _of_b(411)),
    -531: Species(5.36692, 0.4554, _of_b(431)),
    5122: Species(5.6196, 0.4401, _of_b(4122)),
    15: Species(1.77693, 0.08703, (
        (0.1782, (NU_TAU, E, -NU_E)), (0.1739, (NU_TAU, MU, -NU_MU)), (0.1151, (NU_TAU, -PI)),
        (0.2593, (NU_TAU, -213)), (0.1857, (NU_TAU, -20213)), (0.0462, (NU_TAU, -PI, -PI, PI, PI0)),
    )),
}  # fmt: skip
