"""The look of figures for reports and docs, and two of them: an orbit with its evidence, incidents.

Matplotlib's objects only, no pyplot. Colours can be told apart by the colour-blind, and every series has its own marker
as well. Files have a light background, so that they can be read on dark pages; `inline_svg` follows the page instead.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from lynkeus.core import Alarm, SettingsError
from lynkeus.files.whole import write_whole

# Name of the style sheet's variable -> colour on light paper.
COLOURS = {
    "text": "#1b2024", "muted": "#59636d", "line": "#dcdfe2", "card": "#ffffff", "alarm": "#b3261e",
    "series-0": "#0b6e75", "series-1": "#c4590f", "series-2": "#7b4fa8", "series-3": "#2b62b8", "series-4": "#8a6d01",
    "series-5": "#ab2f74",
}  # fmt: skip
SERIES = [COLOURS[f"series-{number}"] for number in range(6)]
MARKERS = "os^Dvp*X"
DASHES = ("-", ":")  # for the second round of colours
BANDS = 3  # with more scorers than this only the first one has its interval drawn as a band
LABELLED = 12  # incidents with a name beside them
WIDTH_OF_A_LETTER = 0.0072  # of the axis, at 7 points
NS_PER_HOUR = 3.6e12
MOST_LETTERS = 30  # of a name beside an axis: longer ones leave no room for what is drawn


def orbit_figure(evidence: Mapping[str, Any], path: Path) -> None:
    """Write what an alarm page shows, along the beam line and one column per plane: the sample over its nearest good
    reference, and the evidence of every channel."""
    planes = sorted(set(evidence["plane"]))
    figure = Figure(figsize=(max(4.9 * len(planes), 7.0), 4.8), layout="constrained")
    grid = figure.subplots(2, len(planes), sharex="col", sharey="row", squeeze=False)
    known = all(position is not None for position in evidence["position_m"])
    position = np.array(evidence["position_m"] if known else range(len(evidence["plane"])), float)
    for column, plane in enumerate(planes):
        upper, lower = grid[0, column], grid[1, column]
        for number, line in enumerate(sorted(set(evidence["line"]))):
            here = np.flatnonzero((np.array(evidence["plane"]) == plane) & (np.array(evidence["line"]) == line))
            here = here[np.argsort(position[here])]
            style: dict[str, Any] = {
                "color": SERIES[number % 6],
                "marker": MARKERS[number % len(MARKERS)],
                "markersize": 3,
            }
            upper.plot(position[here], np.array(evidence["sample"])[here], label=line, linewidth=1, **style)
            upper.plot(position[here], np.array(evidence["reference"])[here], color=COLOURS["muted"], linewidth=1.2)
            lower.vlines(position[here], 0, np.array(evidence["evidence"])[here], color=style["color"], linewidth=1)
            lower.plot(position[here], np.array(evidence["evidence"])[here], linestyle="none", label=line, **style)
        upper.set_title(plane)
        lower.set_xlabel("position along the beam line (m)" if known else "channel")
    unit = evidence["unit"]
    grid[0, 0].set_ylabel(f"orbit ({unit}), grey: reference" if unit else "value, grey: reference")
    grid[1, 0].set_ylabel(evidence["evidence_label"])
    if len(set(evidence["line"])) > 1:
        grid[1, 0].legend(frameon=False)
    save(finished(figure), path)


def incident_figure(alarms: Sequence[Alarm], span_ns: tuple[int, int], path: Path) -> None:
    """Write incidents over a stretch of hours: one lane per output, the rarest named; span in UTC ns."""
    outputs = list(dict.fromkeys(alarm.output for alarm in alarms)) or ["no alarm"]
    start_ns, end_ns = span_ns
    hours = (end_ns - start_ns) / NS_PER_HOUR
    figure = Figure(figsize=(9.5, 1.0 + 1.15 * len(outputs)), layout="constrained")
    axes = figure.add_subplot()
    named = sorted(alarms, key=lambda alarm: (alarm.alarms_per_hour, -alarm.peak_score))[:LABELLED]
    for lane, output in enumerate(outputs):
        own = [alarm for alarm in alarms if alarm.output == output]
        begin = [(alarm.start_ns - start_ns) / NS_PER_HOUR for alarm in own]
        length = [max(((alarm.end_ns or end_ns) - alarm.start_ns) / NS_PER_HOUR, hours / 400) for alarm in own]
        axes.broken_barh(list(zip(begin, length, strict=True)), (lane - 0.35, 0.3), color=SERIES[lane % 6])
        _name_incidents(axes, lane, [(at, a.where) for at, a in zip(begin, own, strict=True) if a in named], hours)
    axes.set_yticks(range(len(outputs)), shortened(outputs))
    axes.set_ylim(len(outputs) - 0.4, -0.5)
    axes.set_xlim(0, hours)
    since = datetime.fromtimestamp(start_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M UTC")
    axes.set_xlabel(f"time since {since} (h)")
    axes.grid(True, axis="x")
    save(finished(figure), path)


def shortened(names: Sequence[str], most: int = MOST_LETTERS) -> list[str]:
    """Return names for an axis: of longer ones the begin and the end, which tells more; those that are alike then have
    a number."""
    head = most // 3
    cut = [name if len(name) <= most else f"{name[:head]}…{name[head + 1 - most :]}" for name in names]
    whose: dict[str, list[str]] = {}
    for name, short in zip(names, cut, strict=True):
        same = whose.setdefault(short, [])
        if name not in same:
            same.append(name)
    numbers = [(whose[short].index(name) + 1, len(whose[short])) for name, short in zip(names, cut, strict=True)]
    return [short if many == 1 else f"{short} ({k})" for short, (k, many) in zip(cut, numbers, strict=True)]


def _name_incidents(axes: Axes, lane: int, named: Sequence[tuple[float, str]], hours: float) -> None:
    """Names below the bars of a lane, in three lines; a name that finds no room is left out."""
    free = [-np.inf, -np.inf, -np.inf]  # how far each line is taken
    for at, where in sorted(named):
        width = WIDTH_OF_A_LETTER * len(where) * hours
        begin = min(at, hours - width)
        line = int(np.argmin(free))
        if where and begin > free[line]:
            axes.text(begin, lane + 0.12 + 0.17 * line, where, fontsize=7, va="center", color=COLOURS["muted"])
            free[line] = begin + width


def save(figure: Figure, path: Path) -> None:
    """Write as SVG or PNG; the same figure gives the same bytes. Raises SettingsError for another ending."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("svg", "png"):
        raise SettingsError(f"{path}: figures are written as .svg or .png, choose one of these endings")
    write_whole(path, _bytes(figure, kind))


