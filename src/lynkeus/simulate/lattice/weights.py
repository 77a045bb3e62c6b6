"""Weights of the dual representation: of a site by the flux through it, of a link by its two integers.

Z = sum over k (integers) and l (not negative) of prod_links 1 / ((|k| + l)! l!) prod_x e^(mu k_t(x)) W(s_x), where at
each site as much flux k comes in as goes out, s_x = sum over the links at x of |k| + 2 l, and
W(s) = int_0^inf dr r^(s + 1) exp(-(4 + m^2) r^2 - lambda r^4) in two dimensions (Gattringer & Kloiber 2013,
arXiv:1206.2954).
"""

from __future__ import annotations

from math import lgamma

import numpy as np

from lynkeus.core.batch import Floats

MOST_FLUX = 400  # of a site; configurations have some ten
NODES = 300  # of the integral over the radius


def log_site_weights(mass: float, coupling: float, most: int = MOST_FLUX) -> Floats:
    """Return log W(s) for s = 0 ... most.

    By Gauss and Legendre around the largest value of each integrand, in logarithms: r^400 is no number.
    """
    s = np.arange(most + 1)[:, None]
    quadratic = 4.0 + mass**2
    # Where the integrand is largest: (s + 1) / r = 2 quadratic r + 4 coupling r^3.
    if coupling > 0:
        square = (-quadratic + np.sqrt(quadratic**2 + 4 * coupling * (s + 1))) / (4 * coupling)
    else:
        square = (s + 1) / (2 * quadratic)
    peak = np.sqrt(square)
    width = 1.0 / np.sqrt((s + 1) / peak**2 + 2 * quadratic + 12 * coupling * peak**2)
    low, high = np.maximum(peak - 12 * width, 0.0), peak + 12 * width
    nodes, share = np.polynomial.legendre.leggauss(NODES)
    r = 0.5 * (high + low) + 0.5 * (high - low) * nodes
    log = (s + 1) * np.log(r) - quadratic * r**2 - coupling * r**4
    top = log.max(axis=1, keepdims=True)
    return top[:, 0] + np.log(0.5 * (high - low)[:, 0] * (np.exp(log - top) @ share))


def log_factorials(most: int = MOST_FLUX) -> Floats:
    """Return log n! for n = 0 ... most."""
    return np.array([lgamma(n + 1.0) for n in range(most + 1)])
