"""Figures of the study: images beside their maps, where all rows stand, and efficiency against false positives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lynkeus.commission.figures import COLOURS, DASHES, MARKERS, SERIES, finished, save
from lynkeus.core import Array, Floats
from lynkeus.scorers.inspect.spots import Inspected

SIGMAS = 10.0  # of the colour scale, for every image
ABREAST = 2  # examples in a line
PANEL = 2.1  # inches
LEAST_SHARE = 0.004  # of the axis of false positives
MASK, SPOT = "#00e5ff", "#ffd400"


class ExampleImage(NamedTuple):
    """An image and what was made of it; `mask` None where nobody knows."""

    title: str
    image: Array
    said: Inspected
    mask: Array | None
    file: str


def examples_figure(examples: Sequence[ExampleImage], path: Path) -> None:
    """Image and map of each, ABREAST examples in a line."""
    lines = -(-len(examples) // ABREAST)
    figure = Figure(figsize=(2 * ABREAST * PANEL, lines * PANEL), layout="constrained")
    grid = figure.subplots(lines, 2 * ABREAST, squeeze=False)
    shown = None
    for number, example in enumerate(examples):
        line, place = divmod(number, ABREAST)
        left, right = grid[line, 2 * place : 2 * place + 2]
        _draw_image(left, example)
        shown = right.imshow(example.said.map, cmap="inferno", vmin=0, vmax=SIGMAS)
        _outline(right, example.mask)
        right.set_title(f"highest {example.said.map.max():.1f}")
        left.set_title(f"{example.title}: score {example.said.score:.1f}")
        left.set_xlabel(example.file.rsplit("/", 1)[-1], fontsize=6)
    figure = finished(figure)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.title.set_fontsize(8)
        axes.spines[:].set_visible(False)
    for axes in grid.flat[2 * len(examples) :]:
        axes.set_visible(False)
    if shown is not None:
        bar = figure.colorbar(shown, ax=grid, shrink=0.4, location="right", extend="both")
        bar.set_label("sigmas of good images", fontsize=8)
    save(figure, path)


def _draw_image(axes: Axes, example: ExampleImage) -> None:
    axes.imshow(example.image.mean(axis=0), cmap="gray", vmin=0, vmax=255)
    _outline(axes, example.mask)
    for number, spot in enumerate(example.said.spots, 1):
        axes.plot(spot.x, spot.y, "o", markersize=9, markerfacecolor="none", markeredgecolor=SPOT, markeredgewidth=1)
        style: dict[str, Any] = {"color": SPOT, "fontsize": 6, "ha": "center", "va": "center"}
        axes.annotate(str(number), (spot.x, spot.y), (7, 5), textcoords="offset points", **style)


def _outline(axes: Axes, mask: Array | None) -> None:
    if mask is not None and mask.any():
        axes.contour(np.pad(mask, 1), [0.5], colors=MASK, linewidths=0.7, extent=_around(mask))


def _around(mask: Array) -> tuple[float, float, float, float]:
    """Return where the pixels of a padded mask are."""
    rows, columns = mask.shape
    return (-1.0, float(columns), -1.0, float(rows))


def standing_figure(measured: Mapping[str, Mapping[str, float]], numbers: Mapping[str, str], path: Path) -> None:
    """A panel for each number, a lane for each row, with intervals."""
    shown = [key for key in numbers if key not in ("image_ap", "pro_0.3")]
    figure = Figure(figsize=(2.2 * len(shown) + 1.8, 0.3 * len(measured) + 1.0), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, key in zip(panels, shown, strict=True):
        for lane, values in enumerate(measured.values()):
            colour, marker = SERIES[lane % len(SERIES)], MARKERS[lane % len(MARKERS)]
            axes.plot([values[f"{key}.low"], values[f"{key}.high"]], [lane, lane], color=colour, linewidth=1.8)
            axes.plot([values[key]], [lane], marker, color=colour, markersize=5)
        axes.set_title(numbers[key])
        axes.set_xlim(-0.02, 1.02)
        axes.grid(True, axis="x")
    panels[0].set_yticks(range(len(measured)), measured)
    panels[0].set_ylim(len(measured) - 0.5, -0.5)
    save(finished(figure), path)


def efficiency_figure(scored: Mapping[str, tuple[Array, Floats]], path: Path) -> None:
    """Draw efficiency against the share of false positives, from truth (n,) and scores (n,) of each row."""
    figure = Figure(figsize=(6.8, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for number, (name, (truth, scores)) in enumerate(scored.items()):
        good, wrong = (np.sort(scores[(truth != 0) == faulty])[::-1] for faulty in (False, True))
        share = (np.arange(len(good)) + 1) / len(good)
        above = np.searchsorted(-wrong, -good, side="right") / len(wrong)
        dashes = DASHES[number // len(SERIES) % 2]
        axes.step(share, above, dashes, where="post", color=SERIES[number % len(SERIES)], linewidth=1.5, label=name)
    shares = np.geomspace(LEAST_SHARE, 1, 100)
    axes.plot(shares, shares, "--", color=COLOURS["muted"], linewidth=1, label="chance")
    axes.set_xscale("log")
    axes.set_xticks([0.01, 0.1, 1.0], ["0.01", "0.1", "1"])
    axes.set(xlim=(LEAST_SHARE, 1), ylim=(0, 1.02))
    axes.set_xlabel("share of good images at or above the threshold")
    axes.set_ylabel("share of defective images")
    axes.grid(True)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    save(finished(figure), path)