def inline_svg(figure: Figure) -> str:
    """An <svg> element to put into a page; its colours are the variables of the page's style sheet."""
    for axes in figure.axes:
        axes.set_facecolor("none")
    figure.set_facecolor("none")
    text = _bytes(figure, "svg").decode()
    for name, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{name})")
    return text[text.index("<svg") :]


def _bytes(figure: Figure, kind: str) -> bytes:
    target = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lynkeus"}):
        figure.savefig(target, format=kind, dpi=150, metadata=metadata)
    return target.getvalue()


def finished(figure: Figure) -> Figure:
    """The quiet look of the house; names are shown as they are, never as formulas."""
    figure.set_facecolor(COLOURS["card"])
    for axes in figure.axes:
        axes.set_facecolor(COLOURS["card"])
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        for spine in axes.spines.values():
            spine.set_color(COLOURS["line"])
        axes.tick_params(colors=COLOURS["muted"], length=3, labelsize=9, grid_color=COLOURS["line"], grid_linewidth=0.7)
        axes.xaxis.label.set_color(COLOURS["muted"])
        axes.yaxis.label.set_color(COLOURS["muted"])
        axes.title.set(color=COLOURS["text"], fontsize=10.5, fontweight="bold")
    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_fontfamily("sans-serif")
    for legend in figure.legends:
        for text in legend.get_texts():
            text.set_color(COLOURS["text"])
    return figure
