"""Figures of the commissioning of runs: turn-on curves by kind of fault and number of events, and by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lynkeus.commission.figures import BANDS, COLOURS, DASHES, MARKERS, SERIES, finished
from lynkeus.commission.runs.turn_on import RunTurnOn
from lynkeus.core import SettingsError

ABREAST = 3  # panels, where all runs have one number of events


def draw_run_turn_on(rows: Sequence[RunTurnOn]) -> Figure:
    """A panel for each kind of fault and number of events, a curve for each scorer."""
    if not rows:
        raise SettingsError("no turn-on points to draw: the table is empty")
    panels = list(dict.fromkeys((row.fault, row.events) for row in rows))
    numbers = len({events for _, events in panels})
    scorers = list(dict.fromkeys(row.scorer for row in rows))
    abreast = numbers if numbers > 1 else ABREAST
    lines = -(-len(panels) // abreast)
    figure = Figure(figsize=(2.9 * abreast + 0.6, 2.1 * lines + 0.6), layout="constrained")
    grid = figure.subplots(lines, abreast, squeeze=False, sharey=True)
    for axes, (kind, events) in zip(grid.flat, sorted(panels, key=lambda panel: _place(rows, panel)), strict=False):
        _curves(axes, [row for row in rows if (row.fault, row.events) == (kind, events)], scorers)
        axes.set_title(f"{kind}, {events:,.0f} events")
        axes.set_xlabel("size")
        axes.set_ylabel("share flagged" if _harmless(rows, kind) else "efficiency")
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    curves = {
        text: curve for axes in figure.axes for curve, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        curves.values(), curves.keys(), loc="outside upper left", ncols=min(len(curves), abreast), frameon=False
    )
    return finished(figure)


def _place(rows: Sequence[RunTurnOn], panel: tuple[str, float]) -> tuple[int, float]:
    """Kinds in their order, each from few to many events."""
    return next(number for number, row in enumerate(rows) if row.fault == panel[0]), panel[1]


def _harmless(rows: Sequence[RunTurnOn], kind: str) -> bool:
    return next(row.harmless for row in rows if row.fault == kind)


def _curves(axes: Axes, rows: Sequence[RunTurnOn], scorers: Sequence[str]) -> None:
    for number, scorer in enumerate(scorers):
        own = sorted((row for row in rows if row.scorer == scorer), key=lambda row: row.size)
        size = [row.size for row in own]
        style: dict[str, Any] = {"color": SERIES[number % len(SERIES)]}
        if number == 0 or len(scorers) <= BANDS:
            axes.fill_between(size, [r.low for r in own], [r.high for r in own], alpha=0.18, linewidth=0, **style)
        axes.plot(
            size, [row.efficiency for row in own], DASHES[number // len(SERIES) % 2], linewidth=1.6, markersize=4.5,
            marker=MARKERS[number % len(MARKERS)], label=scorer, **style,
        )  # fmt: skip
    axes.axhline(rows[0].false_alarms if rows else 0.0, color=COLOURS["muted"], linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    sizes = sorted({row.size for row in rows})
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(-0.03, 1.03)
    axes.grid(True)


def draw_epochs(efficiency: Mapping[str, Mapping[int, tuple[float, float, float]]]) -> Figure:
    """Of each family of models epochs -> mean efficiency over all that was planted, low, high."""
    figure = Figure(figsize=(6.0, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for number, (family, points) in enumerate(efficiency.items()):
        epochs = sorted(points)
        middle, low, high = np.array([points[epoch] for epoch in epochs]).T
        colour = SERIES[number % len(SERIES)]
        axes.fill_between(epochs, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(epochs, middle, marker=MARKERS[number % len(MARKERS)], color=colour, linewidth=1.6, label=family)
    axes.set(ylim=(-0.03, 1.03), xlabel="epochs of the training", ylabel="mean efficiency")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(True)
    axes.legend(frameon=False, fontsize=9)
    return finished(figure)
