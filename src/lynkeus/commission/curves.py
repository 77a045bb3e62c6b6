"""Figures of turn-on curves: of all kinds of samples by kind of fault and number of events, and by epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lynkeus.commission.figures import BANDS, COLOURS, DASHES, MARKERS, SERIES, finished, save
from lynkeus.commission.settings import OF_GOOD
from lynkeus.commission.turn_on import CHANCE, TurnOn
from lynkeus.core import SettingsError

PANELS_ABREAST = 4


def turn_on_figure(rows: Sequence[TurnOn], path: Path) -> None:
    """Write `draw_turn_on` as SVG or PNG, by the ending of the path."""
    save(draw_turn_on(rows), path)


def draw_turn_on(rows: Sequence[TurnOn]) -> Figure:
    """One panel per kind of fault and number of events, efficiency with its interval against size, one curve per
    scorer; the kinds that have no size share the last panel. Only outputs that are meant for a fault are shown."""
    meant = [row for row in rows if row.meant]
    if not meant:
        raise SettingsError("no turn-on points to draw: the table is empty")
    panels = _panels([row for row in meant if row.unit])
    flat = [row for row in meant if not row.unit]
    scorers = list(dict.fromkeys(row.scorer for row in meant))
    numbers = len({row.events for row in meant if not np.isnan(row.events)})
    abreast = numbers if numbers > 1 else min(PANELS_ABREAST, max(len(panels), 2))
    lines = -(-len(panels) // abreast) if panels else 0
    spare = lines * abreast - len(panels)
    below = int(bool(flat) and spare < 2)
    kinds = len({row.fault for row in flat})
    heights = [2.6] * lines + [max(2.6, 0.3 * kinds + 1.0)] * below
    figure = Figure(figsize=(2.75 * abreast, sum(heights) + 0.5), layout="constrained")
    grid = figure.add_gridspec(lines + below, abreast, hspace=0.06, height_ratios=heights)
    for number, own in enumerate(panels):
        axes = figure.add_subplot(grid[number // abreast, number % abreast])
        _draw_curves(axes, own, scorers)
        axes.set_ylabel(("share flagged" if own[0].harmless else "efficiency") if number % abreast == 0 else "")
        axes.tick_params(labelleft=number % abreast == 0)
    if flat:
        place = grid[lines, :] if below else grid[lines - 1, abreast - spare :]
        _draw_without_size(figure.add_subplot(place.subgridspec(1, 2, width_ratios=(0.2, 1.0))[1]), flat, scorers)
        if not panels:
            _label(figure.axes[0], scorers)
    handles = {text: line for axes in figure.axes for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside upper left", ncols=min(len(handles), 5), frameon=False)
    return finished(figure)


def _panels(rows: Sequence[TurnOn]) -> list[list[TurnOn]]:
    """The rows of each panel: kinds in their order, each from few to many events."""
    keys = {(row.fault, float(np.nan_to_num(row.events))): row.fault for row in rows}
    order = list(dict.fromkeys(keys.values()))
    return [
        [row for row in rows if (row.fault, float(np.nan_to_num(row.events))) == key]
        for key in sorted(keys, key=lambda key: (order.index(key[0]), key[1]))
    ]


def _draw_curves(axes: Axes, rows: Sequence[TurnOn], scorers: Sequence[str]) -> None:
    for number, scorer in enumerate(scorers):
        for output in dict.fromkeys(row.output for row in rows if row.scorer == scorer):
            own = sorted((r for r in rows if (r.scorer, r.output) == (scorer, output)), key=lambda row: row.size)
            size, middle = [row.size for row in own], [row.efficiency for row in own]
            if scorer == CHANCE:
                axes.plot(size, middle, "--", color=COLOURS["muted"], linewidth=1, label=scorer)
                continue
            style: dict[str, Any] = {"color": SERIES[number % len(SERIES)]}
            if number == 0 or len(scorers) <= BANDS:
                axes.fill_between(size, [r.low for r in own], [r.high for r in own], alpha=0.18, linewidth=0, **style)
            axes.plot(
                size, middle, DASHES[number // len(SERIES) % 2], marker=MARKERS[number % len(MARKERS)], linewidth=1.6,
                markersize=4.5, label=scorer, **style,
            )  # fmt: skip
    first = rows[0]
    outputs = ", ".join(dict.fromkeys(row.output for row in rows))
    of = f" ({outputs})" if first.budget_unit != OF_GOOD else ""
    axes.set_title(f"{first.fault}{of}" if np.isnan(first.events) else f"{first.fault}, {first.events:,.0f} events")
    axes.set_xlabel(f"size ({first.unit})")
    _scale(axes, sorted({row.size for row in rows}))
    axes.set_ylim(-0.03, 1.03)
    axes.grid(True)


def _scale(axes: Axes, sizes: Sequence[float]) -> None:
    """Logarithmic with a tick at each size, where all are above zero."""
    if sizes[0] <= 0 or len(sizes) < 2:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        return
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.minorticks_off()


def _draw_without_size(axes: Axes, rows: Sequence[TurnOn], scorers: Sequence[str]) -> None:
    kinds = list(dict.fromkeys(row.fault for row in rows))
    shown = [scorer for scorer in scorers if scorer != CHANCE]
    for row in rows:
        if row.scorer == CHANCE:
            continue
        number = shown.index(row.scorer)
        at = kinds.index(row.fault) + (number - (len(shown) - 1) / 2) * 0.7 / len(shown)
        style: dict[str, Any] = {"color": SERIES[scorers.index(row.scorer) % len(SERIES)]}
        axes.plot([row.low, row.high], [at, at], linewidth=2, **style)
        marker = MARKERS[scorers.index(row.scorer) % len(MARKERS)]
        axes.plot([row.efficiency], [at], marker, markersize=5.5, **style)
    axes.set_yticks(range(len(kinds)), kinds)
    for text in axes.get_yticklabels():
        text.set_in_layout(False)  # they have the room beside the panel
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("efficiency")
    axes.set_title("faults without a size")
    axes.grid(True, axis="x")


def _label(axes: Axes, scorers: Sequence[str]) -> None:
    """Names for the legend, where no curve has them."""
    for number, scorer in enumerate(scorers):
        if scorer != CHANCE:
            marker, colour = MARKERS[number % len(MARKERS)], SERIES[number % len(SERIES)]
            axes.plot([], [], marker, color=colour, linestyle="-", linewidth=2, markersize=5.5, label=scorer)


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
