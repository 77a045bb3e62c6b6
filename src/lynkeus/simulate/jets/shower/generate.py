"""generate: the particles of many jets of mixed flavours, as the fast generator makes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.decays.decay import ancestor_of, decay
from lynkeus.simulate.jets.decays.table import PI, PI0, SPECIES
from lynkeus.simulate.jets.four_vectors import eta_of, of_pt_eta_phi, phi_of, pt_of
from lynkeus.simulate.jets.particles import BEAUTY, CHARM, NEUTRINOS, STRANGE, Particles
from lynkeus.simulate.jets.shower.hadronise import place_lines, shower_lines
from lynkeus.simulate.jets.shower.hard import Hard, along_axis, one_parton, three_prongs, two_prongs
from lynkeus.simulate.jets.shower.sudakov import Tune

LEPTONS = (11, 13, 15)
HEAVY_PT = 5.0  # GeV, of a hadron that gives a jet its flavour
SOFT_DENSITY, SOFT_GEV = 3.2, 0.8  # hadrons of the rest of the event per unit of eta and phi, and their mean pt


class Truth(NamedTuple):
    """Of n jets (n,) each: `flavour` code of what it comes from, `reach` largest distance of a prong from its axis,
    `fits`: the decays were possible, `hadron_flavour` 5, 4 or 0, `b_pt` GeV of its leading b hadron (0: none),
    `decay_mode` of a tau (5 (prongs - 1) + neutral pions; -1: none), `pt` GeV and `eta`, `phi`: visible ones of a tau,
    else of what it comes from."""

    flavour: Array
    reach: Floats
    fits: Array
    hadron_flavour: Array
    b_pt: Floats
    decay_mode: Array
    pt: Floats
    eta: Floats
    phi: Floats


class Window(NamedTuple):
    """What is wanted of a jet: its `pt` range in GeV and the `radius` that its prongs are within; jets that cannot be
    it are not carried through."""

    pt: tuple[float, float] = (0.0, np.inf)
    radius: float = np.inf


def generate(
    flavour: Array, pt: Floats, eta: Floats, tune: Tune, rng: np.random.Generator, window: Window | None = None
) -> tuple[Particles, Truth]:
    """Return the stable particles of jets (n,) that come from `flavour` with `pt` in GeV at `eta`, and the truth.

    Neutrinos are among the particles. A jet that is plainly outside of the `window` has no particle, and its `fits` is
    False.
    """
    count, phi = len(flavour), rng.uniform(-np.pi, np.pi, len(flavour))
    made, reach, fits = _primaries(flavour, pt, tune, rng)
    if window is not None:
        fits &= (reach < window.radius) & _may_be(made, flavour, window)
        made = made.cut(fits[made.owner])
    made = made.moved(turned(made.p, eta[made.owner], phi[made.owner]))
    mode, visible = np.full(count, -1), pt.copy()
    taus = np.abs(made.pdg) == 15
    if taus.any():
        decayed = decay(made.cut(taus), rng, stable=(PI0,))
        mode, visible = _tau_modes(decayed, count, pt)
        made = Particles.join([made.cut(~taus), decayed])
    ancestor, momentum = ancestor_of(made.pdg), pt_of(made.p)
    heavy = [_largest(made.owner, momentum, ancestor == kind, count) for kind in (BEAUTY, CHARM)]
    hadron_flavour = np.where(heavy[0] > HEAVY_PT, BEAUTY, np.where(heavy[1] > HEAVY_PT, CHARM, 0))
    made = Particles.join([made, _soft(np.flatnonzero(fits), eta, phi, tune.soft, rng)])
    truth = Truth(flavour, reach, fits, hadron_flavour, heavy[0], mode, visible, eta, phi)
    return decay(made, rng), truth


def _may_be(made: Particles, flavour: Array, window: Window) -> Array:
    """Return whether (n,) the hadrons around the axis of each jet, in its frame, may give a pt in the window: within a
    few resolutions, and more above where neutrinos take a part."""
    inside = np.hypot(eta_of(made.p), phi_of(made.p)) < window.radius
    x, y = (np.bincount(made.owner[inside], made.p[inside, k], len(flavour)) for k in (0, 1))
    pt, heavy = np.hypot(x, y), np.zeros(len(flavour), bool)
    heavy[made.owner[ancestor_of(made.pdg) > STRANGE]] = True
    low, high = (
        limit * (1 + sign * (0.05 + 1.5 / np.sqrt(limit))) for limit, sign in zip(window.pt, (-1, 1), strict=True)
    )
    return (pt > low - SOFT_DENSITY * SOFT_GEV * np.pi * window.radius**2) & ((pt < high) | heavy)


def turned(p: Floats, eta: Floats, phi: Floats) -> Floats:
    """Return four-vectors of the frame of a jet (its axis x) as seen where the jet is at eta and phi."""
    cosh, sinh, cos, sin = np.cosh(eta), np.sinh(eta), np.cos(phi), np.sin(phi)
    return np.stack(
        [p[:, 0] * cos - p[:, 1] * sin, p[:, 0] * sin + p[:, 1] * cos, p[:, 2] * cosh + p[:, 3] * sinh,
         p[:, 3] * cosh + p[:, 2] * sinh], axis=1
    )  # fmt: skip


def _primaries(flavour: Array, pt: Floats, tune: Tune, rng: np.random.Generator) -> tuple[Particles, Floats, Array]:
    """Return the hadrons (or leptons) of jets in their own frames, how far their prongs reach and whether they fit."""
    reach, fits = np.zeros(len(flavour)), np.ones(len(flavour), bool)
    parts, groups = [], list[tuple[Array, Hard]]()
    for kind in np.unique(flavour):
        chosen = np.flatnonzero(flavour == kind)
        if kind in LEPTONS:
            sign = np.where(rng.random(len(chosen)) < 0.5, 1, -1)
            mass = np.full(len(chosen), SPECIES[int(kind)].mass)
            parts.append(Particles.prompt(chosen, kind * sign, along_axis(pt[chosen], mass)))
            continue
        hard = _hard(int(kind), pt[chosen], rng)
        reach[chosen] = hard.reach
        groups.append((chosen, hard))
    if groups:
        particles, fit = _shower_groups(groups, tune, rng)
        parts.append(particles)
        fits[np.concatenate([chosen for chosen, _ in groups])] = fit
    return Particles.join(parts), reach, fits


def _hard(flavour: int, pt: Floats, rng: np.random.Generator) -> Hard:
    if flavour == 6:
        return three_prongs(pt, rng)
    return two_prongs(pt, flavour, rng) if flavour in (23, 24, 25) else one_parton(pt, flavour, rng)


def _shower_groups(groups: list[tuple[Array, Hard]], tune: Tune, rng: np.random.Generator) -> tuple[Particles, Array]:
    """Shower all lines of all groups at once; return the hadrons, and whether they fit, in the order of the groups."""
    owner = np.concatenate([np.repeat(chosen, hard.angle.shape[1]) for chosen, hard in groups])
    part = np.concatenate([np.tile(hard.chains, len(chosen)) for chosen, hard in groups])
    left, right, angle, energy = (
        np.concatenate([getattr(hard, name).reshape(-1) for _, hard in groups])
        for name in ("left", "right", "angle", "energy")
    )
    showered = shower_lines((left, right), angle, energy, owner * 2 + part, tune, rng)
    lines, fits, first = [], [], 0
    for chosen, hard in groups:
        last = first + hard.angle.size
        p, fit = hard.place(showered.mass[first:last].reshape(len(chosen), -1))
        lines.append(p.reshape(-1, 4))
        fits.append(fit)
        first = last
    p = place_lines(showered, energy, np.concatenate(lines))
    return Particles.prompt(owner[showered.line], showered.pdg, p), np.concatenate(fits)


def _tau_modes(products: Particles, count: int, pt: Floats) -> tuple[Array, Floats]:
    """Return the decay mode of the tau of each jet (-1: to leptons, or none) and its visible pt in GeV."""
    code, owner = np.abs(products.pdg), products.owner
    prongs = np.bincount(owner[code == PI], minlength=count)
    neutral = np.bincount(owner[code == PI0], minlength=count)
    has = np.bincount(owner, minlength=count) > 0
    seen = ~np.isin(code, NEUTRINOS)
    x, y = (np.bincount(owner[seen], products.p[seen, k], count) for k in (0, 1))
    return np.where(prongs > 0, 5 * (prongs - 1) + neutral, -1), np.where(has, np.hypot(x, y), pt)


def _largest(owner: Array, values: Floats, chosen: Array, count: int) -> Floats:
    most = np.zeros(count)
    np.maximum.at(most, owner[chosen], values[chosen])
    return most


def _soft(jets: Array, eta: Floats, phi: Floats, soft: float, rng: np.random.Generator) -> Particles:
    """Return soft pions of the rest of the collision around each of the `jets`, within a distance of 1."""
    number = rng.poisson(soft * SOFT_DENSITY * np.pi, len(jets))
    owner = np.repeat(jets, number)
    distance, azimuth = np.sqrt(rng.random(len(owner))), rng.uniform(-np.pi, np.pi, len(owner))
    pdg = rng.choice((PI, -PI, PI0), len(owner))
    masses = np.where(pdg == PI0, SPECIES[PI0].mass, SPECIES[PI].mass)
    pt = 0.1 + rng.exponential(SOFT_GEV - 0.1, len(owner))
    p = of_pt_eta_phi(pt, eta[owner] + distance * np.cos(azimuth), phi[owner] + distance * np.sin(azimuth), masses)
    return Particles.prompt(owner, pdg, p)
