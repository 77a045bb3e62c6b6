"""FluxField: the distribution of integer flux on a lattice, learned from configurations alone, and sampled exactly.

A Markov random field: the energy is a sum of one table of the integers of a link (|k|, l) and one of how much of both
is on the four links of a site, learned by comparing each configuration with ones in which flux goes around one small
square more, or one pair l is more or less (pseudo-likelihood by ratios: Besag 1975; Hyvarinen 2007). Such steps never
break the conservation of flux, so that what is made obeys it exactly; what goes all the way around the lattice, the
charge, is drawn as often as it was in the configurations, or is what is asked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numba import njit
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from lynkeus.core import Array, Floats
from lynkeus.scorers.generators.flux_tables import MOST_K, MOST_L, SITE_K, SITE_L

PULL = 1e-6  # of squares of the tables, so that what is never compared stays 0
FORBIDDEN = 50.0  # energy of what no configuration has
MOST_PAIRS = 150_000  # of configurations and changed ones that are compared
WARM, EVERY = 100, 20  # sweeps before the first configuration of a chain, and between two


class FluxField(NamedTuple):
    """Energies `link` (direction, |k|, l) and `site` (sum |k|, sum l); `windings` (n, 2): flux through the lattice in
    time and in space of each configuration that was seen."""

    link: Floats
    site: Floats
    windings: Array

    @classmethod
    def fit(cls, links: Array, seed: int) -> Self:
        """Learn from configurations (n, 4, t, x): k_x, k_t, l_x, l_t."""
        whole = np.rint(links).astype(np.int64)
        size = (2 * (MOST_K + 1) * (MOST_L + 1), (SITE_K + 1) * (SITE_L + 1))
        seen_link, seen_site = _seen(whole)
        rows, columns, signs, steps = _compare(whole, seed, MOST_PAIRS)
        change = csr_matrix((signs, (rows, columns)), shape=(steps, size[0] + size[1]))

        def loss(theta: Floats) -> tuple[float, Floats]:
            apart = change @ theta  # energy of the changed one less that of the real one
            value = np.logaddexp(0, -apart).mean() + PULL * (theta**2).sum()
            slope = -(change.T @ (1 / (1 + np.exp(np.clip(apart, -50, 50))))) / steps + 2 * PULL * theta
            return float(value), slope

        found = minimize(loss, np.zeros(sum(size)), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
        link = np.where(seen_link, found[: size[0]].reshape(seen_link.shape), FORBIDDEN)
        site = np.where(seen_site, found[size[0] :].reshape(seen_site.shape), FORBIDDEN)
        return cls(link, site, np.stack([whole[:, 1, 0].sum(axis=1), whole[:, 0, :, 0].sum(axis=1)], axis=1))

    def sample(self, windings: Array, shape: tuple[int, int], seed: int) -> Array:
        """Return configurations (n, 4, t, x) with that flux in time and space (n, 2): those of one flux are one chain,
        warmed up from straight lines."""
        order = np.lexsort(windings.T)
        made = _sample(self.link, self.site, windings[order].astype(np.int64), shape, (WARM, EVERY), seed)
        found = np.empty_like(made)
        found[order] = made
        return found


def _seen(whole: Array) -> tuple[Array, Array]:
    """Return which states of links and sites configurations have."""
    link = np.zeros((2, MOST_K + 1, MOST_L + 1), bool)
    site = np.zeros((SITE_K + 1, SITE_L + 1), bool)
    for direction in range(2):
        link[
            direction, np.minimum(np.abs(whole[:, direction]), MOST_K), np.minimum(whole[:, 2 + direction], MOST_L)
        ] = 1
    sums = [
        part[:, 0] + part[:, 1] + np.roll(part[:, 0], 1, axis=2) + np.roll(part[:, 1], 1, axis=1)
        for part in (np.abs(whole[:, :2]), whole[:, 2:])
    ]
    site[np.minimum(sums[0], SITE_K), np.minimum(sums[1], SITE_L)] = True
    return link, site


@njit(cache=True)
def _link_at(one: Any, direction: int, t: int, x: int) -> int:
    k, pairs = min(abs(one[direction, t, x]), MOST_K), min(one[2 + direction, t, x], MOST_L)
    return (direction * (MOST_K + 1) + k) * (MOST_L + 1) + pairs


@njit(cache=True)
def _site_at(one: Any, t: int, x: int) -> int:
    before, left = t - 1, x - 1
    k = abs(one[0, t, x]) + abs(one[1, t, x]) + abs(one[0, t, left]) + abs(one[1, before, x])
    pairs = one[2, t, x] + one[3, t, x] + one[2, t, left] + one[3, before, x]
    return min(k, SITE_K) * (SITE_L + 1) + min(pairs, SITE_L)


@njit(cache=True)
def _step(one: Any, kind: int, t: int, x: int, sign: int) -> None:
    """Change flux around the square at (t, x), or the pair of one of its two links, by `sign`, in place."""
    nt, nx = one.shape[1:]
    if kind == 0:
        one[0, t, x] += sign
        one[1, t, (x + 1) % nx] += sign
        one[0, (t + 1) % nt, x] -= sign
        one[1, t, x] -= sign
    else:
        one[1 + kind, t, x] += sign


@njit(cache=True)
def _states(one: Any, kind: int, t: int, x: int, out: Any, site_from: int) -> int:
    """Write the numbers of all states that a step touches; return how many."""
    nt, nx = one.shape[1:]
    up, right = (t + 1) % nt, (x + 1) % nx
    if kind == 0:
        out[0], out[1] = _link_at(one, 0, t, x), _link_at(one, 1, t, right)
        out[2], out[3] = _link_at(one, 0, up, x), _link_at(one, 1, t, x)
        out[4], out[5] = site_from + _site_at(one, t, x), site_from + _site_at(one, t, right)
        out[6], out[7] = site_from + _site_at(one, up, x), site_from + _site_at(one, up, right)
        return 8
    out[0] = _link_at(one, kind - 1, t, x)
    out[1] = site_from + _site_at(one, t, x)
    out[2] = site_from + (_site_at(one, t, right) if kind == 1 else _site_at(one, up, x))
    return 3


@njit(cache=True)
def _compare(whole: Any, seed: int, most: int) -> tuple[Any, Any, Any, int]:
    """Return the entries of a matrix (steps, states): how often a state is in the changed configuration less how often
    in the real one, for steps at random places."""
    np.random.seed(seed)
    n, _, nt, nx = whole.shape
    rows, columns = np.empty(16 * most, np.int64), np.empty(16 * most, np.int64)
    signs = np.empty(16 * most)
    out = np.empty(8, np.int64)
    site_from = 2 * (MOST_K + 1) * (MOST_L + 1)
    entry = done = 0
    while done < most:
        one = whole[np.random.randint(n)]
        kind, t, x = np.random.randint(3), np.random.randint(nt), np.random.randint(nx)
        sign = 1 if np.random.random() < 0.5 else -1
        if kind and one[1 + kind, t, x] + sign < 0:
            continue
        for after in range(2):
            count = _states(one, kind, t, x, out, site_from)
            for state in range(count):
                rows[entry], columns[entry], signs[entry] = done, out[state], 2.0 * after - 1.0
                entry += 1
            _step(one, kind, t, x, sign if after == 0 else -sign)
        done += 1
    return rows[:entry], columns[:entry], signs[:entry], done


@njit(cache=True)
def _lines(one: Any, windings: Any) -> None:
    """Put straight lines in: in time at drawn places in space, and the other way round."""
    nt, nx = one.shape[1:]
    one[:] = 0
    for direction in range(2):
        sign = 1 if windings[direction] > 0 else -1
        for _ in range(abs(windings[direction])):
            if direction == 0:
                one[1, :, np.random.randint(nx)] += sign
            else:
                one[0, np.random.randint(nt), :] += sign


@njit(cache=True)
def _sweep(one: Any, energy: Any, site_from: int, steps: int) -> None:
    nt, nx = one.shape[1:]
    out = np.empty(8, np.int64)
    for _ in range(steps):
        kind, t, x = np.random.randint(3), np.random.randint(nt), np.random.randint(nx)
        sign = 1 if np.random.random() < 0.5 else -1
        if kind and one[1 + kind, t, x] + sign < 0:
            continue
        change = 0.0
        for state in range(_states(one, kind, t, x, out, site_from)):
            change -= energy[out[state]]
        _step(one, kind, t, x, sign)
        for state in range(_states(one, kind, t, x, out, site_from)):
            change += energy[out[state]]
        if change > 0 and np.random.random() >= np.exp(-change):
            _step(one, kind, t, x, -sign)


@njit(cache=True)
def _sample(link: Any, site: Any, windings: Any, shape: Any, sweeps: Any, seed: int) -> Any:
    np.random.seed(seed)
    nt, nx = shape
    found = np.zeros((len(windings), 4, nt, nx), np.int64)
    energy = np.concatenate((link.ravel(), site.ravel()))
    one = np.zeros((4, nt, nx), np.int64)
    for n in range(len(windings)):
        fresh = n == 0 or windings[n, 0] != windings[n - 1, 0] or windings[n, 1] != windings[n - 1, 1]
        if fresh:
            _lines(one, windings[n])
        _sweep(one, energy, link.size, (sweeps[0] if fresh else sweeps[1]) * nt * nx * 3)
        found[n] = one
    return found
