"""Observables of a density map: moments, cumulants, clumps, Minkowski functionals; of many events, cumulants of counts.

Moments <rho^N> / <rho>^N as in Steinheimer et al. 2019 (arXiv:1906.06562); Minkowski functionals of the places above a
level on a square grid that goes round (Michielsen & De Raedt 2001).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import label

from lynkeus.core import Array, Floats

ORDERS = range(2, 8)
LEVELS = (0.5, 1.0, 1.5)  # of the mean of a map
NAMES = (
    *(f"moment_{order}" for order in ORDERS), "variance", "skewness", "kurtosis", "clumps",
    *(f"{what}_above_{level}" for level in LEVELS for what in ("area", "perimeter", "euler")),
)  # fmt: skip


def clumping(maps: Array) -> Floats:
    """Return (n, len(NAMES)) observables of maps (n, row, column), each divided by its mean."""
    found = np.empty((len(maps), len(NAMES)))
    for row, one in enumerate(np.asarray(maps, float)):
        density = one / max(one.mean(), 1e-300)
        off = density - 1.0
        variance = (off**2).mean()
        size = max(variance, 1e-300)
        found[row] = [
            *((density**order).mean() for order in ORDERS), variance, (off**3).mean() / size,
            (off**4).mean() / size - 3 * variance, clumps(density > LEVELS[-1]),
            *(number for level in LEVELS for number in minkowski(density > level)),
        ]  # fmt: skip
    return found


def clumps(above: Array) -> int:
    """Return how many pieces of places that touch by a side there are (row, column); edges are neighbours of those on
    the other side."""
    pieces, count = label(above)
    joined = np.arange(count + 1)
    for first, last in ((pieces[0], pieces[-1]), (pieces[:, 0], pieces[:, -1])):
        for one, other in zip(first, last, strict=True):
            if one and other:
                low, high = sorted((_root(joined, one), _root(joined, other)))
                joined[high] = low
    return len({_root(joined, number) for number in range(1, count + 1)})


def _root(joined: Array, number: int) -> int:
    while joined[number] != number:
        number = int(joined[number])
    return int(number)


def minkowski(above: Array) -> tuple[float, float, float]:
    """Return area and perimeter of the places (row, column), by place, and the Euler characteristic, pieces less holes,
    per place; edges are neighbours of those on the other side, and places touch by sides and by corners."""
    here = np.asarray(above, int)
    right, below = np.roll(here, -1, axis=1), np.roll(here, -1, axis=0)
    area = here.sum()
    perimeter = (here != right).sum() + (here != below).sum()
    corner = np.roll(below, -1, axis=1)
    vertices = ((here + right + below + corner) > 0).sum()
    edges = ((here + right) > 0).sum() + ((here + below) > 0).sum()
    euler = area - edges + vertices
    return float(area / here.size), float(perimeter / here.size), float(euler / here.size)


def cumulant_ratios(counts: Floats) -> tuple[float, float, float]:
    """Return kappa_2 / kappa_1, kappa_3 / kappa_2 and kappa_4 / kappa_2 of counts (events,), each 1 for Poisson; of
    counts in several windows (events, windows) the means over these."""
    own = np.asarray(counts, float).reshape(len(counts), -1)
    off = own - own.mean(axis=0)
    second, third = (off**2).mean(axis=0), (off**3).mean(axis=0)
    fourth = (off**4).mean(axis=0) - 3 * second**2
    size = np.maximum(second, 1e-300)
    ratios = second / np.maximum(own.mean(axis=0), 1e-300), third / size, fourth / size
    first, skewness, kurtosis = (float(one.mean()) for one in ratios)
    return first, skewness, kurtosis


def cumulant_test(one: Floats, other: Floats, parts: int = 20) -> tuple[Floats, Floats, Floats]:
    """Return the ratios of cumulants of two sets of counts, and how many standard errors (from `parts` of each) lie
    between them, (3,) each."""
    means, errors = [], []
    for counts in (one, other):
        each: Sequence[tuple[float, float, float]] = [cumulant_ratios(part) for part in np.array_split(counts, parts)]
        means.append(np.array(cumulant_ratios(counts)))
        errors.append(np.std(each, axis=0) / np.sqrt(parts))
    apart = (means[1] - means[0]) / np.maximum(np.hypot(*errors), 1e-300)
    return means[0], means[1], apart


def pairs_apart(maps: Array, rings: tuple[bool, bool]) -> Floats:
    """Return (n, rows, columns) how often two charges of a map (n, row, column), each map divided by its mean, are so
    many places apart along rows and columns, either way, over how often that is where charge is spread evenly; an axis
    that goes round (`rings`) is counted round. It does not change where a map is moved."""
    density = np.asarray(maps, float)
    density = density / np.maximum(density.mean(axis=(1, 2), keepdims=True), 1e-300)
    sides = density.shape[1:]
    padded = [length if ring else 2 * length for length, ring in zip(sides, rings, strict=True)]
    found = np.fft.ifft2(np.abs(np.fft.fft2(density, s=padded)) ** 2).real / density[0].size
    for axis, (length, ring) in enumerate(zip(sides, rings, strict=True), 1):
        apart = np.arange(length // 2 + 1 if ring else length)
        found = 0.5 * (np.take(found, apart, axis=axis) + np.take(found, -apart, axis=axis))
        shape = (1, -1, 1) if axis == 1 else (1, 1, -1)
        found = found / (np.ones(len(apart)) if ring else 1 - apart / length).reshape(shape)
    return found


def pair_differences(maps: Array, bins: int = 20) -> Floats:
    """Return (n, bins) how often two baryons of an event differ by so much in momentum, from counts (n, row, column):
    by the distance of their bins, each event divided by its number of pairs."""
    side = maps.shape[-1]
    power = np.abs(np.fft.fft2(maps, s=(2 * maps.shape[-2], 2 * side))) ** 2
    pairs = np.fft.ifft2(power).real
    rows, columns = (np.minimum(np.arange(2 * n), 2 * n - np.arange(2 * n)) for n in maps.shape[-2:])
    distance = np.hypot(rows[:, None], columns)
    place = np.minimum((distance / side * bins).astype(int), bins - 1).ravel()
    flat = pairs.reshape(len(maps), -1)
    flat[:, 0] -= maps.reshape(len(maps), -1).sum(axis=1)  # nobody is a pair with itself
    found = np.stack([np.bincount(place, one, bins) for one in flat])
    return found / np.maximum(found.sum(axis=1, keepdims=True), 1e-300)
