"""Figures of the study: factors measured beside true ones, and one fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from lynkeus.commission.figures import COLOURS, SERIES, finished, save
from lynkeus.scale_factors.figures import draw_cell
from lynkeus.scale_factors.measurement import Cell, Measurement
from lynkeus.studies.scale_factors.answers import Row


def factors_figure(rows: Sequence[Row], path: Path) -> None:
    """Draw a panel for each sample and variable: measured factors with all sources, and the true ones."""
    panels = list(dict.fromkeys((row.sample, row.variable) for row in rows))
    tallest = max(sum((row.sample, row.variable) == panel for row in rows) for panel in panels)
    figure = Figure(figsize=(4.6 * len(panels), 1.2 + 0.32 * tallest), layout="constrained")
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for column, (axes, panel) in enumerate(zip(grid, panels, strict=True)):
        own = [row for row in rows if (row.sample, row.variable) == panel]
        for place, row in enumerate(own):
            up, down = row.cell.total(True)[row.number], row.cell.total(False)[row.number]
            axes.errorbar(
                row.measured, place, xerr=[[-down], [up]], fmt="o", color=SERIES[0], markersize=4, linewidth=1.2
            )
            axes.plot(row.true, place, "s", color=SERIES[1], markersize=6, fillstyle="none")
        axes.axvline(1, color=COLOURS["line"], linewidth=1)
        axes.set_yticks(range(len(own)), [row.place.partition(", |eta|")[0] for row in own] if column == 0 else [])
        axes.set_ylim(len(own) - 0.5, -0.5)
        axes.set_title(", ".join(panel))
        axes.set_xlabel("scale factor of b")
    save(finished(figure), path)


def fit_figure(found: Measurement, cell: Cell, variable: str, path: Path) -> None:
    """Draw one fit."""
    save(draw_cell(found, cell, variable), path)
