"""initial: energy densities at the start of a collision: Glauber models, hot spots, and one by thickness functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.core.errors import SettingsError

MODELS = ("optical", "glauber", "spots", "trento")


@dataclass(frozen=True)
class Nucleus:
    """Nucleons `a` in a Woods-Saxon of `radius` and `skin` in fm; `sigma` mb: inelastic cross section of nucleons."""

    a: int
    radius: float
    skin: float
    sigma: float


GOLD, LEAD = Nucleus(197, 6.38, 0.535, 42.0), Nucleus(208, 6.62, 0.546, 62.0)
SPOT = 0.6  # fm: the width of a nucleon


def positions(nucleus: Nucleus, rng: np.random.Generator) -> Floats:
    """Return the transverse places (a, 2) of nucleons, in fm, drawn from the Woods-Saxon density."""
    found = np.empty((0, 3))
    while len(found) < nucleus.a:
        reach = nucleus.radius + 10 * nucleus.skin
        trial = rng.uniform(-reach, reach, (4000, 3))
        r = np.sqrt((trial**2).sum(axis=1))
        keep = rng.random(4000) < 1 / (1 + np.exp((r - nucleus.radius) / nucleus.skin))
        found = np.concatenate([found, trial[keep & (r < reach)]])
    found = found[: nucleus.a] - found[: nucleus.a].mean(axis=0)
    return found[:, :2]


def thickness(places: Floats, weight: Floats, x: Floats, width: float = SPOT) -> Floats:
    """Return (nx, ny) the sum of Gaussians of a `width` around places (n, 2), in 1/fm^2."""
    gx, gy = (np.exp(-((x[:, None] - places[:, k]) ** 2) / (2 * width**2)) for k in (0, 1))
    return (gx * weight) @ gy.T / (2 * np.pi * width**2)


def initial_energy(
    model: str, x: Floats, b: float, rng: np.random.Generator, nucleus: Nucleus = GOLD, peak: float = 30.0
) -> Floats:
    """Return the energy density (nx, ny) in GeV/fm^3 on a grid x (fm) along both axes, of a collision at impact
    parameter `b` (fm); `peak`: of a central collision of smooth nuclei.

    "optical": smooth participants; "glauber": participants and binary collisions of drawn nucleons; "spots": the same
    with a random strength of each participant; "trento": the square root of both thickness functions (Moreland,
    Bernhard & Bass 2015, p = 0). Raises SettingsError for another model.
    """
    if model not in MODELS:
        raise SettingsError(f"initial must be one of {', '.join(MODELS)}, got {model!r}")
    if model == "optical":
        return peak * _optical(x, b, nucleus) / _optical(x, 0.0, nucleus).max()
    shift = np.array([b / 2, 0.0])
    one, two = positions(nucleus, rng) - shift, positions(nucleus, rng) + shift
    distance2 = ((one[:, None] - two) ** 2).sum(axis=2)
    hit = distance2 < nucleus.sigma / 10 / np.pi
    wounded = [one[hit.any(axis=1)], two[hit.any(axis=0)]]
    scale = peak / _central(nucleus, x)
    if model == "trento":
        left, right = (thickness(part, rng.gamma(1.4, 1 / 1.4, len(part)), x) for part in wounded)
        return 2 * scale * np.sqrt(left * right)
    strength = [rng.gamma(2.0, 0.5, len(part)) if model == "spots" else np.ones(len(part)) for part in wounded]
    of_wounded = thickness(np.concatenate(wounded), np.concatenate(strength), x)
    if model == "spots":
        return scale * of_wounded
    i, j = np.nonzero(hit)
    of_pairs = thickness(0.5 * (one[i] + two[j]), np.ones(len(i)), x)
    return scale * (0.86 * of_wounded + 0.14 * of_pairs)


def _sheet(r: Floats, nucleus: Nucleus) -> Floats:
    """Return the thickness function of a smooth nucleus in 1/fm^2."""
    z = np.linspace(-15, 15, 301)
    rho = 1 / (1 + np.exp((np.sqrt(r[..., None] ** 2 + z**2) - nucleus.radius) / nucleus.skin))
    radius = np.linspace(0, 20, 2001)
    total = 4 * np.pi * np.trapezoid(radius**2 / (1 + np.exp((radius - nucleus.radius) / nucleus.skin)), radius)
    return nucleus.a * np.trapezoid(rho, z, axis=-1) / total


def _optical(x: Floats, b: float, nucleus: Nucleus) -> Floats:
    """Return the participants per fm^2 of smooth nuclei."""
    r = np.linspace(0, 30, 601)
    sheet = _sheet(r, nucleus)
    left, right = (np.interp(np.hypot(x[:, None] + sign * b / 2, x), r, sheet) for sign in (1, -1))
    cross = nucleus.sigma / 10
    return left * (1 - (1 - cross * right / nucleus.a) ** nucleus.a) + right * (
        1 - (1 - cross * left / nucleus.a) ** nucleus.a
    )


def _central(nucleus: Nucleus, x: Floats) -> float:
    return float(_optical(np.array([0.0]), 0.0, nucleus).max())
