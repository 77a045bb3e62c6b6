"""Templates: counts of data and of each flavour of simulation, among jets that pass and that fail.

The bins of one fit stand in a row, first those of jets that pass. A jet without a value of the variable (no secondary
vertex) has a bin of its own before the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.scale_factors.jets import Jets

MOST_BINS = 16
JETS_PER_BIN = 30  # of data, on average, when bins are chosen
FEWEST_SIMULATED = 8.0  # effective jets of simulation in a bin, or it joins its neighbour


@dataclass(frozen=True)
class Templates:
    """What one fit compares, in m bins: `data` (m,), `simulated` (classes, m) and its `variance` (classes, m).

    `passes` (m,) whether it is a bin of jets that pass; `low`, `high` (m,) its edges, NaN for jets without a value.
    `negative`: how many bins of a class had a negative sum of weights, which count as 0.
    """

    data: Floats
    simulated: Floats
    variance: Floats
    passes: Array
    low: Floats
    high: Floats
    negative: int = 0

    @cached_property
    def efficiency(self) -> Floats:
        """Return (classes,) efficiency in simulation; NaN for a class without a jet."""
        total = self.simulated.sum(axis=1)
        return np.asarray(self.simulated[:, self.passes].sum(axis=1) / np.where(total > 0, total, np.nan))

    def passing(self) -> tuple[float, float]:
        """Return how many jets of data pass, and fail."""
        return float(self.data[self.passes].sum()), float(self.data[~self.passes].sum())

    def with_values(self) -> Templates:
        """Return only the bins of jets that have a value of the variable."""
        return self._chosen(np.isfinite(self.low))

    def resampled(self, rng: np.random.Generator) -> Templates:
        """Return these with the simulated counts drawn again: Poisson numbers of their effective jets."""
        there = self.simulated > 0
        weight = np.where(there, self.variance / np.where(there, self.simulated, 1.0), 1.0)
        counts = rng.poisson(np.where(there, self.simulated / weight, 0.0)).astype(float)
        return replace(self, simulated=counts * weight, variance=counts * weight**2)

    def _chosen(self, keep: Array) -> Templates:
        return replace(
            self, data=self.data[keep], simulated=self.simulated[:, keep], variance=self.variance[:, keep],
            passes=self.passes[keep], low=self.low[keep], high=self.high[keep],
        )  # fmt: skip


def choose_edges(simulated: Jets, classes: int, data_jets: int) -> Floats:
    """Return edges of the template variable: quantiles of the simulation, in which every class weighs alike.

    As many bins as the data can fill with JETS_PER_BIN, 3 to MOST_BINS; the outer edges are those of the simulation.
    """
    there = np.isfinite(simulated.template)
    values, flavour = simulated.template[there], simulated.flavour[there]
    if not len(values):
        return np.array([0.0, 1.0])
    order = np.argsort(values, kind="stable")
    counts = np.maximum(np.bincount(flavour, minlength=classes), 1)
    share = np.cumsum((1.0 / counts[flavour])[order])
    bins = int(np.clip(data_jets // JETS_PER_BIN, 3, MOST_BINS))
    inner = np.interp(np.arange(1, bins) / bins * share[-1], share, values[order])
    found = np.unique(np.concatenate([[values.min()], inner, [values.max()]]))
    return found if len(found) > 1 else np.array([found[0] - 0.5, found[0] + 0.5])


def fill(data: Jets, simulated: Jets, threshold: float, edges: Floats, classes: int) -> Templates:
    """Count jets by the bins of the variable, data against each class; values outside go to the outer bins.

    Bins with too little simulation are joined with their neighbours, so that no bin of data stands alone.
    """
    high = np.append(edges[1:], np.nan)
    low = np.append(edges[:-1], np.nan)
    order = np.append(len(edges) - 1, np.arange(len(edges) - 1))  # the bin of jets without a value comes first
    counts: dict[bool, tuple[Floats, Floats, Floats]] = {}
    for passing in (True, False):
        own_data = data[(data.score >= threshold) == passing]
        own = simulated[(simulated.score >= threshold) == passing]
        cell = own.flavour * len(edges) + _bin(own.template, edges)
        sums = [
            np.bincount(cell, weights, classes * len(edges)).astype(float).reshape(classes, -1)[:, order]
            for weights in (own.weights, own.weights**2)
        ]
        of_data = np.bincount(_bin(own_data.template, edges), minlength=len(edges)).astype(float)[order]
        counts[passing] = of_data, sums[0], sums[1]
    passes = np.repeat([True, False], len(edges))
    together = [np.concatenate([counts[True][k], counts[False][k]], axis=-1) for k in range(3)]
    negative = int((together[1] < 0).sum())
    full = Templates(
        together[0], np.maximum(together[1], 0.0), together[2], passes,
        np.tile(low[order], 2), np.tile(high[order], 2), negative,
    )  # fmt: skip
    return join_poor(full)


def _bin(values: Floats, edges: Floats) -> Array:
    """Return (n,) number of the bin; the last one is that of NaN."""
    inside = np.clip(np.searchsorted(edges, values, "right") - 1, 0, len(edges) - 2)
    return np.where(np.isfinite(values), inside, len(edges) - 1)


def join_poor(templates: Templates) -> Templates:
    """Join neighbours until each bin has enough simulation; what is left joins the bin before it.

    A bin in which there is nothing at all, no data either, is left out.
    """
    effective = _effective(templates.simulated.sum(axis=0), templates.variance.sum(axis=0))
    groups: list[list[int]] = []
    for passing in (True, False):
        own: list[list[int]] = []
        pending: list[int] = []
        for number in np.flatnonzero(templates.passes == passing):
            if templates.data[number] == 0 and effective[number] == 0:
                continue
            pending.append(int(number))
            total = templates.simulated[:, pending].sum(), templates.variance[:, pending].sum()
            if _effective(*total) >= FEWEST_SIMULATED:
                own, pending = [*own, pending], []
        if pending and own:
            own[-1] = own[-1] + pending
        elif pending:
            own = [pending]
        groups += own
    if not groups:
        return templates
    return replace(
        templates,
        data=np.array([templates.data[group].sum() for group in groups]),
        simulated=np.array([templates.simulated[:, group].sum(axis=1) for group in groups]).T,
        variance=np.array([templates.variance[:, group].sum(axis=1) for group in groups]).T,
        passes=np.array([templates.passes[group[0]] for group in groups]),
        low=np.array([_first(templates.low[group]) for group in groups]),
        high=np.array([_last(templates.high[group]) for group in groups]),
    )


def _effective(total: Floats | float, variance: Floats | float) -> Floats:
    """Return how many jets of one weight know a sum as well."""
    return np.asarray(np.square(total) / np.where(np.asarray(variance) > 0, variance, np.inf))


def _first(edges: Floats) -> float:
    known = edges[np.isfinite(edges)]
    return float(known[0]) if len(known) else float("nan")


def _last(edges: Floats) -> float:
    known = edges[np.isfinite(edges)]
    return float(known[-1]) if len(known) else float("nan")
