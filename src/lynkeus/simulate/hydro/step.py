"""step: ideal hydrodynamics in two transverse dimensions and proper time, compiled.

The variables are tau (T^tt, T^tx, T^ty); the scheme is that of Kurganov & Tadmor 2000: slopes of e and v limited by the
generalised minmod, local Lax-Friedrichs fluxes, and Heun's two stages in time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

THETA = 1.3  # of the limiter: 1 is the most diffusive, 2 the least
FLOOR = 1e-6  # GeV/fm^3: the vacuum
FASTEST = 1 - 1e-4  # beyond it a dilute edge is not stable: its energies grew by nine orders of magnitude
QUICK: dict[str, Any] = {"cache": True, "fastmath": True, "error_model": "numpy"}  # no check of each division


class Tables(NamedTuple):
    """An equation of state as compiled code reads it: p / e and the speed of sound squared, from `low` on in even steps
    of `place`, `steps` of them in an octave."""

    low: float
    steps: float
    ratio: Any
    sound: Any


class Cells(NamedTuple):
    """Energy density in GeV/fm^3 and velocities, each (nx, ny)."""

    e: Any
    vx: Any
    vy: Any


@njit(inline="always", **QUICK)
def place(e: float) -> float:
    """Return log2 e, but straight between powers of 2: the bits of a floating point number, which cost nothing."""
    return np.float64(e).view(np.int64) * 2.0**-52 - 1023.0


@njit(inline="always", **QUICK)
def _look_up(e: float, tables: Tables) -> tuple[float, float]:
    """Return pressure and speed of sound squared."""
    x = (place(e) - tables.low) * tables.steps
    if x <= 0:
        return e * tables.ratio[0], tables.sound[0]
    i = int(x)
    if i >= len(tables.ratio) - 1:
        return e * tables.ratio[-1], tables.sound[-1]
    w = x - i
    sound = tables.sound[i] * (1 - w) + tables.sound[i + 1] * w
    return e * (tables.ratio[i] * (1 - w) + tables.ratio[i + 1] * w), sound


@njit(**QUICK)
def recover(u: Any, tau: float, cells: Cells, tables: Tables) -> int:
    """Fill the cells from the conserved u (3, nx, ny); a Newton iteration from the last e. Returns how many cells did
    not converge."""
    e, vx, vy = cells
    failed = 0
    for i in range(e.shape[0]):
        for j in range(e.shape[1]):
            energy = u[0, i, j] / tau
            if energy < FLOOR:
                u[0, i, j], u[1, i, j], u[2, i, j] = FLOOR * tau, 0.0, 0.0
                e[i, j], vx[i, j], vy[i, j] = FLOOR, 0.0, 0.0
                continue
            mx, my = u[1, i, j] / tau, u[2, i, j] / tau
            momentum = np.sqrt(mx * mx + my * my)
            if momentum > FASTEST * energy:
                mx, my = mx * FASTEST * energy / momentum, my * FASTEST * energy / momentum
                u[1, i, j], u[2, i, j] = mx * tau, my * tau
                momentum = FASTEST * energy
            x = min(max(e[i, j], FLOOR), energy)
            p, converged = 0.0, False
            for _ in range(60):
                p, c2 = _look_up(x, tables)
                value = x - energy + momentum * momentum / (energy + p)
                slope = 1.0 - momentum * momentum * c2 / ((energy + p) * (energy + p))
                change = value / slope
                x = min(max(x - change, 0.1 * x), energy)
                if abs(change) < 1e-8 * x + 1e-16:  # the next change would be its square
                    converged = True
                    break
            if not converged and x > 100 * FLOOR:
                failed += 1
            x = max(x, FLOOR)
            p, _ = _look_up(x, tables)
            e[i, j], vx[i, j], vy[i, j] = x, mx / (energy + p), my / (energy + p)
    return failed


@njit(inline="always", **QUICK)
def _slope(left: float, here: float, right: float) -> float:
    """Generalised minmod limiter of the slope over a cell."""
    a, b, c = THETA * (here - left), 0.5 * (right - left), THETA * (right - here)
    if a > 0 and b > 0 and c > 0:
        return min(a, b, c)
    if a < 0 and b < 0 and c < 0:
        return max(a, b, c)
    return 0.0


@njit(inline="always", **QUICK)
def _flux(e: float, along: float, across: float, p: float) -> tuple[float, float, float, float, float, float]:
    """Return the conserved energy and momenta (along the face's normal, across it), and their fluxes."""
    gamma2 = 1.0 / (1.0 - along * along - across * across)
    w = (e + p) * gamma2
    return w - p, w * along, w * across, w * along, w * along * along + p, w * along * across


@njit(inline="always", **QUICK)
def _fastest(along: float, across: float, c2: float) -> float:
    """Return the largest size of the speeds of sound along the normal, against the grid."""
    v2 = along * along + across * across
    root = np.sqrt(max(c2 * (1 - v2) * (1 - v2 * c2 - along * along * (1 - c2)), 0.0))
    middle = along * (1 - c2)
    return max(abs(middle + root), abs(middle - root)) / (1 - v2 * c2)


@njit(inline="always", **QUICK)
def _limited(e: float, along: float, across: float) -> tuple[float, float, float]:
    v2 = along * along + across * across
    if v2 > FASTEST * FASTEST:
        scale = FASTEST / np.sqrt(v2)
        along, across = along * scale, across * scale
    return max(e, FLOOR), along, across


@njit(**QUICK)
def _faces(e: Any, along: Any, across: Any, tables: Tables, out: Any) -> None:
    """Fill the fluxes out (3, n + 1) of energy, momentum along and momentum across, through the faces of a line of
    cells (n,); beyond its ends the line goes on as it ends."""
    n = len(e)
    for face in range(n + 1):
        a, b = max(face - 1, 0), min(face, n - 1)
        aa, bb = max(face - 2, 0), min(face + 1, n - 1)
        el, al, cl = _limited(
            e[a] + 0.5 * _slope(e[aa], e[a], e[b]), along[a] + 0.5 * _slope(along[aa], along[a], along[b]),
            across[a] + 0.5 * _slope(across[aa], across[a], across[b]),
        )  # fmt: skip
        er, ar, cr = _limited(
            e[b] - 0.5 * _slope(e[a], e[b], e[bb]), along[b] - 0.5 * _slope(along[a], along[b], along[bb]),
            across[b] - 0.5 * _slope(across[a], across[b], across[bb]),
        )  # fmt: skip
        pl, sl = _look_up(el, tables)
        pr, sr = _look_up(er, tables)
        u0, u1, u2, f0, f1, f2 = _flux(el, al, cl, pl)
        w0, w1, w2, g0, g1, g2 = _flux(er, ar, cr, pr)
        speed = max(_fastest(al, cl, sl), _fastest(ar, cr, sr))
        out[0, face] = 0.5 * (f0 + g0 - speed * (w0 - u0))
        out[1, face] = 0.5 * (f1 + g1 - speed * (w1 - u1))
        out[2, face] = 0.5 * (f2 + g2 - speed * (w2 - u2))


@njit(**QUICK)
def rates(cells: Cells, tau: float, dx: float, tables: Tables, out: Any) -> None:
    """Fill out (3, nx, ny): the change of the conserved variables in time."""
    e, vx, vy = cells
    nx, ny = e.shape
    line = np.empty((3, max(nx, ny) + 1))
    for i in range(nx):
        for j in range(ny):
            p, _ = _look_up(e[i, j], tables)
            out[0, i, j], out[1, i, j], out[2, i, j] = -p, 0.0, 0.0
    for j in range(ny):
        _faces(e[:, j].copy(), vx[:, j].copy(), vy[:, j].copy(), tables, line)
        for i in range(nx):
            out[0, i, j] -= tau * (line[0, i + 1] - line[0, i]) / dx
            out[1, i, j] -= tau * (line[1, i + 1] - line[1, i]) / dx
            out[2, i, j] -= tau * (line[2, i + 1] - line[2, i]) / dx
    for i in range(nx):
        _faces(e[i], vy[i], vx[i], tables, line)
        for j in range(ny):
            out[0, i, j] -= tau * (line[0, j + 1] - line[0, j]) / dx
            out[2, i, j] -= tau * (line[1, j + 1] - line[1, j]) / dx
            out[1, i, j] -= tau * (line[2, j + 1] - line[2, j]) / dx


@njit(**QUICK)
def heun(u: Any, cells: Cells, tau: float, dt: float, dx: float, tables: Tables) -> int:
    """One step from tau to tau + dt, in place. Returns how many cells did not converge."""
    first, second = np.empty_like(u), np.empty_like(u)
    rates(cells, tau, dx, tables, first)
    guess = u + dt * first
    failed = recover(guess, tau + dt, cells, tables)
    rates(cells, tau + dt, dx, tables, second)
    u += 0.5 * dt * (first + second)
    return failed + recover(u, tau + dt, cells, tables)
