"""Figures of a search: regions before and after, factors, the signal region, limits, pulls and impacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from lynkeus.commission.figures import COLOURS, MARKERS, SERIES, finished
from lynkeus.core import Floats
from lynkeus.searches.estimate import sigma_of
from lynkeus.searches.report.drawn import draw_data, draw_stack, draw_uncertainty
from lynkeus.searches.report.short import shortened
from lynkeus.searches.run import Search

MOST_IMPACTS = 15
INNER, OUTER = 0.55, 0.25  # opacity of the bands of one and two sigmas


def figures_of(found: Search) -> dict[str, Figure]:
    """Return all figures by name."""
    first = found.points[0]
    made = {
        "regions": _regions(found, first),
        "matrix": _matrix(found, first),
        "factors": _factors(found),
        "signal_region": _signal_region(found, first),
        "limits": _limits(found),
    }
    if plane_of(found):
        made["limit_plane"] = _plane(found)
    if found.likelihoods[first]["impacts"]:
        made["impacts"] = _impacts(found.likelihoods[first])
    return made


def _regions(found: Search, point: str) -> Figure:
    """Draw the control regions: backgrounds as simulated on the left, scaled to the data on the right; below the data
    over them."""
    one = found.estimates[point]
    seen, other = np.array(one["observed"]), np.array(one["other"])
    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3, 1.1))
    matrix, names = np.array(one["matrix"]), [*one["backgrounds"], *found.plan.fixed]
    for column, factors in enumerate((np.ones(len(one["factors"])), np.array(one["factors"]))):
        parts = [*(matrix * factors).T, other]
        total = np.sum(parts, axis=0)
        axes, below = grid[0, column], grid[1, column]
        draw_stack(axes, parts, names if len(found.plan.fixed) == 1 else [*one["backgrounds"], "fixed"])
        draw_data(axes, seen, label="data")
        axes.set_title("as simulated" if not column else "scaled to the data")
        ratio = seen / np.maximum(total, 1e-9)
        below.axhline(1, color=COLOURS["line"], linewidth=1)
        draw_data(below, seen, total)
        below.set_xticks(range(len(seen)), [shortened(name) for name in one["regions"]], rotation=20, ha="right")
    _logarithmic(grid[0, 0], seen)
    reach = max(0.15, 1.3 * float(np.abs(ratio - 1).max()))
    grid[1, 0].set_ylim(1 - max(reach, 0.4), 1 + max(reach, 0.4))
    grid[0, 0].set_ylabel("events")
    grid[1, 0].set_ylabel("data / sum")
    grid[0, 1].legend(frameon=False, fontsize=9, ncols=2)
    return finished(figure)


def _logarithmic(axes: Axes, values: Floats) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))  # the house shows no formulas
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(max(0.3 * float(values[values > 0].min(initial=1.0)), 0.05), 8 * float(values.max(initial=1.0)))


def _matrix(found: Search, point: str) -> Figure:
    """Draw which share of each background is in which control region."""
    one = found.estimates[point]
    matrix = np.array(one["matrix"])
    share = matrix / matrix.sum(axis=0)
    figure = Figure(figsize=(9.6, 1.0 + 0.42 * share.shape[0]), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Greens", vmin=0, vmax=1.15, aspect="auto")
    for i, j in np.ndindex(*share.shape):
        dark = share[i, j] > 0.6
        axes.text(
            j, i, f"{share[i, j]:.1%}", ha="center", va="center", fontsize=9, color="#ffffff" if dark else "#1b2024"
        )
    axes.set_xticks(range(share.shape[1]), [shortened(name) for name in one["backgrounds"]])
    axes.set_yticks(range(share.shape[0]), [shortened(name) for name in one["regions"]])
    axes.set_ylabel("region")
    axes.grid(False)
    return finished(figure)


def _factors(found: Search) -> Figure:
    """Draw the factors of every point: they must not hang on it."""
    figure = Figure(figsize=(max(9.6, 1.6 + 0.75 * len(found.points)), 3.4), layout="constrained")
    axes = figure.add_subplot()
    for j, name in enumerate(found.plan.normalised):
        at = np.arange(len(found.points)) + 0.12 * (j - (len(found.plan.normalised) - 1) / 2)
        value = [one["factors"][j] for one in found.estimates.values()]
        error = [one["errors"][j] for one in found.estimates.values()]
        whole = [float(np.hypot(one["errors"][j], one["errors_systematic"][j])) for one in found.estimates.values()]
        axes.errorbar(at, value, whole, fmt="none", color=SERIES[j % 6], linewidth=1)
        axes.errorbar(at, value, error, fmt=MARKERS[j % len(MARKERS)], color=SERIES[j % 6], linewidth=2.4, markersize=5,
                      label=shortened(name))  # fmt: skip
    axes.axhline(1, color=COLOURS["line"], linewidth=1)
    axes.set_xticks(range(len(found.points)), [shortened(name) for name in found.points], rotation=30, ha="right")
    axes.set_ylabel("factor, data over simulation")
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return finished(figure)


def _signal_region(found: Search, point: str) -> Figure:
    """Draw the bins of the signal region: the background that is predicted, the signal, and data where they were
    looked at."""
    rows = found.estimates[point]["prediction"]
    figure = Figure(figsize=(max(9.6, 2.6 + 1.3 * len(rows)), 3.6), layout="constrained")
    axes = figure.add_subplot()
    names = list(rows[0]["by_process"])
    parts = [np.array([row["by_process"][name] for row in rows]) for name in names]
    draw_stack(axes, parts, names)
    total, sigma = np.array([row["background"] for row in rows]), np.array([sigma_of(row) for row in rows])
    draw_uncertainty(axes, total, sigma)
    signal = np.array([row["signal"] for row in rows])
    at = np.arange(len(rows))
    axes.hlines(signal, at - 0.18, at + 0.18, color=COLOURS["alarm"], linewidth=2.2, label=f"signal {shortened(point)}")
    seen = np.array([np.nan if row["observed"] is None else row["observed"] for row in rows])
    if np.isfinite(seen).all():
        draw_data(axes, seen, label="data")
    else:
        axes.set_title("data not looked at", fontsize=10)
    _logarithmic(axes, np.concatenate([total, signal, total + sigma, np.nan_to_num(seen)]))
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.set_xticks(range(len(rows)), [shortened(row["region"]) for row in rows])
    axes.set_ylabel("events")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return finished(figure)


def _limits(found: Search) -> Figure:
    """Draw the limits on the signal strength of every point: expected with bands, and observed."""
    figure = Figure(figsize=(max(9.6, 1.6 + 0.75 * len(found.points)), 3.6), layout="constrained")
    axes = figure.add_subplot()
    for k, one in enumerate(found.likelihoods.values()):
        low2, low, middle, high, high2 = one["limit_expected"]
        if not np.isfinite(high2):
            continue
        for (bottom, top), alpha in (((low2, high2), OUTER), ((low, high), INNER)):
            axes.bar(k, top - bottom, 0.66, bottom=bottom, color=SERIES[0], alpha=alpha, linewidth=0)
        axes.plot([k - 0.33, k + 0.33], [middle, middle], color=COLOURS["text"], linestyle="--", linewidth=1.4)
        if one["limit_observed"] is not None and np.isfinite(one["limit_observed"]):
            axes.plot(k, one["limit_observed"], "o", color=COLOURS["text"], markersize=5)
    axes.axhline(1, color=COLOURS["alarm"], linewidth=1)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(-0.7, len(found.points) - 0.3)
    axes.set_xticks(range(len(found.points)), [shortened(name) for name in found.points], rotation=30, ha="right")
    axes.set_ylabel("95 % CL limit on the signal strength")
    return finished(figure)


def plane_of(found: Search) -> Mapping[str, tuple[float, float]]:
    """Return the masses of each point, where there are two parameters and at least two points."""
    if len(found.plan.parameters) != 2 or len(found.points) < 2:
        return {}
    return {name: (float(a), float(b)) for name in found.points for a, b in [name.split("_")]}


def _plane(found: Search) -> Figure:
    """Draw the plane of both masses: the expected limit at each point; filled where strength 1 is excluded."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, (x, y) in plane_of(found).items():
        one: dict[str, Any] = found.likelihoods[name]
        middle = one["limit_expected"][2]
        seen = one["limit_observed"]
        excluded = (seen if seen is not None else middle) < 1
        axes.plot(x, y, "o", markersize=13, markeredgewidth=1.6, color=SERIES[0],
                  markerfacecolor=SERIES[0] if excluded else "none")  # fmt: skip
        told = f"{middle:.2g}" + (f" ({seen:.2g})" if seen is not None else "")
        axes.annotate(told, (x, y), xytext=(0, 10), textcoords="offset points", ha="center", fontsize=8)
    _borders(axes, found)
    axes.use_sticky_edges = False  # borders would end the axes at the outermost points
    axes.margins(0.12, 0.16)
    axes.set_xlabel(f"{shortened(found.plan.parameters[0])}")
    axes.set_ylabel(f"{shortened(found.plan.parameters[1])}")
    which = "expected (observed)" if not found.blind else "expected"
    axes.set_title(f"{which} limit on the strength; filled: excluded; lines: limit 1, dotted 1 sigma", fontsize=10)
    return finished(figure)


