"""Accumulate events into the plots of a Book, piece by piece, so that a run of any length needs no memory."""

from __future__ import annotations

import boost_histogram as bh
import numpy as np

from lynkeus.core import Array, Book, Floats, Plot

EVEN = 1e-9  # relative differences of steps below which an axis is evenly spaced
NEARLY_WHOLE = 1e-3


class Accumulator:
    """The plots of one run. `add` events as they come."""

    def __init__(self, book: Book, columns: tuple[str, ...]) -> None:
        self.book = book
        self._columns = [tuple(columns.index(variable) for variable in plot.variables) for plot in book.plots]
        self._histograms = [bh.Histogram(*_axes(plot)) for plot in book.plots]
        self._squares = np.zeros(len(book.plots))

    def add(self, values: Floats, group: Array, weight: Floats | None = None, squares: Floats | None = None) -> None:
        """Count events: values (n, column), the group of each (n,) and its weight; missing values are in no bin.
        `squares` (n,): of the weights as they were before some were shared; None: of these."""
        squares = weight**2 if squares is None and weight is not None else squares
        for name in {plot.group for plot in self.book.plots}:
            chosen = group == name if name else slice(None)
            own, both = values[chosen], [None if part is None else part[chosen] for part in (weight, squares)]
            for number, (plot, columns) in enumerate(zip(self.book.plots, self._columns, strict=True)):
                if plot.group == name:
                    self._squares[number] += _fill(self._histograms[number], own[:, columns], *both)

    def entries(self) -> Floats:
        """Return the entries (bins,) of all plots, underflow and overflow among them, of weighted events effective ones
        (`entries_of`)."""
        sums = [histogram.view(flow=True).ravel() for histogram in self._histograms]
        return np.concatenate(list(map(entries_of, sums, self._squares)))


def entries_of(sums: Floats, squares: float) -> Floats:
    """Return sums (bins,) of weights as effective entries, which scatter as counts do: times sum w / sum w^2 of the
    whole plot (Kish 1965), of which `squares` is the latter; never below 0. Where weights are all alike these are
    whole, but for rounding."""
    worth = max(float(sums.sum()), 0.0) / squares if squares > 0 else 1.0
    counts = np.maximum(sums * worth, 0.0)
    return np.round(counts) if is_whole(counts) else counts


def is_whole(counts: Floats) -> bool:
    """Return whether counts are whole numbers, but for rounding."""
    return bool((np.abs(counts - np.round(counts)) < NEARLY_WHOLE).all())


def _fill(histogram: bh.Histogram, values: Floats, weight: Floats | None, squares: Floats | None) -> float:
    """Count events (n, variables) with their weights (n,); return the sum of the `squares` (n,) of those counted."""
    known = np.isfinite(values).all(axis=1)
    if not known.all():
        values = values[known]
        weight, squares = (None if part is None else part[known] for part in (weight, squares))
    histogram.fill(*values.T, weight=weight)
    return float(len(values) if squares is None else squares.sum())


def _axes(plot: Plot) -> list[bh.axis.Axis]:
    """Return the axes of a plot; evenly spaced ones are several times quicker than those that search their edges."""
    axes: list[bh.axis.Axis] = []
    for edges in map(np.asarray, plot.edges):
        axes.append(_even(edges) or bh.axis.Variable(edges))
    return axes


def _even(edges: Floats) -> bh.axis.Axis | None:
    """Return an axis that is evenly spaced, or evenly in its logarithm; None where the edges are not."""
    for scale, transform in ((edges, None), (np.log(edges) if edges[0] > 0 else edges, bh.axis.transform.log)):
        steps = np.diff(scale)
        if np.ptp(steps) <= EVEN * abs(steps[0]):
            return bh.axis.Regular(len(edges) - 1, edges[0], edges[-1], transform=transform)
    return None
