"""Figures of the study: pulses ahead of a quench, turn-on curves, and what labels are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lynkeus.commission.figures import COLOURS, DASHES, MARKERS, SERIES, finished, save
from lynkeus.core import Array, Floats
from lynkeus.simulate.cavity.faults import CLASSES

Efficiencies = dict[str, dict[int, list[float]]]  # scorer -> number of labels -> efficiency of each seed
ABREAST = 4


def ahead_figure(ahead: Mapping[str, Sequence[Array]], precursors: Array, shares: Sequence[float], path: Path) -> None:
    """One panel per share of false positives: sequences seen at least n pulses before the drop, against n."""
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    pulses = np.arange(1, int(precursors.max()) + 1)
    for number, axes in enumerate(figure.subplots(1, len(shares), sharey=True)):
        axes.fill_between(pulses, _at_least(precursors, pulses), color=COLOURS["line"], linewidth=0)
        for index, (name, own) in enumerate(ahead.items()):
            first, median, third = np.quantile(own[number], (0.25, 0.5, 0.75))
            label = f"{name} ({np.mean(own[number] > 0):.0%}; {median:.0f}, {first:.0f} to {third:.0f})"
            axes.plot(pulses, _at_least(own[number], pulses), label=label, **_style(index))
        axes.set_title(f"threshold at {shares[number]:.1%} false positives")
        axes.set_xlabel("pulses before the field drops by 5 %, at least")
        axes.set_ylim(0, 1.02)
        axes.set_xlim(0.8, pulses[-1] + 0.2)
        axes.grid(True)
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=7.5)
        if not number:
            axes.set_ylabel("share of quench sequences")
    save(finished(figure), path)


def turn_on_figure(efficiency: Mapping[str, Floats], sizes: Sequence[float], path: Path) -> None:
    """One panel per class: efficiency (sizes, classes, 3) of each scorer against size, the first with its interval."""
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    grid = figure.subplots(2, ABREAST, sharex=True, sharey=True)
    for kind, axes in enumerate(grid.flat):
        for index, (name, found) in enumerate(efficiency.items()):
            middle, low, high = found[:, kind].T
            axes.plot(sizes, middle, label=name, **_style(index))
            if not index:
                axes.fill_between(sizes, low, high, color=SERIES[0], alpha=0.18, linewidth=0)
        axes.axhline(0.01, linestyle=":", color=COLOURS["muted"], linewidth=1)
        axes.set_title(CLASSES[1 + kind])
        axes.set_xscale("log")
        axes.set_xticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])
        axes.minorticks_off()
        axes.set_ylim(-0.02, 1.02)
        axes.grid(True)
        axes.set_xlabel("size of the fault" if kind >= ABREAST else "")
        axes.set_ylabel("" if kind % ABREAST else "efficiency")
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=4, frameon=False)
    save(finished(figure), path)


def label_figure(found: Efficiencies, levels: Mapping[str, float], path: Path) -> None:
    """Mean efficiency with the range over seeds against the number of labels; `levels`: what needs none."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    counts = sorted({count for of_scorer in found.values() for count in of_scorer})
    for index, (name, of_scorer) in enumerate(found.items()):
        own = sorted(of_scorer)
        middle = np.array([np.mean(of_scorer[count]) for count in own])
        low, high = (np.array([take(of_scorer[count]) for count in own]) for take in (min, max))
        at = [counts.index(count) + 0.04 * (index - 1) for count in own]
        axes.errorbar(at, middle, yerr=[middle - low, high - middle], label=name, capsize=2.5, **_style(index))
    for index, (name, level) in enumerate(levels.items()):
        axes.axhline(level, linestyle="--", color=SERIES[len(found) + index], linewidth=1.2, label=name)
    axes.set_xticks(range(len(counts)), [str(count) for count in counts])
    axes.set_xlabel("labelled faulty pulses, of all classes")
    axes.set_ylabel("mean efficiency at 1 % false positives")
    axes.set_ylim(0, 1.02)
    axes.grid(True)
    axes.legend(frameon=False, loc="lower right")
    save(finished(figure), path)


def _at_least(values: Array, least: Array) -> Floats:
    """(len(least),) the share of values that are at least so large."""
    return np.asarray((values[:, None] >= least).mean(axis=0))


def _style(index: int) -> dict[str, Any]:
    dashes = DASHES[index // len(SERIES) % len(DASHES)]
    return {
        "color": SERIES[index % len(SERIES)], "marker": MARKERS[index % len(MARKERS)], "linestyle": dashes,
        "linewidth": 1.5, "markersize": 4,
    }  # fmt: skip
