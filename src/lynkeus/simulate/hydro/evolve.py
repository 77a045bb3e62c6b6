"""evolve: from an initial energy density to the last instant of the fluid, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.hydro.eos import HIGHEST, LOWEST, EquationOfState
from lynkeus.simulate.hydro.step import FLOOR, Cells, Tables, heun

COURANT = 0.4  # time step by cell size
MOST_GROWTH = 2.0  # of the largest energy density; where two streams meet it may grow
PER_OCTAVE = 256  # entries of the tables of an equation of state


@dataclass
class Fluid:
    """The state at proper time `tau` (fm): energy density `e` (GeV/fm^3) and velocities `vx`, `vy` (nx, ny), in units
    of c, on cells of `dx` fm around the middle; `u` the conserved variables."""

    tau: float
    e: Floats
    vx: Floats
    vy: Floats
    dx: float
    u: Floats

    @classmethod
    def at_rest(cls, e: Floats, tau: float, dx: float, eos: EquationOfState) -> Fluid:
        """Return a fluid that does not move yet."""
        return cls.moving(e, np.zeros_like(e), np.zeros_like(e), tau, dx, eos)

    @classmethod
    def moving(cls, e: Floats, vx: Floats, vy: Floats, tau: float, dx: float, eos: EquationOfState) -> Fluid:
        """Return a fluid with velocities."""
        if not (np.isfinite(e).all() and (e >= 0).all()):
            raise SettingsError("an initial energy density must be finite and not negative")
        if e.max() > min(0.9 * HIGHEST, eos.known[1]):
            raise SettingsError(f"an initial energy density of {e.max():.3g} GeV/fm^3 is beyond the tables")
        e = np.maximum(e, FLOOR)
        p = eos.pressure(e)
        w = (e + p) / (1 - vx**2 - vy**2)
        return cls(tau, e.copy(), vx.copy(), vy.copy(), dx, tau * np.stack([w - p, w * vx, w * vy]))

    @property
    def x(self) -> Floats:
        """Return the middles of the cells along one axis, in fm."""
        n = len(self.e)
        return (np.arange(n) - 0.5 * (n - 1)) * self.dx

    def copy(self) -> Fluid:
        """Return the same, to keep."""
        return Fluid(self.tau, self.e.copy(), self.vx.copy(), self.vy.copy(), self.dx, self.u.copy())

    def energy(self) -> float:
        """Return tau times the energy per unit of rapidity, in GeV: it falls by the work of the pressure only."""
        return float(self.u[0].sum() * self.dx**2)

    def entropy(self, eos: EquationOfState) -> float:
        """Return the entropy per unit of rapidity: conserved where there are no shocks."""
        gamma = 1 / np.sqrt(1 - self.vx**2 - self.vy**2)
        alive = self.e > 10 * FLOOR
        return float((self.tau * eos.entropy(self.e) * gamma * alive).sum() * self.dx**2)


def evolve(fluid: Fluid, eos: EquationOfState, until: float, every: int = 1) -> Iterator[Fluid]:
    """Yield the fluid after `every` so many steps, until tau = `until`; the same object, changed in place.

    Raises SettingsError where cells find no state that fits their energy and momentum, or have more energy than any had
    at the start, which an expanding fluid cannot have: says when, how many and where.
    """
    tables, cells = _tables(eos), Cells(fluid.e, fluid.vx, fluid.vy)
    number, most = 0, MOST_GROWTH * fluid.e.max()
    while fluid.tau < until - 1e-9:
        dt = min(COURANT * fluid.dx, until - fluid.tau)
        failed = heun(fluid.u, cells, fluid.tau, dt, fluid.dx, tables)
        fluid.tau += dt
        if failed > 0.001 * fluid.e.size or not np.isfinite(fluid.u).all():
            raise SettingsError(
                f"the fluid has no solution in {failed} cells at tau = {fluid.tau:.2f} fm, near "
                f"{_where(fluid, fluid.vx**2 + fluid.vy**2)}: take a finer grid or a smoother initial state"
            )
        if fluid.e.max() > most:
            raise SettingsError(
                f"the fluid is acausal at tau = {fluid.tau:.2f} fm, near {_where(fluid, fluid.e)}: it has "
                f"{fluid.e.max():.3g} GeV/fm^3 there, more than at the start; take a finer grid or a smoother initial "
                "state"
            )
        number += 1
        if number % every == 0 or fluid.tau >= until - 1e-9:
            yield fluid


def _tables(eos: EquationOfState) -> Tables:
    """Return the tables at even steps of `place`."""
    low, high = np.floor(np.log2(LOWEST)) + 1, np.floor(np.log2(HIGHEST))
    at = np.arange(low, high, 1 / PER_OCTAVE)
    e = 2.0 ** np.floor(at) * (1 + at - np.floor(at))
    ratio, sound = (np.interp(np.log(e), np.log(eos.grid), one) for one in (eos.ratio, eos.sound))
    return Tables(float(low), float(PER_OCTAVE), ratio, sound)


def _where(fluid: Fluid, most: Floats) -> str:
    most = np.nan_to_num(most, nan=np.inf)
    i, j = np.unravel_index(int(np.argmax(most)), most.shape)
    return f"x = {fluid.x[i]:.1f}, y = {fluid.x[j]:.1f} fm"


def gubser(tau: float, x: Floats, y: Floats, q: float = 0.25, scale: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """Return e, vx, vy of the exact solution of Gubser 2010 (arXiv:1006.0006) for p = e / 3: the test of the scheme."""
    r2 = x**2 + y**2
    below = 1 + 2 * q**2 * (tau**2 + r2) + q**4 * (tau**2 - r2) ** 2
    e = scale * (2 * q) ** (8 / 3) / (tau * below) ** (4 / 3)
    v = 2 * q**2 * tau / (1 + q**2 * (tau**2 + r2))
    return e, v * x, v * y
