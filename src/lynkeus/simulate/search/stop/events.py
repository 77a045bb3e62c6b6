"""draw_events: the quantities of events of a toy search for stops with one lepton, beside top pairs.

Closed forms, no generator: each process has hidden momenta (a W boson, a recoil, invisible particles) of which the
quantities are made together, so that they are correlated as they are in a search. Top pairs: one or two leptons, the
second one lost; what they miss is a neutrino or two and a resolution that grows with the activity. Stops: two
neutralinos more. Scales are those of Elwood & Kruecker 2018 (arXiv:1806.00322), who have 30/fb, a compressed mass point
and top pairs as the only background.
"""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array, Floats

COLUMNS = (
    "met",
    "mt",
    "ht",
    "lepton_pt",
    "jet1_pt",
    "jet2_pt",
    "n_jet",
    "n_b",
    "dphi_lepton",
    "dphi_jet",
    "mt2w",
    "topness",
)
UNITS = ("GeV", "GeV", "GeV", "GeV", "GeV", "GeV", "", "", "rad", "rad", "GeV", "")
CLASSES = ("ttbar", "stop")
M_W, M_TOP = 80.4, 172.5
LOST = 0.18  # share of the selected top pairs that have a second lepton, not seen
SHAPE, BOOST = (
    0.75,
    170.0,
)  # of what two neutralinos take away more: often little (compressed), at times much; mean in GeV
THRESHOLD = 100.0  # GeV of missing momentum that are asked for


def draw_events(signal: Array, rng: np.random.Generator) -> Floats:
    """Return (n, COLUMNS) of events, `signal` (n,) where they are stops; all pass the selection."""
    found = np.empty((len(signal), len(COLUMNS)))
    left = np.arange(len(signal))
    while len(left):
        drawn = _drawn(signal[left], rng)
        kept = (drawn[:, 0] > THRESHOLD) & (drawn[:, 1] > 40.0) & (drawn[:, 6] >= 4)
        found[left[kept]] = drawn[kept]
        left = left[~kept]
    return found


def _drawn(signal: Array, rng: np.random.Generator) -> Floats:
    n = len(signal)
    stop = signal.astype(bool)
    lost = ~stop & (rng.random(n) < LOST)
    top_pt = rng.gamma(2.4, 58.0, n) + np.where(stop, rng.gamma(1.5, 18.0, n), 0.0)
    jets = 4 + rng.poisson(np.where(stop, 0.9, 0.75 - 0.35 * lost), n)
    pair = _two(top_pt * rng.beta(3, 3, n), rng)  # the W boson that decays to the lepton
    x = rng.beta(2.2, 2.2, n)
    along = rng.normal(0.0, M_W / 2, n)
    lepton = pair * x[:, None] + _two(np.abs(along) * 0.6, rng)
    neutrino = pair * (1 - x)[:, None] + _two(rng.gamma(2.0, 18.0, n), rng)
    second = _two(np.where(lost, rng.gamma(2.2, 34.0, n), 0.0), rng)
    neutralinos = _two(np.where(stop, rng.gamma(SHAPE, BOOST / SHAPE, n), 0.0), rng)
    ht = np.linalg.norm(neutralinos, axis=1) * 0.35 + top_pt * 1.5 + rng.gamma(3.0, 55.0, n) + 28.0 * (jets - 4)
    tails = np.where(rng.random(n) < 0.02, 2.6, 1.0)
    smear = rng.normal(0.0, (12.0 + 0.55 * np.sqrt(ht)) * tails, (2, n)).T
    missing = neutrino + second + neutralinos + smear
    met, pt = np.linalg.norm(missing, axis=1), np.linalg.norm(lepton, axis=1) + 20.0
    between = _angle(lepton, missing)
    mt = np.sqrt(np.maximum(2 * pt * met * (1 - np.cos(between)), 0.0))
    # Of one W boson the transverse mass ends at its mass; what is above is resolution, a second neutrino, or new.
    edge = M_W * np.sqrt(1 - np.abs(rng.beta(1.1, 1.3, n) - 0.1) ** 2) * (1 + rng.normal(0, 0.10, n) * tails)
    mt = np.where(stop | lost, mt, np.minimum(mt, np.abs(edge)))
    share = rng.dirichlet((3.0, 2.2, 2.4), n)
    jet1, jet2 = (np.sort(share, axis=1)[:, -k] * ht for k in (1, 2))
    more = np.linalg.norm(neutralinos, axis=1)
    mt2w = (
        M_TOP
        - np.abs(rng.normal(0, 38.0, n)) * np.where(lost, 1.0, 1.3)
        + rng.gamma(1.0, 16.0, n) * tails
        + 0.15 * more
    )
    topness = np.where(lost, rng.normal(1.0, 1.6, n), rng.normal(3.4, 2.0, n)) + 0.003 * more
    n_b = 1 + rng.binomial(1, 0.55, n) + rng.binomial(1, 0.05, n)
    dphi_jet = np.abs(rng.normal(np.where(stop, 1.3, 1.1), 0.65, n)) % np.pi
    return np.stack([met, mt, ht, pt, jet1, jet2, jets, n_b, between, dphi_jet, mt2w, topness], axis=1)


def _two(size: Floats, rng: np.random.Generator) -> Floats:
    phi = rng.uniform(0, 2 * np.pi, len(size))
    return np.stack([size * np.cos(phi), size * np.sin(phi)], axis=1)


def _angle(one: Floats, other: Floats) -> Floats:
    off = np.arctan2(one[:, 1], one[:, 0]) - np.arctan2(other[:, 1], other[:, 0])
    return np.abs((off + np.pi) % (2 * np.pi) - np.pi)
