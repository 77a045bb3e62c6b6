"""Minima of the likelihood within bounds, of many data sets at a time, to the last digits.

Newton steps, damped until they go down (Levenberg 1944, Marquardt 1963). Their curvature is that of linear rates, and
what is missing of it is learned from how slopes change along the steps (structured secant method: Dennis, Gay & Welsch
1981; symmetric rank one).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.searches.likelihood import Derived, Likelihood

STEPS = 200
CLOSE = 1e-9  # of the deviance, estimated: what is left to the minimum
NEAR = 1e-6  # with which a fit is believed that came no further
LESS, MORE, FIRST, MOST = 0.1, 8.0, 1e-4, 1e8  # of the damping
FAR = 1e-6  # cosine between a step and what it says of the curvature, from which that is learned


class Minimum(NamedTuple):
    """Of each data set: the parameters (n, parameters), the deviance (n,), and whether the minimum was reached."""

    x: Floats
    value: Floats
    found: Array


def minimise(likelihood: Likelihood, data: Floats, start: Floats, held: Array, bounds: Floats | None = None) -> Minimum:
    """Return the minima from `start` (n, parameters) on; `held` (parameters,): which stay as they are there."""
    low, high = (likelihood.bounds if bounds is None else bounds).T
    x = np.where(held, start, np.clip(start, low, high))
    now = likelihood.derive(x, data)
    missing = np.zeros_like(now.curvature)
    damping, left = np.zeros(len(x)), np.full(len(x), np.inf)
    going = np.arange(len(x))
    for _ in range(STEPS):
        held_now = _Held(x[going], now.slope[going], held, low, high)
        step, left[going] = held_now.step(now.curvature[going], missing[going], damping[going])
        on = left[going] > CLOSE
        going, step = going[on], step[on]
        if not len(going):
            break
        trial = np.where(held, x[going], np.clip(x[going] + step, low, high))
        new = likelihood.derive(trial, data[going])
        down = new.value <= now.value[going] + 1e-12 * (1.0 + np.abs(now.value[going]))
        kept = going[down]
        _learn(missing, kept, trial[down] - x[kept], now, Derived(*(part[down] for part in new)))
        x[kept] = trial[down]
        for part, other in zip(now, new, strict=True):
            part[kept] = other[down]
        damping[kept] = np.where(damping[kept] > FIRST, LESS * damping[kept], 0.0)
        worse = going[~down]
        damping[worse], missing[worse] = np.maximum(MORE * damping[worse], FIRST), 0.0
        going = going[damping[going] < MOST]
        if not len(going):
            break
    return Minimum(x, now.value, left < NEAR)


def _learn(missing: Floats, kept: Array, step: Floats, now: Derived, new: Derived) -> None:
    """Add to the `missing` curvature what the slopes say of it along the steps that were taken."""
    known = np.einsum("nij,nj->ni", new.curvature + missing[kept], step)
    wrong = new.slope - now.slope[kept] - known
    along = np.sum(wrong * step, axis=1)
    size = np.linalg.norm(wrong, axis=1) * np.linalg.norm(step, axis=1)
    fine = np.abs(along) > FAR * np.maximum(size, 1e-300)
    missing[kept[fine]] += wrong[fine, :, None] * wrong[fine, None] / along[fine, None, None]


class _Held:
    """Parameters (n, p) that may move: neither `held` nor at a bound that the slope pushes them to."""

    def __init__(self, x: Floats, slope: Floats, held: Array, low: Floats, high: Floats) -> None:
        stuck = ((x <= low) & (slope > 0)) | ((x >= high) & (slope < 0))
        self.free = ~(stuck | held)
        self.slope = np.where(self.free, slope, 0.0)

    def step(self, curvature: Floats, missing: Floats, damping: Floats) -> tuple[Floats, Floats]:
        """Return steps (n, p), and how much deeper the minimum is, estimated without damping or bounds."""
        whole, left = self._solve(curvature + missing, np.zeros(len(damping)))
        # Learned curvature may bend the wrong way: then there is that of linear rates.
        wrong = ~(left > 0) & (np.abs(self.slope).max(axis=1) > 0)
        if wrong.any():
            other, plain = self._solve(curvature, np.zeros(len(damping)))
            whole, left = np.where(wrong[:, None], other, whole), np.where(wrong, plain, left)
        if (damping > 0).any():
            damped, _ = self._solve(curvature, damping)
            whole = np.where((damping > 0)[:, None], damped, whole)
        return whole, left

    def _solve(self, matrix: Floats, damping: Floats) -> tuple[Floats, Floats]:
        own = np.arange(matrix.shape[1])
        diagonal = np.abs(matrix[:, own, own])
        matrix = np.where(self.free[:, :, None] & self.free[:, None, :], matrix, 0.0)
        matrix[:, own, own] += np.where(self.free, diagonal * (1e-12 + damping[:, None]) + 1e-12, 1.0)
        try:
            found = -np.linalg.solve(matrix, self.slope[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:  # one of them is singular: the shortest step
            found = -(np.linalg.pinv(matrix, hermitian=True) @ self.slope[:, :, None])[:, :, 0]
        return found, -0.5 * np.sum(found * self.slope, axis=1)
