"""separate: the density of a conserved charge on an expanding square, by the equation of Cahn & Hilliard 1958.

In coordinates x that expand with the matter, r = a(t) x, the charge per square u = rho a^2 is conserved:
d_t u = M lap_x (f'(rho) - (kappa / a^2) lap_x rho). The free energy f has two wells, at the densities that coexist, or
between them its convex hull (Maxwell's construction), where nothing drives matter apart. Periodic on all sides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from lynkeus.core.batch import Floats

THIN, DENSE = 0.3, 1.9  # densities that coexist, in those of nuclear matter
DEPTH = 1.5  # of the wells: f = DEPTH / 4 (rho - THIN)^2 (rho - DENSE)^2
MOBILITY, GRADIENT = 2.0, 0.44  # fm; fm^2: waves of 6 fm grow fastest, by a factor of e in 1 fm
SAFE = 0.4  # of the longest stable step
MIDDLE, HALF = 0.5 * (THIN + DENSE), 0.5 * (DENSE - THIN)


def growth_rate(k: Floats, rho: float, scale: float = 1.0) -> Floats:
    """Return how fast a small wave of the physical wave number `k` (1/fm) grows around a density, per fm: the closed
    form; negative where it dies away. `scale`: a(t)."""
    curvature = DEPTH * (3 * (rho - MIDDLE) ** 2 - HALF**2)
    found: Floats = -MOBILITY * k**2 * (curvature + GRADIENT * k**2)
    return found


@njit(cache=True)
def drive(rho: float, spinodal: bool) -> float:
    """Return f'(rho)."""
    off = rho - MIDDLE
    if not spinodal and -HALF < off < HALF:
        return 0.0
    return DEPTH * off * (off * off - HALF * HALF)


@njit(cache=True)
def separate(u: Any, dx: float, expansion: float, until: float, spinodal: bool) -> int:
    """Move u (n, n), the charge per comoving square in units of nuclear density, from a = 1 to a = `until` with
    a = 1 + `expansion` t, in place; `expansion` 0: by the time `until`. Return the number of steps; -1 where a density
    is no number any more."""
    n = len(u)
    rho, chemical = np.empty((n, n)), np.empty((n, n))
    time, steps = 0.0, 0
    end = (until - 1.0) / expansion if expansion > 0 else until
    while time < end - 1e-12:
        a = 1.0 + expansion * time
        size = (a * dx) ** 2
        # Of the fourth derivative, and of the diffusion where f is steepest.
        step = SAFE / (MOBILITY * (32.0 * GRADIENT / size**2 + 8.0 * 3.0 * DEPTH / size))
        step = min(step, end - time)
        for i in range(n):
            for j in range(n):
                rho[i, j] = u[i, j] / (a * a)
        for i in range(n):
            for j in range(n):
                around = rho[(i + 1) % n, j] + rho[i - 1, j] + rho[i, (j + 1) % n] + rho[i, j - 1] - 4 * rho[i, j]
                chemical[i, j] = drive(rho[i, j], spinodal) - GRADIENT * around / size
        for i in range(n):
            for j in range(n):
                around = chemical[(i + 1) % n, j] + chemical[i - 1, j] + chemical[i, (j + 1) % n] + chemical[i, j - 1]
                u[i, j] += step * MOBILITY * (around - 4 * chemical[i, j]) / (dx * dx)
        time += step
        steps += 1
        if not np.isfinite(u[0, 0]):
            return -1
    return steps
