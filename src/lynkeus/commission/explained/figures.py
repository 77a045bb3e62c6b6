"""Figures of an explanation: rankings, all inputs of all outputs, pairs of inputs, and what was learned when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lynkeus.commission.explained.explain import CHANGES, EVIDENCE, TAYLOR, Explained, Row
from lynkeus.commission.figures import COLOURS, MARKERS, MOST_LETTERS, SERIES, finished, shortened
from lynkeus.core import Floats
from lynkeus.explain.taylor.relevance import ALL, products

XLABEL = {TAYLOR: "coefficient, inputs in sigmas", EVIDENCE: "evidence", CHANGES: "change of the log odds of the class"}
SHOWN = 30  # inputs and pairs in a ranking,
MOST_CELLS = 40  # inputs in a map: more cannot be read
COURSES = 8
LETTER = 0.07  # inches, at 8 points


def largest(found: Explained, output: str, process: str = ALL) -> list[Row]:
    """Return the rows of an output and process, the most relevant first."""
    own = [row for row in found.rows if row["output"] == output and row["process"] == process]
    return sorted(own, key=lambda row: -row["relevance"])


def label(row: Row) -> str:
    """Return the inputs of a row."""
    return " · ".join(_inputs(row))


def _inputs(row: Row) -> list[str]:
    return [row[name] for name in ("input", "second_input", "third_input") if row.get(name)]


def _labels(products: Sequence[Sequence[str]]) -> list[str]:
    """Return the inputs of several products for a figure, each input short."""
    names = list(dict.fromkeys(name for inputs in products for name in inputs))
    short = dict(zip(names, shortened(names), strict=True))
    return [" · ".join(short[name] for name in inputs) for inputs in products]


def ranking(found: Explained, output: str) -> Figure:
    """Bars of the largest: single inputs and products in different colours; the interval as a line, other models as
    marks."""
    rows = largest(found, output)[:SHOWN][::-1]
    labels = _labels([_inputs(row) for row in rows])
    wide = LETTER * max(map(len, labels), default=0)  # the bars have 5.5 inches whatever they are called
    figure = Figure(figsize=(max(8.0, 5.5 + wide), 1.0 + 0.24 * max(len(rows), 3)), layout="constrained")
    axes = figure.subplots()
    scale = [row["relevance"] / row["mean_abs"] if row["mean_abs"] else 1.0 for row in rows]
    ends = np.array([row["interval"] for row in rows]) * np.array(scale)[:, None]
    names = {1: "one input", 2: "two inputs", 3: "three inputs"}
    for order in sorted({row["order"] for row in rows}):
        own = [k for k, row in enumerate(rows) if row["order"] == order]
        axes.barh(own, [rows[k]["relevance"] for k in own], color=SERIES[order - 1], label=names[order])
    axes.hlines(range(len(rows)), ends[:, 0], ends[:, 1], color=COLOURS["text"], linewidth=1.2)
    for number in range(len(rows[0].get("relevance_models", ()))):
        axes.plot(
            [row["relevance_models"][number] for row in rows], range(len(rows)), linestyle="none", markersize=3.5,
            marker=MARKERS[number % len(MARKERS)], color=COLOURS["text"], markerfacecolor="none",
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.set_xlabel(f"mean size of the {XLABEL[found.by]}")
    if found.order > 1:
        axes.legend(frameon=False, loc="lower right")
    return finished(figure)


def overview(found: Explained) -> Figure:
    """The coefficients of first order of all outputs, as in a table: outputs down, inputs across, numbers in cells."""
    inputs = list(dict.fromkeys(row["input"] for row in found.rows))[:MOST_CELLS]
    table = np.zeros((len(found.outputs), len(inputs)))
    for k, output in enumerate(found.outputs):
        for row in largest(found, output):
            if row["order"] == 1 and row["input"] in inputs:
                table[k, inputs.index(row["input"])] = row["relevance"]
    return _map(table, list(found.outputs), inputs, numbers=True)


def pairs(found: Explained, output: str) -> Figure:
    """A heat map of the coefficients of second order."""
    inputs = list(found.inputs)[:MOST_CELLS]
    number = {name: k for k, name in enumerate(inputs)}
    table = np.zeros((len(number), len(number)))
    for row in largest(found, output):
        if row["order"] == 2 and row["input"] in number and row["second_input"] in number:
            i, j = number[row["input"]], number[row["second_input"]]
            table[i, j] = table[j, i] = row["relevance"]
    return _map(table, inputs, inputs, numbers=len(inputs) <= 20)


def _map(table: Floats, down: Sequence[str], across: Sequence[str], numbers: bool) -> Figure:
    """Cells of one size, and beside them room for what they are called."""
    down, across = shortened(down), shortened(across)
    wide, high = (0.6 + LETTER * max(map(len, names), default=0) for names in (down, across))
    size = (max(0.43 * len(across), 1.0) + wide, max(0.42 * len(down), 0.5) + high)
    figure = Figure(figsize=size, layout="constrained")
    _cells(figure.subplots(), table, down, across, numbers)
    return finished(figure)


def _cells(axes: Axes, table: Floats, down: Sequence[str], across: Sequence[str], numbers: bool) -> None:
    top = float(table.max(initial=0.0)) or 1.0
    axes.imshow(table, cmap="Blues", vmin=0.0, vmax=top, aspect="auto")
    axes.set_xticks(range(len(across)), list(across), rotation=90, fontsize=8)
    axes.set_yticks(range(len(down)), list(down), fontsize=8)
    for (i, j), value in np.ndenumerate(table) if numbers else ():
        shade = "#ffffff" if value > 0.6 * top else "#1b2024"  # on the map, whatever the page is
        axes.text(j, i, f"{value:.2g}", ha="center", va="center", fontsize=6.5, color=shade, gid="on-map")


def course(found: Explained, output: str) -> Figure:
    """The coefficients that are largest at the end, epoch by epoch: which input is learned when."""
    table = found.courses[output]
    which = [own for order in (1, 2) for own in products(len(found.inputs), order)][: table.shape[1]]
    order = np.argsort(-table[-1])[:COURSES]
    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    axes = figure.subplots()
    epochs = np.arange(1, len(table) + 1)
    labels = _labels([[found.inputs[i] for i in which[k]] for k in order])
    for number, k in enumerate(order):
        axes.plot(
            epochs, table[:, k], label=labels[number], color=SERIES[number % 6],
            linestyle="-" if number < 6 else ":", marker=MARKERS[number % len(MARKERS)], markersize=3, linewidth=1.2,
        )  # fmt: skip
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean size of the coefficient")
    if max(map(len, labels)) <= MOST_LETTERS:
        axes.legend(frameon=False, fontsize=8, ncols=2)
    else:
        figure.set_figheight(3.6 + 0.18 * len(labels))
        figure.legend(frameon=False, fontsize=8, loc="outside lower left")
    return finished(figure)
