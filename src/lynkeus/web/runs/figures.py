"""Draws one plot of one run as SVG, the same in the page and in the exported file: no script, no second request."""

from __future__ import annotations

import base64
import io
import math
from itertools import pairwise

import numpy as np
from markupsafe import Markup, escape
from PIL import Image

from lynkeus.core import Array, Floats, PlotRecord
from lynkeus.web.runs.axes import Axis, short

STRONG = 3.0  # sigma, from which a bin is drawn as conspicuous
FEW = 0.5  # events, fewer of which are expected in an underflow or overflow that is not drawn
WIDTH, HEIGHT = 640, 424
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 632, 14, 262  # counts
_PULLS_TOP, _PULLS_BOTTOM = 284, 366
_LABELS, _TITLE = 390, 416
_MAPS_TOP, _MAPS_BOTTOM, _MAPS = 36, 366, ((62, 334), (360, 632))  # of plots with two axes
_MOST_PULL = 5.0  # sigma, the brightest colour of a map of pulls
_LEVELS = 33
ABSENT = "not in this run, or not judged"
_ABSENT = f'<text class="title" x="{_RIGHT}" y="{_TOP + 22}">{ABSENT}</text>'
_PIXELS = 96  # of a map along an axis with bins of unequal width
_COUNTS = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)])
_PULLS = np.array([(28, 90, 180), (150, 190, 235), (200, 200, 200), (245, 170, 150), (190, 20, 35)])


