"""Figures of taggers: rejection against efficiency, masses before and after a cut, reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lynkeus.commission.figures import COLOURS, DASHES, MARKERS, SERIES, finished
from lynkeus.commission.tagging.jets import JetScores
from lynkeus.commission.tagging.mass import Sculpting
from lynkeus.core import Floats
from lynkeus.metrics.reliability import reliability
from lynkeus.metrics.tagging import against, roc

POINTS = 300  # of a curve that is drawn
LEAST_EFFICIENCY = 0.05
WIDE = 5.2


def draw_roc(models: Mapping[str, JetScores], pairs: Sequence[tuple[int, int]]) -> Figure:
    """Rejection 1/eB against efficiency, one panel a pair of classes, one line a model; ticks inside, on all sides, as
    usual in particle physics."""
    figure = Figure(figsize=(WIDE * min(len(pairs), 2), 4.2 * ((len(pairs) + 1) // 2)), layout="constrained")
    panels = figure.subplots((len(pairs) + 1) // 2, min(len(pairs), 2), squeeze=False).ravel()
    for panel, (signal, background) in zip(panels, pairs, strict=False):
        for number, (name, jets) in enumerate(models.items()):
            curve = roc_points(jets, signal, background)
            style = {"color": SERIES[number % 6], "linestyle": DASHES[(number // 6) % 2], "linewidth": 1.6}
            panel.plot(*curve, label=name, marker=MARKERS[number % len(MARKERS)], markevery=40, markersize=4, **style)
        outputs = next(iter(models.values())).outputs
        panel.set(xlabel=f"efficiency for {outputs[signal]}", ylabel=f"rejection of {outputs[background]}, 1/eB")
        panel.set(yscale="log", xlim=(0, 1))
    for panel in panels[len(pairs) :]:
        panel.set_visible(False)
    panels[0].legend(frameon=False, fontsize="small")
    figure = finished(figure)
    for panel in panels[: len(pairs)]:
        _as_in_physics(panel)
    return figure


def roc_points(jets: JetScores, signal: int, background: int) -> tuple[Floats, Floats]:
    """Return efficiencies and rejections of a curve that is drawn, where any background passes."""
    own = np.isin(jets.truth, (signal, background))
    score = against(jets.probability[own], signal, background)
    curve = roc(jets.truth[own] == signal, score, None if jets.weight is None else jets.weight[own])
    wanted = np.linspace(LEAST_EFFICIENCY, 1, POINTS)
    at = np.clip(np.searchsorted(curve.signal, wanted), 0, len(curve.signal) - 1)
    at = np.unique(at[curve.background[at] > 0])
    return curve.signal[at], 1 / curve.background[at]


def _as_in_physics(panel: Axes) -> None:
    panel.spines[["top", "right"]].set_visible(True)
    for spine in panel.spines.values():
        spine.set_color(COLOURS["muted"])
    panel.minorticks_on()
    panel.tick_params(which="both", direction="in", top=True, right=True)
    panel.tick_params(which="major", length=6)
    panel.tick_params(which="minor", length=3, color=COLOURS["muted"])


def draw_masses(found: Sculpting, signal: str) -> Figure:
    """Masses of the background before a cut, after one threshold, and after one that depends on mass and pT."""
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    panel = figure.subplots()
    for number, (words, shares) in enumerate(
        {"before": found.before, "one threshold": found.after, "threshold by mass and pT": found.flat}.items()
    ):
        dash = ("-", "-", ":")[number]
        panel.stairs(shares, found.edges, label=words, color=SERIES[number], linewidth=1.6, linestyle=dash)
    panel.set(xlabel="mass of background jets (GeV)", ylabel="share of jets", title=f"cut for {signal}")
    panel.legend(frameon=False, fontsize="small")
    return finished(figure)


def draw_reliability(models: Mapping[str, JetScores]) -> Figure:
    """How often jets are what they were said to be, against the probability that was stated, one panel a class."""
    outputs = next(iter(models.values())).outputs
    columns = min(len(outputs), 4)
    rows = (len(outputs) + columns - 1) // columns
    figure = Figure(figsize=(3.2 * columns, 3.0 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for k, panel in enumerate(panels):
        if k >= len(outputs):
            panel.set_visible(False)
            continue
        panel.plot([0, 1], [0, 1], color=COLOURS["muted"], linewidth=1)
        for number, (name, jets) in enumerate(models.items()):
            found = reliability(jets.probability[:, k], jets.truth == k, jets.weight)
            style = {"color": SERIES[number % 6], "marker": MARKERS[number % len(MARKERS)], "markersize": 4}
            panel.plot(found.stated, found.found, label=name, linewidth=1, **style)
        panel.set(title=outputs[k], xlabel="stated probability", xlim=(0, 1), ylim=(0, 1))
    panels[0].set_ylabel("share that is of the class")
    panels[0].legend(frameon=False, fontsize="small")
    return finished(figure)
