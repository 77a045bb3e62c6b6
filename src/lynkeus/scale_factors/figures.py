"""Figures of a measurement: the fitted templates of a bin, jets that pass beside jets that fail; factors against pt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from lynkeus.commission.figures import COLOURS, MARKERS, SERIES, finished
from lynkeus.core import Floats
from lynkeus.scale_factors.likelihood import Likelihood
from lynkeus.scale_factors.measurement import Cell, Measurement

NONE = "none"  # the bin of jets without a value


def draw_cell(found: Measurement, cell: Cell, variable: str) -> Figure:
    """Draw the fit of one cell: data as points, flavours stacked, and below the distance of the data in sigmas."""
    figure = Figure(figsize=(8.6, 3.6))  # without a layout engine, which takes longer than all fits of a bin
    figure.subplots_adjust(left=0.08, right=0.99, bottom=0.14, top=0.92, wspace=0.12, hspace=0.12)
    grid = figure.subplots(2, 2, height_ratios=(3, 1), sharex="col")
    question, fit, templates = found.question, cell.fit, cell.templates
    width = np.full(len(question.classes), np.inf)
    scales = Likelihood(templates, width).scales(np.concatenate([fit.yields, fit.factor]))
    for column, passes in enumerate((True, False)):
        own = templates.passes == passes
        edges, ticks = _places(templates.low[own], templates.high[own])
        parts = (scales * templates.simulated)[:, own]
        nuisance = fit.expected[own] / np.maximum(parts.sum(axis=0), 1e-12)
        _stack(grid[0, column], edges, parts * nuisance, question.classes)
        data = templates.data[own]
        middle = (edges[1:] + edges[:-1]) / 2
        grid[0, column].errorbar(
            middle, data, np.sqrt(data), fmt="o", color=COLOURS["text"], markersize=3.5, linewidth=1, label="data"
        )
        grid[0, column].set_title("pass" if passes else "fail")
        grid[0, column].set_yscale("log")
        grid[0, column].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))  # the house shows no formulas
        grid[0, column].yaxis.set_minor_formatter(NullFormatter())
        grid[0, column].set_ylim(0.5, 4 * max(data.max(), 1.0))
        expected = fit.expected[own]
        grid[1, column].bar(
            middle, (data - expected) / np.sqrt(np.maximum(expected, 1.0)), np.diff(edges), color=COLOURS["muted"]
        )
        grid[1, column].axhline(0, color=COLOURS["line"], linewidth=1)
        grid[1, column].set_ylim(-4, 4)
        grid[1, column].set_xlabel(variable)
        if ticks:
            grid[1, column].set_xticks(*ticks)
    grid[0, 0].set_ylabel("jets")
    grid[1, 0].set_ylabel("pull")
    grid[0, 1].legend(frameon=False, fontsize=9, ncols=2)
    return finished(figure)


def _places(low: Floats, high: Floats) -> tuple[Floats, tuple[Floats, list[str]] | None]:
    """Return edges to draw at, with a bin of its own on the left for jets without a value, and its tick labels."""
    there = np.isfinite(low)
    edges = np.append(low[there], high[there][-1:])
    if there.all():
        return edges, None
    if not there.any():
        return np.array([0.0, 1.0]), (np.array([0.5]), [NONE])
    span = edges[-1] - edges[0]
    ticks = np.linspace(edges[0], edges[-1], 5)[1:]
    drawn = np.concatenate([[edges[0] - 0.12 * span], edges])
    return drawn, (np.append(edges[0] - 0.06 * span, ticks), [NONE, *(f"{tick:.3g}" for tick in ticks)])


def _stack(axes: Axes, edges: Floats, parts: Floats, classes: Sequence[str]) -> None:
    below = np.zeros(parts.shape[1])
    for number, (name, counts) in enumerate(zip(classes, parts, strict=True)):
        axes.stairs(below + counts, edges, baseline=below, fill=True, color=SERIES[number % 6], alpha=0.6, label=name)
        below = below + counts


def draw_factors(found: Measurement) -> Figure:
    """Draw the factors of the class that is measured against pt: a panel for each bin of |eta|, a series for each
    working point, thick bars of the statistics of the data, thin ones of all sources."""
    bins, number = found.question.bins, found.question.number
    rows = len(bins.abseta) - 1
    figure = Figure(figsize=(max(4.2 * rows, 8.6), 3.2), layout="constrained")
    grid = figure.subplots(1, rows, sharey=True, squeeze=False)[0]
    per_row = len(bins.pt) - 1
    for row, axes in enumerate(grid):
        for series, (name, cells) in enumerate(found.cells.items()):
            own = {cell.members: cell for cell in cells[row * per_row : (row + 1) * per_row] if not cell.fit.problem}
            style = {"color": SERIES[series % 6], "marker": MARKERS[series % len(MARKERS)], "linestyle": "none"}
            for k, cell in enumerate(own.values()):
                first, last = bins.place(cell.members[0])[1], bins.place(cell.members[-1])[1] + 1
                share = (series + 1) / (len(found.cells) + 1)
                at = bins.pt[first] + share * (bins.pt[last] - bins.pt[first])
                value = cell.fit.factor[number]
                data = np.abs(cell.shifts["statistics"][number])[:, None]
                whole = np.abs([[cell.total(False)[number]], [cell.total(True)[number]]])
                axes.errorbar(at, value, whole, linewidth=1, markersize=5, label=name if k == 0 else None, **style)
                axes.errorbar(at, value, data, linewidth=3, markersize=0, **style)
        for edge in bins.pt:
            axes.axvline(edge, color=COLOURS["line"], linewidth=0.7)
        axes.axhline(1, color=COLOURS["muted"], linewidth=1)
        axes.set_title(f"|eta| {bins.abseta[row]:g} to {bins.abseta[row + 1]:g}")
        axes.set_xlabel("pt (GeV)")
    grid[0].set_ylabel(f"scale factor of {found.question.measured}")
    handles, labels = grid[0].get_legend_handles_labels()
    if handles:
        grid[0].legend(handles, labels, frameon=False, fontsize=9)
    return finished(figure)
