"""What good runs look like in every plot: shape, how well it is known, and how much it moves from run to run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Floats, Schema, SchemaError, Source

FEWEST = 20  # events of a plot below which it is not judged
SURELY_MULTIPLES = 30  # filled bins from which it is no chance that all hold multiples of one number
MOST_COUNTED = 2.0**62
POOR = 10.0  # events of the reference in a bin, below which their order says as much of chance as of the bin


@dataclass(frozen=True)
class Plots:
    """Where the bins of each plot of a schema are (`slices`), and how many each axis has (`shapes`), with flow bins."""

    slices: tuple[slice, ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, schema: Schema, who: str) -> Self:
        """Read the plots from the schema of runs. Raises SchemaError for another kind, or where edges and bins do not
        agree."""
        if schema.kind != "histogram":
            raise SchemaError(f"the scorer {who} reads runs as histograms, not a {schema.kind}")
        shapes = tuple(tuple(len(axis) + 1 for axis in axes) for axes in schema.edges)
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
        if ends[-1] != schema.shape[0] or not shapes:
            raise SchemaError(
                f"the edges of the {len(shapes)} plots make {ends[-1]} bins, but runs have {schema.shape[0]}"
            )
        return cls(tuple(slice(int(a), int(b)) for a, b in pairwise(ends)), shapes)

    def per_bin(self, per_plot: Floats) -> Floats:
        """Return one number per plot (..., plots) repeated for all of its bins (..., bins)."""
        return np.repeat(per_plot, [part.stop - part.start for part in self.slices], axis=-1)

    def events(self, values: Array) -> Floats:
        """Return the sum of the bins (n, plots) of (n, bins); NaN where a plot has missing or negative bins, or fewer
        than FEWEST events."""
        starts = [part.start for part in self.slices]
        total = np.add.reduceat(values.astype(np.float64), starts, axis=1)
        bad = np.logical_or.reduceat(~np.isfinite(values) | (values < 0), starts, axis=1)
        return np.where(bad | ~(total >= FEWEST), np.nan, total)


@dataclass(frozen=True)
class PlotReference:
    """The mean of good runs: `share` (bins,) of a plot's events in each bin, learned from `events` (plots,);
    `variation` (bins,): variance of the share from run to run beyond counting; `unit` (plots,): what one entry counts,
    1 unless counts are scaled or sums of weights of which nobody said the variances; `fano` (plots,): variance of a
    count in units of its mean, 1 but in models of before, of which the unit is None. `poor` (1,): bins of which the
    reference has fewer events are merged with those beside them; None in models of before, which merge all by what they
    expect."""

    plots: Plots
    share: Floats
    events: Floats
    variation: Floats
    fano: Floats
    poor: Floats | None = None
    unit: Floats | None = None

    @classmethod
    def fit(cls, source: Source, who: str) -> Self:
        """Learn in one pass over a stream of good runs. Raises SchemaError where no run has enough events."""
        plots = Plots.of(source.schema, who)
        bins, count = int(source.schema.shape[0] or 0), len(plots.shapes)
        seen = _Sums(np.zeros(bins), np.zeros(bins), np.zeros(count), np.zeros(count), np.zeros(count, int))
        seen = reduce(partial(_added, plots), (batch.values for batch in source), seen)
        if not seen.events.any():
            raise SchemaError(f"no plot of any run has {FEWEST} events or more: {who} has nothing to learn from")
        share, variation, unit = _moments(plots, seen)
        return cls(plots, share, seen.events / unit, variation, np.ones(count), np.array([POOR]), unit)

    def entries(self, values: Array) -> Floats:
        """Return counts (n, bins) in units of one entry, in which all else of the reference is."""
        known: Floats = values if self.unit is None else values / self.plots.per_bin(self.unit)
        return known

    def enough_events(self, values: Array) -> Floats:
        """Return the events of each plot (n, plots); NaN where there are too few, here or in all good runs."""
        return np.where(self.events > 0, self.plots.events(values), np.nan)

    def merged(self, plot: int, expected: Floats, least: float) -> Array:
        """Return the group (bins,) of each bin of a plot, such that all groups expect `least` or more."""
        known = self.share[self.plots.slices[plot]] * self.events[plot]
        return merged(expected, least, None if self.poor is None else known < self.poor[0])

    def expected(self, events: Floats) -> Floats:
        """Return the counts (n, bins) to expect of good runs with that many events in each plot (n, plots)."""
        return self.plots.per_bin(events) * self.share

    def variance(self, events: Floats) -> Floats:
        """Return the variance (n, bins) of counts about what is expected: counting, the reference itself, from run to
        run."""
        size = self.plots.per_bin(events)
        known = self.plots.per_bin(np.maximum(self.events, 1.0))
        return self.plots.per_bin(self.fano) * self.share * size * (1 + size / known) + size**2 * self.variation

    def pulls(self, values: Array) -> Floats:
        """Return signed sigmas (n, bins) of every bin from the Poisson deviance, sound for few counts too; 0 in plots
        with too few events. The values are not yet in units of one entry."""
        values = self.entries(values)
        events = self.enough_events(values)
        least = 0.5 / np.maximum(self.events, 1.0)  # a bin that no good run has filled is not known to be impossible
        share = np.maximum(self.share, self.plots.per_bin(least))
        size = self.plots.per_bin(np.nan_to_num(events))
        expected, variance = share * size, self.variance(np.nan_to_num(events))
        there = size > 0
        expected = np.where(there, expected, 1.0)
        counts = np.where(there, values, 1.0)
        deviance = counts * np.log(np.where(counts > 0, counts, 1.0) / expected) - (counts - expected)
        pull = np.sign(counts - expected) * np.sqrt(2 * np.maximum(deviance, 0.0))
        return np.where(there, pull * np.sqrt(expected / np.maximum(variance, expected)), 0.0)


class _Sums(NamedTuple):
    """Sums over runs: of counts and of counts squared over the events of the plot (bins,), of `events` and `runs`
    (plots,); `step` (plots,): the largest number of which all counts are multiples, 0 before any, -1 where some are not
    whole; `filled` (plots,): how many counts say so."""

    first: Floats
    second: Floats
    events: Floats
    runs: Floats
    step: Array
    filled: Array | float = 0.0


def _added(plots: Plots, seen: _Sums, values: Array) -> _Sums:
    """Return the sums with some more runs (n, bins)."""
    own, starts = plots.events(values), [part.start for part in plots.slices]
    usable = np.isfinite(own)
    counts = np.where(plots.per_bin(usable), values, 0.0)
    size = np.where(usable, own, 1.0)
    whole = np.logical_and.reduceat((counts == np.round(counts)).all(axis=0), starts) & (seen.step >= 0)
    of_runs = np.gcd.reduce(np.minimum(np.round(counts), MOST_COUNTED).astype(np.int64), axis=0)
    step = np.where(whole, np.gcd(np.gcd.reduceat(of_runs, starts), np.maximum(seen.step, 0)), -1)
    return _Sums(
        seen.first + counts.sum(axis=0),
        seen.second + (counts**2 / plots.per_bin(size)).sum(axis=0),
        seen.events + np.where(usable, own, 0.0).sum(axis=0),
        seen.runs + usable.sum(axis=0),
        step,
        seen.filled + np.add.reduceat((counts > 0).sum(axis=0), starts),
    )


def _moments(plots: Plots, seen: _Sums) -> tuple[Floats, ...]:
    """Return share, variation (bins,) and unit (plots,), from sums over runs."""
    starts = [part.start for part in plots.slices]
    total, number = plots.per_bin(np.maximum(seen.events, 1.0)), plots.per_bin(np.maximum(seen.runs, 2.0))
    share = seen.first / total
    scatter = np.maximum(seen.second - share**2 * total, 0.0)  # sum over runs of (count - expected)^2 / size
    known = np.maximum(np.add.reduceat(share * (1.0 - share), starts), 1e-9) * np.maximum(seen.runs - 1.0, 1.0)
    by_scatter = np.add.reduceat(scatter, starts) / known
    surely = np.where((seen.step > 1) & (seen.filled >= SURELY_MULTIPLES), seen.step, 1)
    unit = np.where(seen.step >= 0, surely, np.where(by_scatter > 0, by_scatter, 1.0))
    counting = plots.per_bin(unit) * share * (1 - share)
    excess = scatter - (number - 1) * counting
    per_run = np.maximum(share * total / number / plots.per_bin(unit), 1e-9)
    noise = counting * np.sqrt((number - 1) * (2 + 1 / per_run))
    variation = np.where(excess > 2 * noise, excess, 0.0) / total
    return share, variation, unit


def merged(expected: Floats, least: float, poor: Array | None = None) -> Array:
    """Return the group (bins,) of each bin, such that all groups expect `least` or more: sparse bins are merged in the
    order of what they expect, so that the emptiest regions of a plot of any dimension are counted together. Those of
    which that is known too `poor`ly (bins,) are merged first, in their order in the plot: bins that happened to stay
    empty in few good runs would else make groups of their own, in which other good runs have many events."""
    order = np.argsort(expected if poor is None else np.where(poor, -1.0, expected), kind="stable")
    below = np.cumsum(expected[order]) - expected[order]
    sparse = expected[order] < least
    begins = np.ones(len(order), bool)
    begins[1:] = ~sparse[1:] | (np.diff(np.floor(below / least)) > 0)
    group = np.cumsum(begins) - 1
    groups = np.empty(len(order), np.intp)
    groups[order] = _joined(group, expected[order], least)
    return groups


def summed(group: Array, numbers: Floats) -> Floats:
    """Return (groups,) the sum of the numbers of each group."""
    return np.bincount(group, numbers).astype(np.float64)


def _joined(group: Array, expected: Floats, least: float) -> Array:
    """Return the groups with those that came out too small joined to the next, the last one to the one before."""
    sums = np.bincount(group, expected)
    target, held, number = np.empty(len(sums), np.intp), 0.0, 0
    for place, own in enumerate(sums):
        target[place] = number
        held += own
        if held >= least:
            number, held = number + 1, 0.0
    if held and number:
        target[target == number] = number - 1
    return target[group]
