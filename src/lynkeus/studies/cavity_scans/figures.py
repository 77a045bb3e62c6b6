"""Figures of the study: where the scorers stand, and rank correlations with intervals, by aggregation and by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lynkeus.commission.figures import COLOURS, MARKERS, SERIES, finished, save
from lynkeus.scans.aggregate import AGGREGATIONS
from lynkeus.scans.correlation import Pair
from lynkeus.studies.cavity_scans.answers import MEAN, PLACES, WORST, Answers
from lynkeus.studies.cavity_scans.pointing import ANOTHER
from lynkeus.studies.cavity_scans.scans import MEASURED

STANDING = {
    "image auroc": "AUROC, image score",
    "auroc of the worst spot": "AUROC, worst spot",
    "pointing": "worst spot in it",
    "near": "one of 3 spots near",
}


class Interval(NamedTuple):
    """A number with the ends of its confidence interval."""

    value: float
    low: float
    high: float


def standing_figure(found: Mapping[str, Answers], path: Path) -> None:
    """A panel for each number, a lane for each scorer."""
    figure = Figure(figsize=(9.6, 0.34 * len(found) + 1.1), layout="constrained")
    panels = figure.subplots(1, len(STANDING), sharey=True)
    for axes, (key, title) in zip(panels, STANDING.items(), strict=True):
        for lane, one in enumerate(found.values()):
            bar = Interval(*(one.numbers[name] for name in (key, f"{key}.low", f"{key}.high")))
            _draw(axes, lane, bar, lane)
            chance = one.numbers.get(f"{key} {ANOTHER}", 0.5)
            axes.plot([chance], [lane], "|", color=COLOURS["muted"], markersize=9, markeredgewidth=2)
        axes.set_title(title)
        axes.set_xlim(-0.02, 1.02)
        axes.grid(True, axis="x")
    panels[0].set_yticks(range(len(found)), found)
    panels[0].set_ylim(len(found) - 0.5, -0.5)
    save(finished(figure), path)


def aggregation_figure(found: Mapping[str, Answers], path: Path) -> None:
    """A panel per property, a lane per aggregation, a marker per scorer."""
    critical = max(one.alike.critical for one in found.values())
    panels = {
        name: {
            scorer: {pair.score: pair for pair in one.alike.pairs if pair.property == name}
            for scorer, one in found.items()
        }
        for name in MEASURED
    }
    _write(panels, tuple(AGGREGATIONS), path, critical)


def locality_figure(found: Mapping[str, Answers], path: Path) -> None:
    """A panel for the worst spot and one for the mean score, a lane per place, a marker per scorer."""
    panels: dict[str, dict[str, dict[str, Pair]]] = {}
    for what in (WORST, MEAN):
        panels[what] = {}
        for scorer, one in found.items():
            panels[what][scorer] = one.by_place(what)
    _write(panels, PLACES, path)


def _write(
    panels: Mapping[str, Mapping[str, Mapping[str, Pair]]], lanes: Sequence[str], path: Path, critical: float = 0.0
) -> None:
    """`panels`: title -> scorer -> lane -> pair."""
    scorers = next(iter(panels.values()))
    figure = Figure(figsize=(4.6 * len(panels), 0.16 * len(scorers) * len(lanes) + 1.5), layout="constrained")
    axes_of = figure.subplots(1, len(panels), sharey=True)
    for axes, (title, of_scorer) in zip(axes_of, panels.items(), strict=True):
        if critical:
            axes.axvspan(-critical, critical, color=COLOURS["line"], alpha=0.6, linewidth=0)
        for number, own in enumerate(of_scorer.values()):
            for lane, name in enumerate(lanes):
                if name in own:
                    at = lane + 0.76 * ((number + 0.5) / len(scorers) - 0.5)
                    _draw(axes, at, Interval(own[name].rho, own[name].low, own[name].high), number)
        axes.axvline(0, color=COLOURS["muted"], linewidth=1)
        axes.set_title(title)
        axes.set_xlim(-1, 1)
        axes.set_xticks([-1, -0.5, 0, 0.5, 1])
        axes.set_xlabel("Spearman's rho")
        axes.grid(True, axis="x")
    axes_of[0].set_yticks(range(len(lanes)), lanes)
    axes_of[0].set_ylim(len(lanes) - 0.5, -0.5)
    for number, name in enumerate(scorers):
        axes_of[0].plot([], [], MARKERS[number % len(MARKERS)], color=SERIES[number % len(SERIES)], label=name)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    save(finished(figure), path)


def _draw(axes: Axes, at: float, bar: Interval, number: int) -> None:
    colour = SERIES[number % len(SERIES)]
    axes.plot([bar.low, bar.high], [at, at], color=colour, linewidth=1.5)
    axes.plot([bar.value], [at], MARKERS[number % len(MARKERS)], color=colour, markersize=5)
