"""Equations of state of strongly interacting matter: energy density in GeV/fm^3 to pressure, speed of sound and
temperature, as tables that compiled code reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.core.errors import SettingsError, SourceError

HBAR_C = 0.1973269804  # GeV fm
LOWEST, HIGHEST, POINTS = 1e-7, 2e3, 6000  # GeV/fm^3
NAMES = ("ideal", "lattice", "first_order")
QUARKS = 2.5  # flavours of the ideal gas
LEAP = 5.0  # a step in log e so many times larger than both beside it is a gap in a table


@dataclass(frozen=True)
class EquationOfState:
    """`ratio` p / e, `sound` (speed of sound squared = dp/de) and `temperature` in GeV on a grid of even steps in
    log e, from LOWEST to HIGHEST GeV/fm^3; `known`: the energy densities between which a table said them."""

    name: str
    ratio: Floats
    sound: Floats
    temperature: Floats
    known: tuple[float, float] = (0.0, HIGHEST)

    @property
    def grid(self) -> Floats:
        """Return the energy densities of the tables, in GeV/fm^3."""
        return np.geomspace(LOWEST, HIGHEST, POINTS)

    def pressure(self, e: Floats) -> Floats:
        """Return the pressure in GeV/fm^3."""
        return e * np.interp(np.log(e), np.log(self.grid), self.ratio)

    def temperature_of(self, e: Floats) -> Floats:
        """Return the temperature in GeV."""
        return np.interp(np.log(e), np.log(self.grid), self.temperature)

    def entropy(self, e: Floats) -> Floats:
        """Return the entropy density in 1/fm^3: (e + p) / T."""
        return (e + self.pressure(e)) / self.temperature_of(e)

    def energy_at(self, temperature: float) -> float:
        """Return the energy density at a temperature, in GeV/fm^3; in a mixed phase the lowest one. Raises
        SettingsError beyond the tables."""
        if not self.temperature[0] < temperature < self.temperature[-1]:
            raise SettingsError(f"T = {temperature:g} GeV is beyond the tables of the equation of state {self.name}")
        at = int(np.searchsorted(self.temperature, temperature))
        low, high = self.temperature[at - 1 : at + 1]
        share = (temperature - low) / (high - low) if high > low else 0.0
        found = float(np.exp(np.log(self.grid[at - 1]) * (1 - share) + np.log(self.grid[at]) * share))
        if not self.known[0] <= found <= self.known[1]:
            raise SettingsError(
                f"T = {temperature:g} GeV is beyond the rows of the equation of state {self.name}, from "
                f"{self.known[0]:.3g} to {self.known[1]:.3g} GeV/fm^3: give more rows, or another freeze_out"
            )
        return found


def equation_of_state(name: str) -> EquationOfState:
    """Return one by name: "ideal" (massless gluons and 2.5 quarks), "lattice" (a smooth crossover, as computed on the
    lattice), "first_order" (a bag of quarks and gluons, a mixed phase and hadrons); or FILE of a table.

    A table has rows of e (GeV/fm^3), p (GeV/fm^3) and T (GeV), rising, in CSV or text. Raises SettingsError for another
    name, SourceError for a table with gaps or in which e falls.
    """
    if name in NAMES:
        return {"ideal": _ideal, "lattice": _crossover, "first_order": _first_order}[name]()
    if Path(name).is_dir():
        return _checked(Path(name), _of_folder(Path(name)))
    if not Path(name).is_file():
        raise SettingsError(f"eos must be {', '.join(NAMES)} or the file of a table, got {name!r}")
    return _of_file(Path(name))


def _degrees() -> float:
    """Return the degrees of freedom of the ideal gas: e = g pi^2 / 30 T^4."""
    return 16 + 10.5 * QUARKS


def _ideal() -> EquationOfState:
    e = np.geomspace(LOWEST, HIGHEST, POINTS)
    temperature = (e * HBAR_C**3 * 30 / (np.pi**2 * _degrees())) ** 0.25
    third = np.full(POINTS, 1 / 3)
    return EquationOfState("ideal", third, third, temperature)


def _crossover() -> EquationOfState:
    """The parametrisation of 2 + 1 flavours by HotQCD (Bazavov et al. 2014, arXiv:1407.6387, eq. 16): p / T^4 of
    T / 154 MeV; below 130 MeV, where it was not computed, an ideal gas of hadrons that goes on with its slope."""
    t = np.geomspace(0.13, 2.0, 40_000) / 0.154
    ideal = 95 * np.pi**2 / 180
    above = ideal - 8.7704 / t + 3.9200 / t**2 + 0.3419 / t**4
    below = 1 - 1.2600 / t + 0.8425 / t**2 - 0.0475 / t**4
    temperature = t * 0.154
    p = 0.5 * (1 + np.tanh(3.8706 * (t - 0.9761))) * above / below * temperature**4 / HBAR_C**3
    slope = np.gradient(p, temperature, edge_order=2)
    e = temperature * slope - p
    return _tabulated("lattice", e, p, temperature)


def _tabulated(name: str, e: Floats, p: Floats, temperature: Floats) -> EquationOfState:
    """Tables on the grid; below the first energy density matter with the speed of sound that it has there."""
    grid = np.geomspace(LOWEST, HIGHEST, POINTS)
    sound = np.clip(np.gradient(p, e), 1e-6, 1 / 3)
    least = max(float(sound[:20].mean()), 0.05)
    c2 = np.interp(np.log(grid), np.log(e), sound, left=least)
    return _from_sound(name, grid, c2, float(np.interp(e[len(e) // 2], grid, grid)), _at(e, p), _at(e, temperature))


def _at(e: Floats, values: Floats) -> Callable[[float], float]:
    return lambda x: float(np.interp(np.log(x), np.log(e), values))


def _from_sound(
    name: str, grid: Floats, c2: Floats, anchor: float, pressure: Callable[[float], float],
    temperature: Callable[[float], float],
) -> EquationOfState:  # fmt: skip
    """Integrate dp = c^2 de and dT / T = c^2 de / (e + p) from an `anchor`, so that all tables agree."""
    steps = np.diff(grid)
    middle = 0.5 * (c2[1:] + c2[:-1])
    p = np.concatenate([[0.0], np.cumsum(middle * steps)])
    p += c2[0] * grid[0]
    p += pressure(anchor) - np.interp(anchor, grid, p) if name != "first_order" else 0.0
    p = np.maximum(p, 1e-3 * grid)
    log_t = np.concatenate([[0.0], np.cumsum(middle * steps / (0.5 * (grid[1:] + grid[:-1] + p[1:] + p[:-1])))])
    scale = temperature(anchor) / np.exp(np.interp(anchor, grid, log_t))
    return EquationOfState(name, p / grid, c2, scale * np.exp(log_t))


def _first_order() -> EquationOfState:
    """EOSQ of Song & Heinz 2008 (arXiv:0712.3715): c^2 = 0.15 below 0.45 GeV/fm^3, 0 to 1.6, 1/3 above, the steps
    smoothed by Fermi functions of 0.1 and 0.2 GeV/fm^3; hadrons and quarks meet at 164 MeV."""
    grid = np.geomspace(LOWEST, HIGHEST, POINTS)
    hadrons = 0.15 / (1 + np.exp(np.clip((grid - 0.45) / 0.02, -60, 60)))
    quarks = (1 / 3) / (1 + np.exp(np.clip(-(grid - 1.6) / 0.04, -60, 60)))
    c2 = np.maximum(hadrons + quarks, 1e-4)
    return _from_sound("first_order", grid, c2, 1.0, lambda _: 0.0, lambda _: 0.164)


def _of_file(path: Path) -> EquationOfState:
    try:
        table = np.genfromtxt(path, delimiter="," if path.suffix == ".csv" else None, comments="#", ndmin=2)
    except ValueError as error:
        raise SourceError(
            f"{path}: is no table of e, p, T ({str(error)[:80]}); write three columns of numbers"
        ) from error
    if table.shape[1] < 3 or len(table) < 10:
        raise SourceError(f"{path}: has {table.shape} numbers; a table needs ten rows of e, p and T at least")
    return _checked(path, table[:, :3])


def _of_folder(folder: Path) -> Floats:
    """Return rows of e, p, T of tables as s95p is published: two lines first, then rows that fall in e."""
    parts = []
    for dense in sorted(folder.glob("*_dens[0-9].dat")):
        names = dense, dense.with_name(dense.name.replace("_dens", "_par"))
        try:
            state, other = (np.loadtxt(one, skiprows=2, ndmin=2) for one in names)
            parts.append(np.column_stack([state[:, :2], other[:, 0]])[::-1])
        except (OSError, ValueError, IndexError) as error:
            raise SourceError(f"{dense}: is no table of s95p ({str(error)[:80]}); it needs {names[1].name}") from error
    if not parts:
        raise SourceError(f"{folder}: has no tables *_dens1.dat; give a folder of s95p, or a file with rows of e, p, T")
    whole = np.concatenate(parts)
    return whole[np.unique(whole[:, 0], return_index=True)[1]]  # the last row of a file is the first of the next


def _checked(path: Path, table: Floats) -> EquationOfState:
    """Return an equation of state as rows of e, p, T say it. Raises SourceError for rows that cannot be."""
    e, p, temperature = table.T
    bad = ~np.isfinite(table).all(axis=1)
    if bad.any():
        raise SourceError(f"{path}: row {int(np.argmax(bad)) + 1} has a gap; fill it, or leave the row out")
    for name, column in (("e", e), ("p", p), ("T", temperature)):
        if (np.diff(column) < 0).any() or column[0] <= 0:
            row = int(np.argmax(np.diff(column) < 0)) + 2
            raise SourceError(f"{path}: {name} falls in row {row}; rows must rise from low to high energy density")
    steps = np.diff(np.log(e))
    if not steps.all():
        raise SourceError(f"{path}: e is the same in rows {int(np.argmin(steps)) + 1} and the next; leave one out")
    beside = np.maximum(np.concatenate([steps[1:2], steps[:-1]]), np.concatenate([steps[1:], steps[-2:-1]]))
    if (steps > LEAP * beside).any():
        row = int(np.argmax(steps > LEAP * beside))
        raise SourceError(
            f"{path}: has a gap between rows {row + 1} and {row + 2}, from {e[row]:.4g} to {e[row + 1]:.4g} GeV/fm^3; "
            "fill it: what is between is not known"
        )
    fast = np.diff(p) >= np.diff(e)
    if fast.any():
        row = int(np.argmax(fast)) + 1
        raise SourceError(f"{path}: p rises faster than e after row {row}: sound would be faster than light; mend it")
    return _as_said(path.stem, e, p, temperature)


def _as_said(name: str, e: Floats, p: Floats, temperature: Floats) -> EquationOfState:
    """Pressure and temperature as a table has them (out of chemical equilibrium one does not follow from the other);
    beyond its rows p / e stays as it is there."""
    grid = np.geomspace(LOWEST, HIGHEST, POINTS)
    at, log = np.log(grid), np.log(e)
    ratio = np.interp(at, log, p / e)
    sound = np.where((grid < e[0]) | (grid > e[-1]), ratio, np.interp(at, log, np.gradient(p, e)))
    beyond = np.minimum(at - log[0], 0) * _power(p[0] / e[0]) + np.maximum(at - log[-1], 0) * _power(p[-1] / e[-1])
    found = np.exp(np.interp(at, log, np.log(temperature)) + beyond)
    return EquationOfState(name, ratio, np.clip(sound, 1e-6, 0.999), found, (float(e[0]), float(e[-1])))


def _power(ratio: float) -> float:
    return ratio / (1 + ratio)
