"""Populations of events in a two-phase xenon TPC: what each deposits and where, or which pulses it fakes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.simulate.xenon.detector import WALL_MM, Deposits

DEPTH_MM = (130.0, 1420.0)  # between which events are taken: 86 to 934 us at 193 V/cm


@dataclass(frozen=True)
class EventPopulation:
    """`species` of the deposits; `lines` (keV, share), or a spectrum in `range_kev` that is flat, or falls with
    `slope_kev`. Those `at_wall` lose charge; of `pulses` (S1 median, S2 median in phd, spread in ln of each) nothing
    is deposited: both are chance."""

    species: str = ""
    lines: tuple[tuple[float, float], ...] = ()
    range_kev: tuple[float, float] = (1.0, 100.0)
    slope_kev: float = np.inf
    at_wall: bool = False
    pulses: tuple[float, ...] = ()


POPULATIONS = {
    "beta": EventPopulation("beta"),  # 214Pb, 85Kr
    "kr83m": EventPopulation("kr83m", lines=((41.5, 1.0),)),
    "xe131m": EventPopulation("gamma", lines=((163.9, 1.0),)),
    "alpha": EventPopulation("alpha", lines=((5590.0, 0.4), (6115.0, 0.4), (7834.0, 0.2))),  # 222Rn, 218Po, 214Po
    "wall": EventPopulation("beta", range_kev=(1.0, 60.0), at_wall=True),
    "accidental": EventPopulation(pulses=(6.0, 2500.0, 0.7, 1.1)),
    "nr": EventPopulation("nr", range_kev=(3.0, 100.0), slope_kev=18.0),
    "line": EventPopulation("gamma", lines=((236.1, 1.0),)),  # 129mXe
    "blob": EventPopulation(pulses=(40.0, 1300.0, 0.25, 0.2)),  # above the gate or in the gas: little charge
}
NAMES = tuple(POPULATIONS)
# Share of each in the events of a good run, and what a calibration source adds.
RATES = {"beta": 0.60, "xe131m": 0.16, "alpha": 0.03, "wall": 0.02, "accidental": 0.01}
SOURCES: dict[str, dict[str, float]] = {"": {}, "kr83m": {"kr83m": 0.18}, "ambe": {"nr": 0.18}}


def draw_deposits(population: EventPopulation, n: int, rng: np.random.Generator) -> Deposits:
    """Draw n deposits of a population: energies, and places that are uniform in the volume or, at the wall, along
    it."""
    radius, charge = WALL_MM * np.sqrt(rng.random(n)), np.ones(n)
    if population.at_wall:
        radius, charge = WALL_MM - rng.exponential(6.0, n).clip(max=WALL_MM), rng.uniform(0.03, 0.6, n)
    angle = rng.uniform(0, 2 * np.pi, n)
    energy = _energies(population, n, rng)
    depth = rng.uniform(*DEPTH_MM, n)
    return Deposits(population.species, energy, radius * np.cos(angle), radius * np.sin(angle), depth, charge)


def draw_pulses(population: EventPopulation, n: int, rng: np.random.Generator) -> tuple[Deposits, Floats, Floats]:
    """Draw n accidental coincidences: where they seem to be, and areas of their S1 and S2 in phd, as if corrected."""
    s1, s2, spread1, spread2 = population.pulses
    seeming = draw_deposits(EventPopulation("beta"), n, rng)
    return seeming, s1 * np.exp(spread1 * rng.standard_normal(n)), s2 * np.exp(spread2 * rng.standard_normal(n))


def _energies(population: EventPopulation, n: int, rng: np.random.Generator) -> Floats:
    """Draw energies (n,) in keV: lines, or a spectrum that is flat or falls exponentially."""
    if population.lines:
        energies, shares = np.array(population.lines).T
        return rng.choice(energies, n, p=shares / shares.sum())
    low, high = population.range_kev
    u = rng.random(n)
    if np.isinf(population.slope_kev):
        return low + (high - low) * u
    falls = -np.expm1(-(high - low) / population.slope_kev)
    return np.asarray(low - population.slope_kev * np.log1p(-u * falls))
