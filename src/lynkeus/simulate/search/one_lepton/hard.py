"""Hard processes of the one-lepton search in closed forms: what is made, with which momenta, and the initial state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.decays.phase_space import decay_by_phase_space
from lynkeus.simulate.jets.four_vectors import boosted, mass_of, of_pt_eta_phi, with_mass
from lynkeus.simulate.search.one_lepton.columns import TOP, W
from lynkeus.simulate.search.one_lepton.decays import (
    BEAUTY,
    CHARM,
    HADRONS,
    LIGHT,
    NONE,
    W_SHARES,
    Partons,
    decay_top,
    decay_w,
    only_jets,
)

LEAST = {"tt1l": 200.0, "tt2l": 230.0, "wjets": 220.0, "qcd": 250.0}  # GeV of the top, the W, the jets that are made
POWER = {"tt1l": 5.6, "tt2l": 5.6, "wjets": 6.2, "qcd": 5.5}  # of the falling spectrum above it
MOST_JETS = 6  # that the recoil of a W splits into
STAIRCASE = 0.42  # of events with one jet more
ISR_MEAN = {"signal": 2.6, "tt1l": 2.0, "tt2l": 2.0, "wjets": 0.5, "qcd": 0.5}
FILTER_LEPTON, FILTER_LT, FILTER_HT = 15.0, 190.0, 200.0  # GeV
ISR_LEAST, MOST_ISR, MOST_ISR_PT = 25.0, 4, 1500.0
ISR_POWER = {"signal": 2.1, "tt1l": 3.4, "tt2l": 3.4, "wjets": 3.4, "qcd": 3.4}


def make(process: str, masses: Floats, rng: np.random.Generator) -> tuple[Partons, Array]:
    """Return events of a process, of the rows of `masses` (n, 2), of gluino and neutralino, which only the signal looks
    at, that pass the filter of generators, and these rows; transverse momenta of everything add up to nothing.

    The filter asks of partons less than what is asked of events: next to nothing that it drops would be selected.
    """
    made = MAKERS[process](masses, rng)
    lepton = np.hypot(made.leptons[..., 0], made.leptons[..., 1]).max(axis=1, initial=0.0)
    lt = lepton + np.hypot(made.unseen[:, 0], made.unseen[:, 1])
    ht = np.hypot(made.jets[..., 0], made.jets[..., 1]).sum(axis=1)
    hard = (
        (lt > FILTER_LT) & (ht > FILTER_HT) if process != "signal" else True
    )  # what makes compressed points is recoil
    rows = np.flatnonzero((lepton > FILTER_LEPTON) & hard)
    return _with_initial_state(made.cut(rows), process, rng), rows


def falling(count: int, least: float, power: float, rng: np.random.Generator) -> Floats:
    """Return momenta above `least` whose density falls by a power."""
    return least * (1.0 - rng.random(count)) ** (-1.0 / (power - 1.0))


def _pair(pt: Floats, mass: Floats, rng: np.random.Generator, spread: float = 0.7) -> tuple[Floats, Floats]:
    """Return two four-vectors of one mass, opposite in the plane, with their rapidities about that of the system."""
    count = len(pt)
    phi, half, system = rng.uniform(-np.pi, np.pi, count), spread * rng.normal(size=count), 0.6 * rng.normal(size=count)
    across = np.hypot(pt, mass)
    found = []
    for sign in (1.0, -1.0):
        y = np.clip(system + sign * half, -3.5, 3.5)
        momentum = np.stack([sign * pt * np.cos(phi), sign * pt * np.sin(phi), across * np.sinh(y)], axis=1)
        found.append(with_mass(momentum, mass))
    return found[0], found[1]


def _tops(process: str, leptons: int) -> Callable[[Floats, np.random.Generator], Partons]:
    def of(masses: Floats, rng: np.random.Generator) -> Partons:
        count = len(masses)
        pt = falling(count, LEAST[process], POWER[process], rng)
        tops = _pair(pt, np.full(count, TOP), rng)
        shares = np.array(W_SHARES)[1:]
        modes = [1 + rng.choice(3, count, p=shares / shares.sum()) for _ in tops]
        if leptons == 1:
            # One lepton: e or mu, also from a tau; a tau that decays to hadrons alone leaves none.
            modes = [np.where(rng.random(count) < W_SHARES[1] / (W_SHARES[1] + W_SHARES[2]), 1, 2),
                     np.full(count, HADRONS)]  # fmt: skip
        return Partons.join([decay_top(top, mode, rng) for top, mode in zip(tops, modes, strict=True)])

    return of


def _w_and_jets(masses: Floats, rng: np.random.Generator) -> Partons:
    count = len(masses)
    pt = falling(count, LEAST["wjets"], POWER["wjets"], rng)
    w, away = _pair(pt, np.full(count, W), rng, 0.8)
    jets, flavour = _split(away, rng, 2)
    # Gluons that become a pair of heavy quarks.
    heavy = rng.random(count)
    flavour[:, :2] = np.where((heavy < 0.06)[:, None], BEAUTY, np.where((heavy < 0.12)[:, None], CHARM, flavour[:, :2]))
    mode = np.where(rng.random(count) < W_SHARES[1] / (W_SHARES[1] + W_SHARES[2]), 1, 2)
    return Partons.join([decay_w(w, mode, rng), only_jets(jets, flavour)])


def _split(system: Floats, rng: np.random.Generator, least: int) -> tuple[Floats, Array]:
    """Return the jets (n, MOST_JETS, 4) that a recoil splits into, by phase space, and their flavour."""
    count = len(system)
    pt = np.hypot(system[:, 0], system[:, 1])
    number = np.minimum(least + rng.geometric(1.0 - STAIRCASE, count) - 1, MOST_JETS)
    jets, flavour = np.zeros((count, MOST_JETS, 4)), np.full((count, MOST_JETS), NONE)
    mass = pt * np.exp(rng.normal(np.log(0.35 * np.sqrt(number - 1.0)), 0.45))
    heavy = with_mass(system[:, :3], mass)
    for k in range(least, MOST_JETS + 1):
        own = number == k
        if own.any():
            jets[own, :k] = decay_by_phase_space(heavy[own], np.zeros((int(own.sum()), k)), rng)
            flavour[own, :k] = LIGHT
    return jets, flavour


def _qcd(masses: Floats, rng: np.random.Generator) -> Partons:
    """Jets of which one is taken for a lepton, or holds one; heavy quarks lose a neutrino."""
    count = len(masses)
    pt = falling(count, LEAST["qcd"], POWER["qcd"], rng)
    one, two = _pair(pt, np.full(count, 5.0), rng, 0.9)
    first, flavour = _split(one, rng, 2)
    second, more = _split(two, rng, 2)
    jets, flavour = np.concatenate([first, second], axis=1), np.concatenate([flavour, more], axis=1)
    heavy = rng.random(count) < 0.45
    flavour[heavy, 0] = BEAUTY
    flavour[heavy, MOST_JETS] = BEAUTY
    rows = np.arange(count)
    source = np.where(heavy, 0, rng.integers(0, 2, count))
    parent = jets[rows, source]
    share = np.where(heavy, rng.beta(2.0, 3.0, count), rng.beta(6.0, 2.0, count))
    lost = np.where(heavy, rng.beta(1.5, 3.0, count), 0.0) * (1 - share)
    lepton, unseen = parent * share[:, None], parent * lost[:, None]
    jets[rows, source] = parent - lepton - unseen
    made = only_jets(jets, flavour)
    return replace(made, leptons=lepton[:, None], unseen=unseen, w_pt=np.hypot(lepton[:, 0], lepton[:, 1]))


def _gluinos(masses: Floats, rng: np.random.Generator) -> Partons:
    """Pairs of gluinos, each to two tops and a neutralino by flat three-body phase space."""
    count = len(masses)
    gluino, lsp = masses.T
    pt = gluino * rng.gamma(2.2, 0.17, count)
    top = np.minimum(TOP, (gluino - lsp) / 2 - 1.0)  # where there is no room for two real tops, lighter virtual ones
    parts, unseen = [], np.zeros((count, 4))
    for one in _pair(pt, gluino, rng, 0.45):
        three = decay_by_phase_space(one, np.stack([top, top, lsp], axis=1), rng)
        unseen += three[:, 2]
        parts += [decay_top(three[:, k], rng.choice(4, count, p=W_SHARES), rng) for k in (0, 1)]
    made = Partons.join(parts)
    return replace(made, unseen=made.unseen + unseen)


def _with_initial_state(made: Partons, process: str, rng: np.random.Generator) -> Partons:
    """Return the events with jets of the initial state, from which everything else recoils (a boost in the plane)."""
    count = len(made)
    number = np.minimum(rng.poisson(ISR_MEAN[process], count), MOST_ISR)
    pt = np.minimum(falling(count * MOST_ISR, ISR_LEAST, ISR_POWER[process], rng), MOST_ISR_PT)
    pt = pt.reshape(count, MOST_ISR)
    pt = np.where(np.arange(MOST_ISR) < number[:, None], pt, 0.0)
    eta, phi = rng.normal(0, 1.6, pt.shape), rng.uniform(-np.pi, np.pi, pt.shape)
    jets = of_pt_eta_phi(pt.ravel(), eta.ravel(), phi.ravel()).reshape(count, MOST_ISR, 4)
    push = -jets[:, :, :2].sum(axis=1)
    total = made.total()
    mass = mass_of(total)
    # Into the rest frame of all that was made, and out of it with the recoil; its motion along the beam stays.
    rest = np.concatenate([-total[:, :3], total[:, 3:]], axis=1)
    frame = with_mass(np.concatenate([push, total[:, 2:3]], axis=1), mass)

    def moved(p: Floats) -> Floats:
        shape = p.shape
        each = shape[1] if p.ndim == 3 else 1
        flat, many = p.reshape(-1, 4), np.repeat(mass, each)
        own = boosted(boosted(flat, np.repeat(rest, each, axis=0), many), np.repeat(frame, each, axis=0), many)
        return own.reshape(shape)

    flavour = np.where(pt > 0, LIGHT, NONE)
    held = replace(made, jets=moved(made.jets), leptons=moved(made.leptons), unseen=moved(made.unseen[:, None])[:, 0])
    joined = Partons.join([held, only_jets(jets, flavour)])
    return replace(joined, recoil=np.hypot(*push.T))


MAKERS: Mapping[str, Callable[[Floats, np.random.Generator], Partons]] = {
    "signal": _gluinos, "tt1l": _tops("tt1l", 1), "tt2l": _tops("tt2l", 2), "wjets": _w_and_jets, "qcd": _qcd,
}  # fmt: skip
