"""Figures of the study: rank correlations with intervals, by aggregation and by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lynkeus.evaluate.correlation import Correlations
from lynkeus.evaluate.figures import COLOURS, MARKERS, SERIES, finished, save


def aggregation_figure(
    found: Mapping[str, Correlations], scores: Sequence[str], properties: Sequence[str], path: Path
) -> None:
    """A panel per property, a lane per aggregation, a marker per scorer."""
    figure = Figure(figsize=(5.2 * len(properties), 3.4), layout="constrained")
    panels = figure.subplots(1, len(properties), squeeze=False, sharey=True)[0]
    for axes, name in zip(panels, properties, strict=True):
        critical = max(one.critical for one in found.values())
        axes.axvspan(-critical, critical, color=COLOURS["line"], alpha=0.6, linewidth=0)
        _draw(axes, found, scores, name)
        axes.set_title(name)
    save(finished(figure), path)


def locality_figure(found: Mapping[str, Correlations], regions: Sequence[str], path: Path) -> None:
    """A lane per region, a marker per scorer."""
    figure = Figure(figsize=(7.0, 3.4), layout="constrained")
    axes = figure.add_subplot()
    _draw(axes, found, regions, next(iter(found.values())).pairs[0].property)
    save(finished(figure), path)


def _draw(axes: Axes, found: Mapping[str, Correlations], lanes: Sequence[str], property_name: str) -> None:
    for number, (scorer, correlations) in enumerate(found.items()):
        own = {pair.score: pair for pair in correlations.pairs if pair.property == property_name}
        colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
        for lane, name in enumerate(lanes):
            if name in own:
                at = lane + 0.6 * ((number + 0.5) / len(found) - 0.5)
                pair = own[name]
                axes.plot([pair.low, pair.high], [at, at], color=colour, linewidth=1.5)
                axes.plot([pair.rho], [at], marker, color=colour, markersize=5)
        axes.plot([], [], marker, color=colour, label=scorer)
    axes.axvline(0, color=COLOURS["muted"], linewidth=1)
    axes.set_yticks(range(len(lanes)), lanes)
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.set_xlim(-1, 1)
    axes.set_xlabel("Spearman's rho")
    axes.grid(True, axis="x")
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=3)
