"""Figures of the study: one run of each kind of change beside good ones, turn-on curves, and the bands of good runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lynkeus.commission.figures import COLOURS, MARKERS, SERIES, finished, save
from lynkeus.commission.turn_on import TurnOn
from lynkeus.core import Finding, PlotRecord, RunRecord
from lynkeus.simulate.xenon.populations import NAMES
from lynkeus.simulate.xenon.source import NobleRun

AREAS = ("s1c_phd", "s2c_phd")
LINES = 5  # panels abreast
DECADES = {10: "10", 100: "100", 1000: "1k", 10_000: "10k", 100_000: "100k", 1_000_000: "1M"}
POPULATIONS = dict(zip(("beta", "kr83m", "xe131m", "alpha", "wall", "accidental"), SERIES, strict=True))


class ExampleRun(NamedTuple):
    """A run, what was planted in it, in words, and what was said of it."""

    title: str
    run: NobleRun
    record: RunRecord


def bands_figure(run: NobleRun, path: Path) -> None:
    """Draw where the populations of good runs are: charge against light."""
    figure = Figure(figsize=(6.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, colour in POPULATIONS.items():
        own = run.population == NAMES.index(name)
        x, y = run.columns[AREAS[0]][own], run.columns[AREAS[1]][own]
        axes.plot(x, y, ".", markersize=2, color=colour, label=name, rasterized=True)
    _log_axes(axes)
    axes.legend(frameon=False, fontsize=8, markerscale=4, loc="center left", bbox_to_anchor=(1.0, 0.5))
    save(finished(figure), path)


def examples_figure(examples: Sequence[ExampleRun], path: Path) -> None:
    """Above all events, outlined what was named; below the plot that the change shows in, and the band of good runs."""
    figure = Figure(figsize=(3.2 * len(examples), 6.0), layout="constrained")
    grid = figure.subplots(2, len(examples), squeeze=False)
    for (upper, lower), example in zip(grid.T, examples, strict=True):
        upper.plot(*(example.run.columns[name] for name in AREAS), ".", markersize=2, color=COLOURS["muted"])
        _log_axes(upper)
        change = example.record.change
        if all(name in change.region for name in AREAS):
            (left, right), (low, high) = (change.region[name] for name in AREAS)
            box = Rectangle(
                (left, low), right - left, high - low, fill=False, edgecolor=COLOURS["alarm"], linewidth=1.4
            )
            upper.add_patch(box)
        upper.set_title(example.title)
        _draw_plot(lower, _plot_of(example.record, change))
        said = "nothing" if change.kind == "none" else f"{change.kind}, {change.sigma:.1f} sigma"
        lower.set_title(f"said: {example.record.verdict.value.upper()}, {said}", fontsize=8)
    figure = finished(figure)
    for axes in grid[1]:
        axes.title.set_fontsize(8.5)
    save(figure, path)


def _log_axes(axes: Axes) -> None:
    axes.set(xscale="log", yscale="log", xlabel="S1 corrected (phd)", ylabel="S2 corrected (phd)")
    axes.set(xlim=(2, 2e5), ylim=(200, 2e6))
    axes.set_xticks(list(DECADES)[:5], list(DECADES.values())[:5])
    axes.set_yticks(list(DECADES)[2:], list(DECADES.values())[2:])
    axes.minorticks_off()
    axes.grid(True)


def _plot_of(record: RunRecord, change: Finding) -> PlotRecord:
    """The plot of one variable in which the change shows most; of a good run that of the charge."""
    single = [plot for plot in record.plots if len(plot.plot.variables) == 1]
    wanted = set(change.variable.split(", ")) & set(AREAS) or {AREAS[1]}
    return max((p for p in single if p.plot.variables[0] in wanted), key=lambda p: p.sigma)


def _draw_plot(axes: Axes, record: PlotRecord) -> None:
    edges = np.array(record.plot.edges[0])
    inside = slice(1, -1)  # without the bins below and above the axis
    axes.stairs(
        record.high[inside], edges, baseline=record.low[inside], fill=True, color=COLOURS["line"], label="good runs"
    )
    axes.stairs(record.expected[inside], edges, color=COLOURS["muted"], linewidth=1)
    middle = np.sqrt(edges[1:] * edges[:-1]) if record.plot.log[0] else 0.5 * (edges[1:] + edges[:-1])
    counts = record.counts[inside]
    axes.errorbar(
        middle, counts, np.sqrt(counts), fmt=".", markersize=3, linewidth=0.8, color=SERIES[0], label="this run"
    )
    if record.plot.log[0]:
        inside_axis = [value for value in DECADES if edges[0] <= value <= edges[-1]]
        axes.set_xscale("log")
        axes.set_xticks(inside_axis, [DECADES[value] for value in inside_axis])
        axes.minorticks_off()
    axes.set_ylim(0, 1.35 * max(counts.max(), record.high[inside].max()))
    axes.set(xlabel=record.plot.variables[0], ylabel="events a bin")
    axes.legend(frameon=False, fontsize=7, loc="upper left", ncols=2)


def turn_on_figure(rows: Sequence[TurnOn], path: Path) -> None:
    """A panel for each fault, a curve for each number of events."""
    kinds, numbers = list(dict.fromkeys(r.fault for r in rows)), list(dict.fromkeys(r.events for r in rows))
    lines = -(-len(kinds) // LINES)
    figure = Figure(figsize=(2.5 * LINES, 2.2 * lines + 0.4), layout="constrained")
    grid = figure.subplots(lines, LINES, squeeze=False)
    for axes, kind in zip(grid.flat, kinds, strict=False):
        for number, events in enumerate(numbers):
            own = sorted((r for r in rows if (r.fault, r.events) == (kind, events)), key=lambda row: row.size)
            size, colour = [row.size for row in own], SERIES[number]
            axes.fill_between(size, [r.low for r in own], [r.high for r in own], color=colour, alpha=0.18, linewidth=0)
            style = {"color": colour, "marker": MARKERS[number], "markersize": 4.5, "linewidth": 1.6}
            axes.plot(size, [row.efficiency for row in own], label=f"{events:,.0f} events", **style)
        axes.set_title(kind)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlim(left=0)
        axes.grid(True)
    for axes in grid.flat[len(kinds) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("size")
    for axes in grid[:, 0]:
        axes.set_ylabel("efficiency")
    figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside upper left", ncols=3, frameon=False)
    save(finished(figure), path)
