"""Significance of a counting experiment: what a search may expect, with an uncertain background or without.

Asimov significance: Cowan, Cranmer, Gross & Vitells 2011 (EPJ C 71, 1554); with an uncertain background: Cowan 2012
(the profile likelihood of an on/off experiment), Elwood & Kruecker 2018 (arXiv:1806.00322).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats

SMALL = 0.05  # below this log(1 + x) - x comes from its series, of which TERMS are enough for double precision
TERMS = 12


def asimov_significance(signal: npt.ArrayLike, background: npt.ArrayLike, uncertainty: npt.ArrayLike = 0.0) -> Floats:
    """Return the median expected significance of discovery, in sigmas, in the shape of the arguments together.

    `signal`, `background`: expected events (a count with weights may be any number >= 0); `uncertainty`: of the
    background, absolute, in events. Exact for a small signal on a large background, where the formula as it is
    published loses all digits. Without any background a signal is infinitely significant where there is no
    uncertainty: such a bin has too little simulation. NaN for a negative number.
    """
    s, b, sigma = np.broadcast_arrays(*(np.asarray(part, np.float64) for part in (signal, background, uncertainty)))
    bad = (s < 0) | (b < 0) | (sigma < 0) | ~np.isfinite(s + b + sigma)
    s, b, sigma = (np.where(bad, 1.0, part) for part in (s, b, sigma))
    found = np.where(sigma > 0, _with_uncertainty(s, b, np.where(sigma > 0, sigma, 1.0)), _without(s, b))
    certain = sigma < 1e-120  # the square of a smaller number is none
    return np.where(bad, np.nan, np.where(s == 0, 0.0, np.where(certain, _without(s, b), found)))


def _without(s: Floats, b: Floats) -> Floats:
    """sqrt(2 ((s + b) log(1 + s/b) - s)), written so that nothing cancels."""
    safe = np.where(b > 0, b, 1.0)
    x = s / safe
    # (s + b) log(1 + x) - s = b x^2 + (s + b) (log(1 + x) - x)
    with np.errstate(over="ignore", invalid="ignore"):
        small = safe * x**2 + (s + safe) * log1p_minus(x)
        large = (s + safe) * np.log1p(x) - s
        squared = np.where(x < 1.0, small, large)
    return np.where(b > 0, np.sqrt(np.maximum(2.0 * squared, 0.0)), np.inf)


def _with_uncertainty(s: Floats, b: Floats, sigma: Floats) -> Floats:
    """The first-order terms of both logarithms are joined by hand, so that nothing cancels; see the docstring."""
    v = sigma**2
    both = b * b + (s + b) * v
    safe_b = np.where(b > 0, b, 1.0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        x, y = s * b / both, v * s / (safe_b * (safe_b + v))
        near = (s * b) ** 2 / (both * (b + v)) + (s + b) * log1p_minus(x) - b * b / v * log1p_minus(y)
        far = (s + b) * np.log1p(x) - b * b / v * np.log1p(y)
    squared = np.where((x < 1.0) & (y < 1.0), near, far)
    return np.where(b > 0, np.sqrt(np.maximum(2.0 * squared, 0.0)), 0.0)


def log1p_minus(x: Floats) -> Floats:
    """Return log(1 + x) - x for x >= 0, to full precision also where x is small."""
    x = np.asarray(x, np.float64)
    near = np.minimum(x, SMALL)
    series = np.zeros_like(near)
    for k in range(TERMS + 1, 1, -1):
        series = near * series + (-1.0) ** (k + 1) / k
    return np.where(x < SMALL, near * near * series, np.log1p(x) - x)
