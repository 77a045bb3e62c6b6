"""draw: events with a pair of taus, or what looks like one, as a detector sees them; closed forms, no generator.

A resonance has a mass, a transverse momentum and a rapidity and decays isotropically to two taus, whose neutrinos fly
along with what is seen. Jets balance it; of vector boson fusion two are far apart. Top pairs have two W bosons and two
b jets, W+jets one lepton and a jet that is taken for a tau, fakes two such jets. Spectra are shaped by hand to what is
known of these processes: what is tested is how networks use such inputs, no cross section.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.simulate.search.htautau.columns import HADRONIC, JET_ETA, THRESHOLDS, Seen
from lynkeus.simulate.search.htautau.mass import share_density

M_H, M_Z, GAMMA_Z, M_W = 125.0, 91.19, 2.5, 80.4
JETS = 4  # places
TAGGED, MISTAGGED = 0.7, 0.01
LEPTON_RESOLUTION, TAU_RESOLUTION, JET_RESOLUTION = 0.015, 0.06, 0.12
TAU_ETA, APART = 2.3, 0.5
Rng = np.random.Generator


def draw(process: str, channel: str, n: int, rng: Rng) -> Seen:
    """Return n events of a process that pass the selection of a final state."""
    parts: list[Seen] = []
    left = n
    while left > 0:
        tried = MAKERS[process](channel, max(2000, 4 * left), rng)
        passed = np.flatnonzero(_passes(tried, channel))[:left]
        parts.append(tried.cut(passed))
        left -= len(passed)
    return Seen(*(np.concatenate([getattr(part, name) for part in parts]) for name in Seen.__dataclass_fields__))


def _passes(seen: Seen, channel: str) -> np.ndarray:
    least = THRESHOLDS[channel]
    found = np.ones(len(seen.met), bool)
    for one, threshold in ((seen.first, least[0]), (seen.second, least[1])):
        pt = np.hypot(one[:, 0], one[:, 1])
        found &= (pt > threshold) & (np.abs(np.arcsinh(one[:, 2] / np.maximum(pt, 1e-9))) < TAU_ETA)
    (eta_1, phi_1), (eta_2, phi_2) = _direction(seen.first), _direction(seen.second)
    return found & (np.hypot(eta_1 - eta_2, (phi_1 - phi_2 + np.pi) % (2 * np.pi) - np.pi) > APART)


def _direction(p: Floats) -> tuple[Floats, Floats]:
    pt = np.maximum(np.hypot(p[:, 0], p[:, 1]), 1e-9)
    return np.arcsinh(p[:, 2] / pt), np.arctan2(p[:, 1], p[:, 0])


def _vector(pt: Floats, eta: Floats, phi: Floats) -> Floats:
    return np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)], axis=-1)


def _phi(n: int, rng: Rng) -> Floats:
    return rng.uniform(-np.pi, np.pi, n)


def _decay(m: Floats, pt: Floats, y: Floats, phi: Floats, rng: Rng) -> tuple[Floats, Floats]:
    """Return both massless daughters (n, 4) of a resonance."""
    n = len(m)
    cos, around = rng.uniform(-1, 1, n), _phi(n, rng)
    sin = np.sqrt(1 - cos**2)
    unit = np.stack([sin * np.cos(around), sin * np.sin(around), cos], axis=1)
    mt = np.hypot(m, pt)
    p = np.stack([pt * np.cos(phi), pt * np.sin(phi), mt * np.sinh(y)], axis=1)
    energy = mt * np.cosh(y)
    found = []
    for sign in (1, -1):
        k = sign * unit * m[:, None] / 2
        along = (p * k).sum(axis=1)
        boosted = k + p * ((along / (energy + m) + m / 2) / m)[:, None]
        found.append(np.concatenate([boosted, ((energy * m / 2 + along) / m)[:, None]], axis=1))
    return found[0], found[1]


def _shares(n: int, hadronic: bool, rng: Rng) -> Floats:
    """Return (n,) shares of energy that are seen of taus, by the density that the mass is reconstructed with."""
    x = np.linspace(0.005, 0.995, 400)
    below = np.cumsum(share_density(x, hadronic))
    return np.interp(rng.random(n), below / below[-1], x)


def _seen(
    visible: tuple[Floats, Floats], invisible: Floats, jets: Floats, flavour: Floats, channel: str, rng: Rng
) -> Seen:
    """Return what is measured of visible decays (n, 4), momenta that leave (n, 2), and jets of beauty where `flavour`
    (n, j) says so."""
    n, measured = len(invisible), []
    for one, hadronic in zip(visible, HADRONIC[channel], strict=True):
        spread = TAU_RESOLUTION if hadronic else LEPTON_RESOLUTION
        measured.append(one * rng.normal(1, spread, n).clip(0.5)[:, None])
    smeared = jets * rng.normal(1, JET_RESOLUTION, jets.shape[:2]).clip(0.3)[..., None]
    total = np.hypot(jets[..., 0], jets[..., 1]).sum(axis=1) + 60.0
    resolution = 4.0 + 0.75 * np.sqrt(total)
    met = invisible + rng.normal(0, resolution[:, None], (n, 2)) - (smeared - jets)[..., :2].sum(axis=1) * 0.5
    tagged = rng.random(flavour.shape) < np.where(flavour, TAGGED, MISTAGGED)
    central = np.abs(np.arcsinh(jets[..., 2] / np.maximum(np.hypot(jets[..., 0], jets[..., 1]), 1e-9)))
    smeared = np.where((central < JET_ETA)[..., None], smeared, 0.0)
    tagged &= central < 2.4
    first, second = measured
    if HADRONIC[channel][0] == HADRONIC[channel][1] and channel == "tt":  # both alike: the harder one is the first
        swap = np.hypot(*first[:, :2].T) < np.hypot(*second[:, :2].T)
        first, second = np.where(swap[:, None], second, first), np.where(swap[:, None], first, second)
    return Seen(first, second, met, resolution, smeared, tagged)


def _pair(m: Floats, pt: Floats, jets: Floats, phi: Floats, channel: str, rng: Rng) -> Seen:
    """Return a resonance with its taus; `phi` (n,) of its momentum."""
    n = len(m)
    taus = _decay(m, pt, rng.normal(0, 1.1, n), phi, rng)
    shares = [_shares(n, hadronic, rng)[:, None] for hadronic in HADRONIC[channel]]
    visible = taus[0] * shares[0], taus[1] * shares[1]
    invisible = (taus[0] * (1 - shares[0]) + taus[1] * (1 - shares[1]))[:, :2]
    return _seen(visible, invisible, jets, np.zeros(jets.shape[:2], bool), channel, rng)


def _radiated(pt: Floats, phi: Floats, rng: Rng, more: float) -> Floats:
    """Return (n, JETS, 4): jets that balance a momentum, one or two of them, and `more` soft ones on average."""
    n = len(pt)
    split = np.where(rng.random(n) < 0.35, rng.beta(4, 2, n), 1.0)
    jets = np.zeros((n, JETS, 4))
    eta = rng.normal(0, 1.6, (n, JETS))
    jets[:, 0] = _vector(
        pt * split * rng.normal(0.95, 0.1, n).clip(0.3), eta[:, 0], phi + np.pi + rng.normal(0, 0.2, n)
    )
    jets[:, 1] = _vector(pt * (1 - split), eta[:, 0] + rng.normal(0, 1.0, n), phi + np.pi + rng.normal(0, 0.5, n))
    soft = np.arange(JETS - 2) < rng.poisson(more, n)[:, None]
    size = np.where(soft, 20.0 + rng.exponential(22.0, (n, JETS - 2)), 0.0)
    jets[:, 2:] = _vector(size, eta[:, 2:], rng.uniform(-np.pi, np.pi, (n, JETS - 2)))
    return jets


def _ggh(channel: str, n: int, rng: Rng) -> Seen:
    pt, phi = rng.gamma(1.3, 34.0, n), _phi(n, rng)
    return _pair(np.full(n, M_H), pt, _radiated(pt, phi, rng, 0.25), phi, channel, rng)


def _qqh(channel: str, n: int, rng: Rng) -> Seen:
    """Two quarks go on, far apart, and the boson has what they lack."""
    eta = rng.normal(0, 0.9, n)
    gap = rng.gamma(7.0, 0.6, n)
    sizes = 18.0 + rng.gamma(2.0, 34.0, (2, n))
    phi = rng.uniform(-np.pi, np.pi, (2, n))
    jets = np.zeros((n, JETS, 4))
    jets[:, 0], jets[:, 1] = (_vector(sizes[k], eta + (0.5 - k) * gap, phi[k]) for k in (0, 1))
    soft = rng.random(n) < 0.12
    jets[:, 2] = _vector(np.where(soft, 20 + rng.exponential(15.0, n), 0), rng.normal(0, 1.8, n), _phi(n, rng))
    away = -jets[..., :2].sum(axis=1)
    return _pair(np.full(n, M_H), np.hypot(*away.T), jets, np.arctan2(away[:, 1], away[:, 0]), channel, rng)


def _ztt(channel: str, n: int, rng: Rng) -> Seen:
    ends = np.arctan((np.array([60.0, 130.0]) - M_Z) / (0.5 * GAMMA_Z))
    m = M_Z + 0.5 * GAMMA_Z * np.tan(rng.uniform(ends[0], ends[1], n))
    pt, phi = rng.gamma(0.9, 22.0, n), _phi(n, rng)
    return _pair(m, pt, _radiated(pt, phi, rng, 0.18), phi, channel, rng)


def _tt(channel: str, n: int, rng: Rng) -> Seen:
    """Two W bosons with a lepton, tau or jet each, and two b jets."""
    visible, invisible = [], np.zeros((n, 2))
    tops = rng.gamma(2.2, 50.0, n)
    phi = _phi(n, rng)
    jets = np.zeros((n, JETS, 4))
    for k in (0, 1):
        charged, neutrino = _decay(
            np.full(n, M_W),
            tops * rng.beta(4, 3, n),
            rng.normal(0, 1.0, n),
            phi + k * np.pi + rng.normal(0, 0.5, n),
            rng,
        )
        share = _shares(n, True, rng)[:, None] if HADRONIC[channel][k] else np.ones((n, 1))
        visible.append(charged * share)
        invisible += (neutrino + charged * (1 - share))[:, :2]
        jets[:, k] = _vector(
            25.0 + rng.gamma(2.0, 28.0, n), rng.normal(0, 1.1, n), phi + k * np.pi + rng.normal(0, 1.1, n)
        )
    radiated = rng.random(n) < 0.5
    jets[:, 2] = _vector(np.where(radiated, 20 + rng.exponential(35.0, n), 0), rng.normal(0, 1.6, n), _phi(n, rng))
    flavour = np.zeros((n, JETS), bool)
    flavour[:, :2] = True
    return _seen((visible[0], visible[1]), invisible, jets, flavour, channel, rng)


def _wjets(channel: str, n: int, rng: Rng) -> Seen:
    pt, phi = rng.gamma(1.2, 30.0, n), _phi(n, rng)
    lepton, neutrino = _decay(np.full(n, M_W), pt, rng.normal(0, 1.2, n), phi, rng)
    faked = _vector(18.0 + rng.exponential(20.0, n), rng.normal(0, 1.4, n), phi + np.pi + rng.normal(0, 0.9, n))
    first, second = lepton, faked
    if channel in ("tt", "em"):  # either of both is the one that is real
        swap = (rng.random(n) < 0.5)[:, None]
        first, second = np.where(swap, faked, lepton), np.where(swap, lepton, faked)
    rest = np.maximum(pt - np.hypot(*faked[:, :2].T), 0.0)
    jets = _radiated(rest, phi, rng, 0.3)
    return _seen((first, second), neutrino[:, :2], jets, np.zeros((n, JETS), bool), channel, rng)


def _fakes(channel: str, n: int, rng: Rng) -> Seen:
    """Two jets back to back that are taken for taus or leptons, at times with a third one."""
    least, phi = THRESHOLDS[channel], _phi(n, rng)
    first = _vector(least[0] * 0.8 + rng.exponential(17.0, n), rng.normal(0, 1.1, n), phi)
    size = np.hypot(*first[:, :2].T) * rng.normal(0.95, 0.25, n).clip(0.3) - (least[0] - least[1]) * 0.8
    second = _vector(size.clip(5.0), rng.normal(0, 1.1, n), phi + np.pi + rng.normal(0, 0.35, n))
    away = -(first + second)[:, :2]
    jets = _radiated(np.hypot(*away.T), np.arctan2(-away[:, 1], -away[:, 0]), rng, 0.3)
    return _seen((first, second), rng.normal(0, 6.0, (n, 2)), jets, np.zeros((n, JETS), bool), channel, rng)


MAKERS: dict[str, Callable[[str, int, Rng], Seen]] = {
    "ggh": _ggh, "qqh": _qqh, "ztt": _ztt, "tt": _tt, "wjets": _wjets, "fakes": _fakes,
}  # fmt: skip
