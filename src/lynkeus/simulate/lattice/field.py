"""field: the same theory by Metropolis steps of the complex field itself: a check that shares nothing with the worms.

At a chemical potential the weights are complex; the field is sampled by their size, and their phase is averaged, which
works on small lattices only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from lynkeus.core.batch import Floats

STEP = 0.6  # of the field in a proposal, each way


class Field(NamedTuple):
    """Of each configuration: `square` the mean of |phi|^2; `even`, `odd`: sums over sites of the real and the imaginary
    part of phi*_x phi_(x + t); `phase` of its weight."""

    square: Floats
    even: Floats
    odd: Floats
    phase: Floats

    @property
    def sign(self) -> float:
        """Return the mean phase: 1 where there is no sign problem."""
        return float(np.cos(self.phase).mean())

    def density(self, mu: float, sites: int) -> float:
        """Return n = (1 / V) d log Z / d mu."""
        real = 2 * np.sinh(mu) * self.even * np.cos(self.phase) - 2 * np.cosh(mu) * self.odd * np.sin(self.phase)
        return float(real.mean() / np.cos(self.phase).mean() / sites)

    def mean_square(self) -> float:
        """Return <|phi|^2>."""
        return float((self.square * np.cos(self.phase)).mean() / np.cos(self.phase).mean())


def sample_field(
    shape: tuple[int, int], mass: float, coupling: float, mu: float, kept: int, every: int, seed: int
) -> Field:
    """Return `kept` configurations of a lattice (t, x), `every` so many sweeps one, after a tenth of them to warm up.

    S = sum_x (4 + m^2) |phi|^2 + lambda |phi|^4 - sum_nu (e^(mu d_nu,t) phi*_x phi_(x + nu) + e^(-mu d_nu,t) c.c.).
    """
    square, even, odd = _sample(shape, (mass, coupling, np.cosh(mu)), kept, every, seed)
    return Field(square, even, odd, 2 * np.sinh(mu) * odd)


@njit(cache=True)
def _sample(
    shape: tuple[int, int], action: tuple[float, float, float], kept: int, every: int, seed: int
) -> tuple[Any, Any, Any]:
    nt, nx = shape
    mass, coupling, along_time = action
    np.random.seed(seed)
    re, im = np.zeros((nt, nx)), np.zeros((nt, nx))
    square, even, odd = np.empty(kept), np.empty(kept), np.empty(kept)
    for n in range(-max(kept // 10, 20), kept):
        for _ in range(every):
            for t in range(nt):
                for x in range(nx):
                    up, down, left, right = (t + 1) % nt, (t - 1) % nt, (x - 1) % nx, (x + 1) % nx
                    near_re = along_time * (re[up, x] + re[down, x]) + re[t, left] + re[t, right]
                    near_im = along_time * (im[up, x] + im[down, x]) + im[t, left] + im[t, right]
                    a, b = re[t, x], im[t, x]
                    c, d = a + STEP * (2 * np.random.random() - 1), b + STEP * (2 * np.random.random() - 1)
                    old, new = a * a + b * b, c * c + d * d
                    change = (4 + mass * mass) * (new - old) + coupling * (new * new - old * old)
                    change -= 2 * ((c - a) * near_re + (d - b) * near_im)
                    if np.log(np.random.random()) < -change:
                        re[t, x], im[t, x] = c, d
        if n >= 0:
            square[n] = np.mean(re * re + im * im)
            even[n], odd[n] = 0.0, 0.0
            for t in range(nt):
                for x in range(nx):
                    up = (t + 1) % nt
                    even[n] += re[t, x] * re[up, x] + im[t, x] * im[up, x]
                    odd[n] += re[t, x] * im[up, x] - im[t, x] * re[up, x]
    return square, even, odd
