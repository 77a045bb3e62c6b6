"""A two-phase xenon TPC as in LZ: from photons and electrons to the areas of S1 and S2, and their corrections.

S1 is the light in the liquid, S2 that of the electrons, drifted to the surface and extracted into the gas. Areas are in
photons detected (phd).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.xenon.quanta import draw_quanta

RADIUS_MM, LENGTH_MM = 728.0, 1461.0
WALL_MM = 688.0  # where the outermost charge is seen
PHD_VARIANCE = 0.19  # of one photon detected: resolution of a photoelectron and the chance of two
VELOCITY = {50: 1.05, 100: 1.35, 193: 1.52, 300: 1.63, 500: 1.79}  # V/cm: mm/us, NEST at 174 K


@dataclass(frozen=True)
class Detector:
    """What a detector is built like: `g1` phd per photon, `extraction` of an electron, `electron_phd` it then gives.

    `spread`: relative rms of that; field and lifetime are the usual ones, the latter also that of the corrections.
    """

    name: str
    g1: float
    extraction: float
    electron_phd: float
    spread: float
    field_v_cm: float
    lifetime_us: float

    @property
    def g2(self) -> float:
        """Return the phd per electron at the liquid's surface."""
        return self.extraction * self.electron_phd


DETECTORS = {
    "LZ_WS2022": Detector("LZ_WS2022", 0.1136, 0.805, 58.5, 0.15, 193.0, 6500.0),
    "LZ_WS2024": Detector("LZ_WS2024", 0.1122, 0.726, 46.9, 0.18, 96.5, 9000.0),
}


def detector_of(name: str) -> Detector:
    """Return the detector of that name. Raises SettingsError for one that is not known."""
    if name not in DETECTORS:
        raise SettingsError(f"detector {name!r} is not one of {', '.join(DETECTORS)}")
    return DETECTORS[name]


@dataclass(frozen=True)
class Deposits:
    """n deposits of one species: (n,) energies, true places (depth below the liquid's surface), and the share of
    `charge` that is not lost to a wall."""

    species: str
    energy_kev: Floats
    x_mm: Floats
    y_mm: Floats
    depth_mm: Floats
    charge: Floats

    def __len__(self) -> int:
        return len(self.energy_kev)


class PmtSignals(NamedTuple):
    """Areas (n,) of S1 and S2 of deposits in phd, raw and corrected to the centre of the detector and to no loss of
    electrons."""

    s1_phd: Floats
    s2_phd: Floats
    s1c_phd: Floats
    s2c_phd: Floats


# (deposits, detector, field in V/cm, true lifetime in us, random numbers)
Engine = Callable[[Deposits, Detector, float, float, np.random.Generator], PmtSignals]


def drift_velocity(field_v_cm: float) -> float:
    """Return the drift velocity of electrons in liquid xenon, in mm/us."""
    return float(np.interp(field_v_cm, list(VELOCITY), list(VELOCITY.values())))


def light_map(depth_mm: Floats, radius_mm: Floats) -> Floats:
    """Return the S1 light collected (n,), relative to the centre: the bottom sees more, for light is reflected at the
    surface."""
    u = 0.5 - depth_mm / LENGTH_MM
    return (1 - 0.454 * u + 0.435 * u**2) * (1 - 0.03 * (radius_mm / WALL_MM) ** 2)


def electroluminescence_map(radius_mm: Floats) -> Floats:
    """Return the S2 light of one electron (n,), relative to the centre."""
    share = radius_mm / WALL_MM
    return 1 - 0.15 * share - 0.12 * share**4


def surrogate(
    deposits: Deposits, detector: Detector, field_v_cm: float, lifetime_us: float, rng: np.random.Generator
) -> PmtSignals:
    """Return S1 and S2 of each deposit without NEST: binomial light and charge, Gaussian response of the
    photomultipliers."""
    photons, electrons = draw_quanta(deposits.species, deposits.energy_kev, field_v_cm, rng)
    radius = np.hypot(deposits.x_mm, deposits.y_mm)
    light, gas = light_map(deposits.depth_mm, radius), electroluminescence_map(radius)
    detected = rng.binomial(photons, np.minimum(detector.g1 * light, 1.0))
    s1 = detected + np.sqrt(PHD_VARIANCE * detected) * rng.standard_normal(len(deposits))
    drift_us = deposits.depth_mm / drift_velocity(field_v_cm)
    arriving = detector.extraction * deposits.charge * np.exp(-drift_us / lifetime_us)
    extracted = rng.binomial(electrons, arriving)
    spread = detector.spread * np.sqrt(extracted) * rng.standard_normal(len(deposits))
    s2 = detector.electron_phd * gas * (extracted + spread)
    s1, s2 = s1.clip(0), s2.clip(0)
    return PmtSignals(s1, s2, s1 / light, s2 / gas * np.exp(drift_us / detector.lifetime_us))