def _borders(axes: Axes, found: Search) -> None:
    """Draw where the limit is 1, between the points: as expected, with the band of one sigma, and as observed."""
    plane = np.array(list(plane_of(found).values()))
    if len(plane) < 4 or np.linalg.matrix_rank(plane - plane.mean(axis=0)) < 2:
        return
    every = list(found.likelihoods.values())
    lines = [("--", 1.6, [one["limit_expected"][2] for one in every])]
    lines += [(":", 1.0, [one["limit_expected"][k] for one in every]) for k in (1, 3)]
    if not found.blind:
        lines.append(("-", 1.6, [one["limit_observed"] for one in every]))
    for style, width, limits in lines:
        height = np.log(np.clip(np.array(limits, float), 1e-6, 1e6))
        if height.min() < 0 < height.max():
            x, y = plane.T
            axes.tricontour(x, y, height, levels=[0.0], linestyles=style, linewidths=width, colors=COLOURS["text"])


def _impacts(one: Mapping[str, Any]) -> Figure:
    """Draw the impacts on the signal strength, the largest first, and the pulls beside them."""
    rows = one["impacts"][:MOST_IMPACTS][::-1]
    figure = Figure(figsize=(9.2, 0.9 + 0.3 * len(rows)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.2, 1))
    at = np.arange(len(rows))
    left.barh(at, [row["up"] for row in rows], 0.6, color=SERIES[0], label="one error up")
    left.barh(at, [row["down"] for row in rows], 0.3, color=SERIES[1], label="one error down")
    left.axvline(0, color=COLOURS["line"], linewidth=1)
    left.set_yticks(at, [shortened(row["name"]) for row in rows])
    left.set_xlabel("change of the signal strength")
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=8)  # bars may be anywhere
    pull = np.array([np.nan if row["pull"] is None else row["pull"] for row in rows], float)
    right.axvspan(-1, 1, color=COLOURS["line"], alpha=0.6, linewidth=0)
    right.plot(pull, at, "o", color=COLOURS["text"], markersize=4)
    right.set_xlim(-2.5, 2.5)
    right.set_xlabel("pull (sigmas of the constraint)")
    return finished(figure)