def figure(record: PlotRecord) -> Markup:
    """The figure of a plot: counts over the reference band with pulls below; maps of both where it has two axes."""
    inside = _maps(record) if len(record.plot.edges) == 2 else _lines(record)
    about = escape(said_of(record))
    return Markup(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{about}">{inside}</svg>')


def said_of(record: PlotRecord) -> str:
    """Return what the figure shows, for those who do not see it."""
    plot, pulls = record.plot, _known(record.pulls)
    text = f"{plot.name}: {record.sigma:.1f} sigma" if math.isfinite(record.sigma) else f"{plot.name}: not judged"
    if record.flagged:
        text += ", flagged"
    if not pulls.any():
        return text
    largest = int(np.argmax(np.abs(pulls)))
    bins = [int(index) for index in np.unravel_index(largest, plot.shape)]
    places = [_bin_words(*each) for each in zip(plot.variables, plot.edges, bins, strict=True)]
    return f"{text}; largest pull {pulls[largest]:+.1f} at {', '.join(places)}"


def _bin_words(variable: str, edges: tuple[float, ...], index: int) -> str:
    if index == 0:
        return f"{variable} below {short(edges[0])}"
    if index == len(edges):
        return f"{variable} above {short(edges[-1])}"
    return f"{variable} {short(edges[index - 1])} to {short(edges[index])}"


def _lines(record: PlotRecord) -> str:
    plot = record.plot
    one = len(plot.edges) == 1
    edges = plot.edges[0] if one else tuple(float(k) for k in range(plot.bins - 1))
    filled = (record.counts > 0) | (record.expected >= FEW)
    flows = bool(filled[0]), bool(filled[-1])
    across = Axis(edges, one and any(plot.log), _LEFT, _RIGHT, flows)
    x = across.bins().round().astype(int)
    drawn = np.concatenate([record.counts, record.expected, record.high])
    most = float(np.max(drawn[np.isfinite(drawn)], initial=0.0)) * 1.05 or 1.0
    up = Axis((0.0, most), False, _BOTTOM, _TOP)
    y = {name: _whole(up.place(getattr(record, name))) for name in ("counts", "expected", "low", "high")}
    name = _with_unit(plot.variables[0] if one else "bin", plot.unit if one else "")
    return "".join(
        [
            _frame(_LEFT, _TOP, _RIGHT, _BOTTOM),
            f'<path class="band" d="{_between(x, y["low"], y["high"])}"/>',
            f'<path class="expected" d="{_steps(x, y["expected"])}"/>',
            f'<path class="counts" d="{_steps(x, y["counts"])}"/>' if math.isfinite(record.sigma) else _ABSENT,
            _up_labels(up),
            _pull_panel(x, record.pulls),
            _flow_marks(across),
            _across_labels(across, name),
            _outline(record, across),
        ]
    )


def _pull_panel(x: Array, pulls: Floats) -> str:
    largest = float(np.max(np.abs(pulls[np.isfinite(pulls)]), initial=0.0))
    limit = _MOST_PULL if largest <= _MOST_PULL else math.ceil(largest)
    up = Axis((-limit, limit), False, _PULLS_BOTTOM, _PULLS_TOP)
    y, zero = _whole(up.place(_known(pulls))), round((_PULLS_TOP + _PULLS_BOTTOM) / 2)
    strong = np.abs(_known(pulls)) >= STRONG
    text = "".join(
        f'<text class="up" x="{_LEFT - 8}" y="{place}">{sign}{limit:.0f}σ</text>'
        for sign, place in (("\N{MINUS SIGN}", _PULLS_BOTTOM), ("+", _PULLS_TOP + 16))
    )
    return "".join(
        [
            _frame(_LEFT, _PULLS_TOP, _RIGHT, _PULLS_BOTTOM),
            f'<path class="pull" d="{_bars(x, np.where(strong, zero, y), zero)}"/>',
            f'<path class="pull strong" d="{_bars(x, np.where(strong, y, zero), zero)}"/>' if strong.any() else "",
            f'<path class="axis" d="M{_LEFT} {zero}H{_RIGHT}"/>{text}',
        ]
    )


def _maps(record: PlotRecord) -> str:
    plot, (first, second) = record.plot, record.plot.edges
    log = plot.log or (False, False)
    up = Axis(second, log[1], _MAPS_BOTTOM, _MAPS_TOP)
    inside = (slice(1, -1), slice(1, -1))
    counts = _known(record.counts).reshape(plot.shape)
    pulls = _known(record.pulls).reshape(plot.shape)[inside]
    outside, counts = counts.sum() - counts[inside].sum(), counts[inside]
    most = float(counts.max(initial=0.0)) or 1.0
    shown = (np.sqrt(np.clip(counts / most, 0.0, 1.0)), np.clip(pulls / _MOST_PULL, -1.0, 1.0) / 2 + 0.5)
    known = math.isfinite(record.sigma)
    titles = (
        f"counts, up to {short(most)}" if known else "not in this run, or not judged",
        "pulls, \N{MINUS SIGN}5σ to +5σ",
    )
    parts = []
    for (left, right), values, title, colours in zip(_MAPS, shown, titles, (_COUNTS, _PULLS), strict=True):
        across = Axis(first, log[0], left, right)
        picture = _picture(_resampled(values, across, up), colours)
        parts.append(
            f'<text x="{left}" y="24">{escape(title)}</text><image x="{left}" y="{_MAPS_TOP}" width="{right - left}" '
            f'height="{_MAPS_BOTTOM - _MAPS_TOP}" preserveAspectRatio="none" href="{picture}"/>'
            + _frame(left, _MAPS_TOP, right, _MAPS_BOTTOM)
            + _across_labels(across, "", at_most=4)
            + _outline(record, across, up)
        )
    words = _with_unit(f"{plot.variables[0]}, up: {plot.variables[1]}", plot.unit)
    words += f"; {short(float(outside))} outside" if outside else ""
    parts += [_up_labels(up), f'<text class="title" x="{_RIGHT}" y="{_TITLE}">{escape(words)}</text>']
    return "".join(parts)


def _resampled(values: Floats, across: Axis, up: Axis) -> Floats:
    """Return (row from above, column) of (bin of the first axis, bin of the second): pixels of equal size."""
    for k, axis in enumerate((across, up)):
        places = (axis.place(np.array(axis.edges)) - axis.begin) / (axis.end - axis.begin)
        if np.ptp(np.diff(places)) > 0.02 / len(places):
            middle = (np.arange(_PIXELS) + 0.5) / _PIXELS
            values = np.take(values, np.clip(np.searchsorted(places, middle) - 1, 0, len(places) - 2), axis=k)
    return values.T[::-1]


def _picture(shares: Floats, colours: Array) -> str:
    """A PNG of shares from 0 to 1 as a data address; what is nothing (no counts, a small pull) is clear."""
    stops = np.linspace(0.0, 1.0, len(colours))
    levels = np.linspace(0.0, 1.0, _LEVELS)
    palette = np.stack([np.interp(levels, stops, channel) for channel in colours.T], axis=1).round().astype(np.uint8)
    image = Image.fromarray(np.ceil(shares * (_LEVELS - 1) - 0.5 * (colours is _PULLS)).astype(np.uint8), "P")
    image.putpalette(palette.tobytes())
    size = np.abs(2 * levels - 1) * _MOST_PULL
    # Pulls of less than one sigma are noise, and those of three are not.
    opacity = levels > 0 if colours is _COUNTS else np.clip((size - 1.0) / (STRONG - 1.0), 0.0, 1.0)
    written = io.BytesIO()
    image.save(written, "PNG", transparency=(255 * opacity).astype(np.uint8).tobytes(), compress_level=9)
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"


def _outline(record: PlotRecord, across: Axis, up: Axis | None = None) -> str:
    """The region of the changed population, where it is one of these variables."""
    known = [record.region.get(variable) for variable in record.plot.variables]
    if not any(known):
        return ""
    x0, x1 = sorted(across.place(np.array(known[0]))) if known[0] else (across.begin, across.end)
    y0, y1 = (_TOP, _PULLS_BOTTOM) if up is None else (_MAPS_TOP, _MAPS_BOTTOM)
    if up is not None and known[1]:
        y0, y1 = sorted(up.place(np.array(known[1])))
    width, height = max(x1 - x0, 4.0), max(y1 - y0, 4.0)
    return f'<rect class="region" x="{x0:.0f}" y="{y0:.0f}" width="{width:.0f}" height="{height:.0f}"/>'


def _whole(places: Floats) -> Array:
    """Return whole numbers, which are short; what is not known lies at the bottom."""
    return np.where(np.isnan(places), float(_BOTTOM), places).round().astype(int)


def _known(values: Floats) -> Floats:
    """Return values with 0 for what is not a number."""
    return np.where(np.isfinite(values), values, 0.0)


def _steps(x: Array, y: Array) -> str:
    """The outline of a histogram: `y` (bins,) over the ends of bins `x` (bins + 1,)."""
    wide = np.diff(x) > 0
    path = "".join([f"V{v}H{h}" for v, h in zip(y[wide].tolist(), x[1:][wide].tolist(), strict=True)])
    return f"M{x[0]} {_BOTTOM}{path}"


def _between(x: Array, low: Array, high: Array) -> str:
    there = "".join([f"V{v}H{h}" for v, h in zip(high.tolist(), x[1:].tolist(), strict=True)])
    back = "".join([f"V{v}H{h}" for v, h in zip(low[::-1].tolist(), x[-2::-1].tolist(), strict=True)])
    return f"M{x[0]} {low[0]}{there}{back}z"


def _bars(x: Array, y: Array, zero: int) -> str:
    """Filled from the zero line; runs of bins of no height are left out."""
    bars = zip(y.tolist(), pairwise(x.tolist()), strict=True)
    return "".join([f"M{a} {zero}V{v}H{b}V{zero}" for v, (a, b) in bars if v != zero and b > a])


def _frame(left: int, top: int, right: int, bottom: int) -> str:
    return f'<path class="axis" d="M{left} {top}V{bottom}H{right}"/>'


def _flow_marks(across: Axis) -> str:
    marks = []
    for flow, edge in zip(across.flows, (across.edges[0], across.edges[-1]), strict=True):
        if flow:
            marks.append(f'<path class="flow" d="M{float(across.place(edge)):.0f} {_TOP}V{_PULLS_BOTTOM}"/>')
    return "".join(marks)


def _up_labels(up: Axis) -> str:
    return "".join(
        f'<text class="up" x="{_LEFT - 8}" y="{place + 8:.0f}">{text}</text>' for place, text in up.ticks()[:6]
    )


def _across_labels(across: Axis, title: str, at_most: int = 7) -> str:
    ticks = across.ticks()
    ticks = ticks[:: math.ceil(len(ticks) / at_most)] if ticks else []
    marks = "".join(f"M{place:.0f} {_PULLS_BOTTOM}v6" for place, _ in ticks)
    text = "".join(f'<text class="across" x="{place:.0f}" y="{_LABELS}">{text}</text>' for place, text in ticks)
    words = f'<text class="title" x="{_RIGHT}" y="{_TITLE}">{escape(title)}</text>' if title else ""
    return f'<path class="axis" d="{marks}"/>{text}{words}'


def _with_unit(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name
