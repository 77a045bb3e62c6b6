"""worm: a Markov chain of flux configurations by worms (Prokof'ev & Svistunov 2001), compiled.

A worm puts a source and a sink on one site and lets the sink wander, a unit of flux behind it, until it is back and the
worm closes: every closed configuration conserves flux at each site, exactly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit


class Flux(NamedTuple):
    """Integers of the links, `k` and `pairs` (direction, t, x), and the flux `s` (t, x) through each site."""

    k: Any
    pairs: Any
    s: Any


class Weights(NamedTuple):
    """log W(s) of sites, and log n!."""

    site: Any
    factorial: Any


T, X = 0, 1  # directions; the axes of a lattice (t, x), both periodic


@njit(cache=True)
def _link_ratio(k: int, own: int, new_k: int, new_own: int, log_factorial: Any) -> float:
    k, new_k = abs(k), abs(new_k)
    return log_factorial[k + own] + log_factorial[own] - log_factorial[new_k + new_own] - log_factorial[new_own]


@njit(cache=True)
def _run_worm(k: Any, pairs: Any, s: Any, mu: float, log_w: Any, log_factorial: Any) -> int:
    """One worm from a random site; k, the pairs l (direction, t, x) and the flux s (t, x) are changed in place.

    Returns its steps, -1 where a site has more flux than there are weights.
    """
    nt, nx = s.shape
    t, x = np.random.randint(nt), np.random.randint(nx)
    if s[t, x] + 2 >= len(log_w):
        return -1
    if np.log(np.random.random()) >= log_w[s[t, x] + 2] - log_w[s[t, x]]:
        return 0
    tail_t, tail_x = t, x
    s[t, x] += 2
    steps = 0
    while True:
        steps += 1
        choice = np.random.randint(5)
        if choice == 4:
            if t == tail_t and x == tail_x and np.log(np.random.random()) < log_w[s[t, x] - 2] - log_w[s[t, x]]:
                s[t, x] -= 2
                return steps
            continue
        direction, sign = choice // 2, 1 - 2 * (choice % 2)
        to_t = (t + sign) % nt if direction == T else t
        to_x = (x + sign) % nx if direction == X else x
        link_t, link_x = (t, x) if sign > 0 else (to_t, to_x)
        old = k[direction, link_t, link_x]
        new = old + sign
        more = abs(new) - abs(old)
        here, there = s[t, x] - 1 + more, s[to_t, to_x] + 1 + more
        if here >= len(log_w) or there >= len(log_w):
            return -1
        log_ratio = _link_ratio(
            old, pairs[direction, link_t, link_x], new, pairs[direction, link_t, link_x], log_factorial
        )
        log_ratio += log_w[here] - log_w[s[t, x]] + log_w[there] - log_w[s[to_t, to_x]]
        if direction == T:
            log_ratio += mu * sign
        if np.log(np.random.random()) < log_ratio:
            k[direction, link_t, link_x] = new
            s[t, x], s[to_t, to_x] = here, there
            t, x = to_t, to_x


@njit(cache=True)
def _sweep_pairs(k: Any, pairs: Any, s: Any, log_w: Any, log_factorial: Any) -> int:
    """One Metropolis step of l, by one up or down, on every link. Returns -1 for too much flux, else 0."""
    nt, nx = s.shape
    for direction in range(2):
        for t in range(nt):
            for x in range(nx):
                change = 1 - 2 * np.random.randint(2)
                old = pairs[direction, t, x]
                if old + change < 0:
                    continue
                to_t = (t + 1) % nt if direction == T else t
                to_x = (x + 1) % nx if direction == X else x
                here, there = s[t, x] + 2 * change, s[to_t, to_x] + 2 * change
                if here >= len(log_w) or there >= len(log_w):
                    return -1
                log_ratio = _link_ratio(k[direction, t, x], old, k[direction, t, x], old + change, log_factorial)
                log_ratio += log_w[here] - log_w[s[t, x]] + log_w[there] - log_w[s[to_t, to_x]]
                if np.log(np.random.random()) < log_ratio:
                    pairs[direction, t, x] = old + change
                    s[t, x], s[to_t, to_x] = here, there
    return 0


@njit(cache=True)
def seed_compiled(seed: int) -> None:
    """Seed the random numbers of compiled code, which are not NumPy's own."""
    np.random.seed(seed)


@njit(cache=True)
def sample(flux: Flux, mu: float, weights: Weights, kept: int, every: int, worms: int) -> tuple[Any, Any]:
    """Go on from a flux (changed in place) and return `kept` configurations (kept, 4, t, x) int8 in the order k_x, k_t,
    l_x, l_t, `every` so many sweeps of some worms and one step of each l; and |phi|^2 of each (kept,); empty where a
    site had more flux than there are weights."""
    k, pairs, s = flux
    log_w, log_factorial = weights
    nt, nx = s.shape
    found = np.empty((kept, 4, nt, nx), np.int8)
    square = np.empty(kept)
    for n in range(kept):
        for _ in range(every):
            for _ in range(worms):
                if _run_worm(k, pairs, s, mu, log_w, log_factorial) < 0:
                    return found[:0], square[:0]
            if _sweep_pairs(k, pairs, s, log_w, log_factorial) < 0:
                return found[:0], square[:0]
        total = 0.0
        for t in range(nt):
            for x in range(nx):
                found[n, 0, t, x], found[n, 1, t, x] = k[X, t, x], k[T, t, x]
                found[n, 2, t, x], found[n, 3, t, x] = pairs[X, t, x], pairs[T, t, x]
                total += np.exp(log_w[s[t, x] + 2] - log_w[s[t, x]])
        square[n] = total / (nt * nx)
    return found, square
