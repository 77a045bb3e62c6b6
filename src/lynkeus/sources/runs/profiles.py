"""Profiles: the mean of something in each bin, read as the plot of equivalent entries below and above the usual mean.

An entry of a profile bin scatters about the mean of good runs with their standard deviation S. n entries whose mean is
off by d are as odd as n entries of which the share 1/2 + d / (2 S) lies one S above, the others one S below: the same
mean, and the same error of it. So every scorer of histograms judges a profile by its means and their errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.core.runs import Plot

LOWER, HIGHER = "lower", "higher"  # entries below and above the usual mean of a bin
PRIOR = 10.0  # entries by which a bin that is hardly filled is taken to be like all
LEAST_SHARE = 1e-3  # of entries on either side
TINY = 1e-12


class Profile(NamedTuple):
    """Of each bin, flow bins included: `mean` (bins,), `variance` (bins,) of one entry, effective `entries` (bins,)."""

    mean: Floats
    variance: Floats
    entries: Floats


def of_root(profile: Any) -> Profile:
    """Return a TProfile or a TProfile2D as uproot reads it."""
    spread = np.nan_to_num(np.asarray(profile.errors(flow=True, error_mode="s"), float)).ravel()
    return _known(profile.values(flow=True), spread**2, profile.counts(flow=True))


def of_uhi(histogram: Any, flow: Sequence[tuple[int, int]]) -> Profile:
    """Return a boost-histogram of means, padded by the flow bins that it lacks on each axis."""
    entries = np.asarray(histogram.counts(flow=True), float)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.nan_to_num(np.asarray(histogram.variances(flow=True), float)) * entries
    parts = (histogram.values(flow=True), variance, entries)
    return _known(*(np.pad(np.asarray(part, float), flow) for part in parts))


def _known(mean: Array, variance: Array, entries: Array) -> Profile:
    mean, variance, entries = (np.asarray(part, float).ravel() for part in (mean, variance, entries))
    there = entries > 0
    return Profile(np.where(there, mean, 0.0), np.where(there, variance, 0.0), np.where(there, entries, 0.0))


def plot_of(plot: Plot) -> Plot:
    """Return the plot of a profile with the bins of `plot`: of entries below the usual mean in each bin, flow bins
    included, then above it."""
    first, *others = [_in_words(plot, axis) for axis in range(len(plot.edges))]
    names = [f"{a}, {b}" for a in first for b in others[0]] if others else first
    labels = tuple(f"{name} {side}" for side in (LOWER, HIGHER) for name in names)
    usual = ((0.0,) * len(names), (1.0,) * len(names))
    axis = tuple(map(float, range(len(labels) + 1)))
    return Plot(plot.name, (plot.name,), (axis,), plot.group, (False,), labels=(labels,), profile=usual)


def _in_words(plot: Plot, axis: int) -> list[str]:
    """Return the bins of an axis, flow bins included, in words."""
    title, edges = plot.variables[axis].removeprefix(f"{plot.name}: "), plot.edges[axis]
    title = "x" if title == plot.name else title
    labels = plot.named(axis) or tuple(f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges))
    return [f"{title} {label}" for label in (f"below {edges[0]:.4g}", *labels, f"above {edges[-1]:.4g}")]


def usual_of(plot: Plot, profiles: Sequence[Profile]) -> Plot:
    """Return the plot of a profile with the means of good runs, and the standard deviations of an entry."""
    entries = np.stack([own.entries for own in profiles])
    mean = np.stack([own.mean for own in profiles])
    total, all_entries = entries.sum(axis=0), max(float(entries.sum()), TINY)
    usual = (entries * mean).sum(axis=0) / np.maximum(total, TINY)
    usual = np.where(total > 0, usual, (entries * mean).sum() / all_entries)
    square = (entries * np.stack([own.variance for own in profiles])).sum(axis=0)
    together = float(square.sum()) / all_entries
    variance = (square + PRIOR * together) / (total + PRIOR)
    # Where nothing scatters, a millionth of the size is as good as nothing.
    spread = np.sqrt(np.maximum(variance, (1e-6 * np.abs(usual)) ** 2 + TINY**2))
    return replace(plot, profile=(tuple(usual.tolist()), tuple(spread.tolist())))


def equivalent(plot: Plot, profile: Profile) -> Floats:
    """Return the counts (bins,) of equivalent entries below and above the usual means, of the plot of a profile."""
    usual, spread = (np.array(part) for part in plot.profile)
    above = np.clip(0.5 + (profile.mean - usual) / (2.0 * spread), LEAST_SHARE, 1.0 - LEAST_SHARE)
    sides = profile.entries * (1.0 - above), profile.entries * above
    return np.concatenate([[0.0], *sides, [0.0]])
