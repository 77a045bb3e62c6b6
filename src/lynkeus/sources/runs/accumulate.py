"""Accumulate events into the plots of a Book; sums may be merged, so a run of any length needs no memory."""

from __future__ import annotations

import boost_histogram as bh
import numpy as np

from lynkeus.core import Array, Book, Floats, Plot

EVEN = 1e-9  # relative differences of steps below which an axis is evenly spaced


class Accumulator:
    """The counts of one run. `add` events as they come; `merge` what other processes or sections counted."""

    def __init__(self, book: Book, columns: tuple[str, ...]) -> None:
        self.book = book
        self._columns = [tuple(columns.index(variable) for variable in plot.variables) for plot in book.plots]
        self._histograms = [bh.Histogram(*_axes(plot)) for plot in book.plots]

    def add(self, values: Floats, group: Array, weight: Floats | None = None) -> None:
        """Count events: values (n, column), the group of each (n,) and its weight; missing values are in no bin."""
        for name in {plot.group for plot in self.book.plots}:
            chosen = group == name if name else slice(None)
            own, weights = values[chosen], None if weight is None else weight[chosen]
            for plot, columns, histogram in zip(self.book.plots, self._columns, self._histograms, strict=True):
                if plot.group == name:
                    _fill(histogram, own[:, columns], weights)

    def merge(self, row: Floats) -> None:
        """Add the counts (bins,) of another accumulator of the same book."""
        for where, histogram in zip(self.book.slices(), self._histograms, strict=True):
            view = histogram.view(flow=True)
            view += row[where].reshape(view.shape)

    def row(self) -> Floats:
        """Return the counts (bins,) of all plots, underflow and overflow among them."""
        return np.concatenate([histogram.view(flow=True).ravel() for histogram in self._histograms])


def _fill(histogram: bh.Histogram, values: Floats, weight: Floats | None) -> None:
    known = np.isfinite(values).all(axis=1)
    if not known.all():
        values, weight = values[known], None if weight is None else weight[known]
    histogram.fill(*values.T, weight=weight)


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
