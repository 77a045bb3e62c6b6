"""Linear optics of a FODO line: transfer matrices, periodic Twiss functions, and the orbit that a kick makes.

Coordinates of one plane: (u, u') in metres and radians, quadrupole strength k1 > 0 focuses in x and defocuses in y
(the sign convention of MAD-X and Cheetah). Formulae: Wiedemann, Particle Accelerator Physics, ch. 5, 7 and 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.core.errors import SettingsError

Plane = Literal["x", "y"]


def drift(length_m: float) -> Floats:
    """(2, 2) transfer matrix of a field-free length."""
    return np.array([[1.0, length_m], [0.0, 1.0]])


def quadrupole(length_m: float, k1_per_m2: float) -> Floats:
    """(2, 2) transfer matrix of a thick quadrupole that focuses this plane where k1 > 0, defocuses it where k1 < 0."""
    if k1_per_m2 == 0:
        return drift(length_m)
    root = np.sqrt(abs(k1_per_m2))
    phase = root * length_m
    if k1_per_m2 > 0:
        return np.array([[np.cos(phase), np.sin(phase) / root], [-root * np.sin(phase), np.cos(phase)]])
    return np.array([[np.cosh(phase), np.sinh(phase) / root], [root * np.sinh(phase), np.cosh(phase)]])


@dataclass(frozen=True)
class Fodo:
    """A line of equally spaced quadrupoles of alternating sign; stations are their centres, station 0 focuses in x.

    Defaults: spacing of the undulator intersections of the European XFEL, mean beta about 30 m.
    """

    stations: int
    half_cell_m: float = 6.1
    quadrupole_m: float = 0.1
    k1_per_m2: float = 0.68

    def __post_init__(self) -> None:
        if self.stations < 2 or not 0 < self.quadrupole_m < self.half_cell_m:
            raise SettingsError("a FODO line needs two stations or more, and quadrupoles shorter than a half cell")
        if abs(np.trace(self.cell("x"))) >= 2:
            raise SettingsError(f"no periodic optics: quadrupoles of k1 = {self.k1_per_m2} / m2 are too strong")

    def half_cell(self, plane: Plane, station: int) -> Floats:
        """(2, 2) matrix from the centre of a quadrupole to the centre of the next."""
        focusing = (station % 2 == 0) == (plane == "x")
        k1 = self.k1_per_m2 if focusing else -self.k1_per_m2
        here, there = quadrupole(self.quadrupole_m / 2, k1), quadrupole(self.quadrupole_m / 2, -k1)
        return np.asarray(there @ drift(self.half_cell_m - self.quadrupole_m) @ here)

    def cell(self, plane: Plane, station: int = 0) -> Floats:
        """(2, 2) matrix of one whole cell that starts at a station."""
        return np.asarray(self.half_cell(plane, station + 1) @ self.half_cell(plane, station))

    def transfer(self, plane: Plane, station: int = 0) -> Floats:
        """(stations - station, 2, 2) matrices from one station to itself and to all that follow."""
        matrices = [np.eye(2)]
        for here in range(station, self.stations - 1):
            matrices.append(self.half_cell(plane, here) @ matrices[-1])
        return np.stack(matrices)

    def phase_advance(self) -> float:
        """Betatron phase of one cell in radians, the same in both planes."""
        return float(np.arccos(np.trace(self.cell("x")) / 2))

    def beta_m(self, plane: Plane) -> Floats:
        """Return (stations,) periodic beta functions; alpha is zero in the centre of every quadrupole."""
        two = [self.cell(plane, station)[0, 1] / np.sin(self.phase_advance()) for station in (0, 1)]
        return np.resize(np.array(two), self.stations)

    def trajectories(self, plane: Plane, station: int = 0) -> Floats:
        """(2, stations) cosine-like and sine-like orbits of unit action sqrt(m) started at a station, zero before it.

        Every free oscillation, a leaked dispersion too, is a sum of these two: sqrt(beta) cos and sqrt(beta) sin.
        """
        beta = self.beta_m(plane)[station]
        orbits = np.zeros((2, self.stations))
        orbits[:, station:] = (self.transfer(plane, station)[:, 0] * [np.sqrt(beta), 1 / np.sqrt(beta)]).T
        return orbits

    def kick_response_m_per_rad(self, plane: Plane, station: int) -> Floats:
        """Return (stations,) orbit of a corrector at a station: sqrt(beta1 beta2) sin(phase) behind it, zero before."""
        response = np.zeros(self.stations)
        response[station:] = self.transfer(plane, station)[:, 0, 1]
        return response
