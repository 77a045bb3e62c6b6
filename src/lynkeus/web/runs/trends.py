"""How conspicuous plots were from run to run: a strip of colours for all of them, a curve for one."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from PIL import Image

from lynkeus.core import Array, Floats, Verdict
from lynkeus.monitor.run_records import PlotScores
from lynkeus.web.images.pictures import colours_of
from lynkeus.web.runs.axes import Axis
from lynkeus.web.runs.words import plot_address

MOST_COLUMNS = 1000  # of a strip; of more runs than that the worst of several is shown
STRIP_HEIGHT, ROW_HEIGHT = 300, 14  # pixels: of all strips together unless there are more plots, of a row at most
MOST_LINKS = 400  # points of a curve that are links; of more runs only those that stand out
OUTSTANDING = 3.0  # sigma
WORST = 8  # plots and runs that are named below the strips
GOOD_BAND = (16.0, 50.0, 84.0)  # percent
WIDTH, HEIGHT = 1200, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 1188, 16, 286
_VERDICT_COLOURS = {
    Verdict.GOOD: (130, 190, 150),
    Verdict.WARN: (240, 180, 60),
    Verdict.BAD: (200, 40, 35),
    Verdict.NOT_ENOUGH_DATA: (140, 148, 156),
}


@dataclass(frozen=True)
class Strip:
    """One picture of colours: a column per run, a row per plot of a group (the verdicts have no plots)."""

    title: str
    picture: str
    plots: tuple[str, ...]
    height: int


@dataclass(frozen=True)
class Trend:
    """All strips, the run behind each column, and the most conspicuous plots: (plot, run, sigma)."""

    strips: tuple[Strip, ...]
    runs: tuple[str, ...]
    worst: tuple[tuple[str, str, float], ...]


def trend_of(scores: PlotScores) -> Trend:
    """The strips of some runs; none where there are no runs."""
    if not scores.runs:
        return Trend((), (), ())
    known = np.nan_to_num(scores.sigmas)
    columns = _columns(known)
    shown = np.stack([known[part].max(axis=0, initial=0.0) for part in columns])
    chief = [part[np.argmax(known[part].max(axis=1, initial=0.0))] for part in columns]
    verdicts = [[_VERDICT_COLOURS[scores.verdicts[k]] for k in chief]]
    strips = [Strip("Verdict", _png(np.array(verdicts, np.uint8)), (), ROW_HEIGHT)]
    row = max(1, min(ROW_HEIGHT, STRIP_HEIGHT // max(len(scores.plots), 1)))
    for group in dict.fromkeys(plot.group for plot in scores.plots):
        members = [k for k, plot in enumerate(scores.plots) if plot.group == group]
        names = tuple(scores.plots[k].name for k in members)
        strips.append(Strip(group or "Other", _png(colours_of(shown[:, members].T)), names, row * len(members)))
    return Trend(tuple(strips), tuple(scores.runs[k] for k in chief), _worst(scores, known))


def _columns(known: Floats) -> list[Array]:
    """Return the runs of each column."""
    return np.array_split(np.arange(len(known)), min(len(known), MOST_COLUMNS))


def _worst(scores: PlotScores, known: Floats) -> tuple[tuple[str, str, float], ...]:
    """The highest score of each plot, the highest plots first."""
    if not known.size:
        return ()
    runs, highest = known.argmax(axis=0), known.max(axis=0)
    order = np.argsort(-highest, kind="stable")[:WORST]
    return tuple((scores.plots[k].name, scores.runs[runs[k]], float(highest[k])) for k in order if highest[k] > 0)


def _png(colours: Array) -> str:
    written = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(colours)).quantize(64).save(written, "PNG")
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"


def curve_of(scores: PlotScores, name: str, model: str, chosen: str = "") -> Markup | None:
    """The score of one plot from run to run as SVG, over where good runs lie; None where no run has it."""
    place = next((k for k, plot in enumerate(scores.plots) if plot.name == name), None)
    if place is None or not np.isfinite(scores.sigmas[:, place]).any():
        return None
    sigma = scores.sigmas[:, place].astype(float)
    top = max(5.0, math.ceil(float(np.nanmax(sigma))))
    bottom = min(0.0, math.floor(float(np.nanmin(sigma))))
    across = Axis((-0.5, max(len(sigma) - 0.5, 0.5)), False, _LEFT, _RIGHT)
    up = Axis((bottom, top), False, _BOTTOM, _TOP)
    good = sigma[np.isfinite(sigma) & np.array([verdict is Verdict.GOOD for verdict in scores.verdicts])]
    x, y = across.place(np.arange(len(sigma), dtype=float)), up.place(sigma)
    parts = [_band(good, up), f'<path class="axis" d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}"/>']
    parts += [f'<text class="up" x="{_LEFT - 8}" y="{at + 5:.0f}">{text}σ</text>' for at, text in up.ticks()]
    parts.append(_ends(scores.runs))
    dots = []
    for k in np.flatnonzero(np.isfinite(sigma)):
        run, verdict = scores.runs[k], scores.verdicts[k]
        stands_out = verdict is not Verdict.GOOD or sigma[k] >= OUTSTANDING or run == chosen
        if len(sigma) > MOST_LINKS and not stands_out:
            dots.append(f"M{x[k]:.0f} {y[k]:.0f}h0")
            continue
        kind = verdict.value.replace(" ", "-") + (" chosen" if run == chosen else "")
        title = escape(f"{run}: {sigma[k]:.1f} sigma, {verdict.value}")
        where = escape(plot_address(name, model, run))
        parts.append(
            f'<a href="{where}"><circle class="dot {kind}" cx="{x[k]:.0f}" cy="{y[k]:.0f}" r="6">'
            f"<title>{title}</title></circle></a>"
        )
    parts.insert(1, f'<path class="dots" d="{"".join(dots)}"/>')
    about = escape(f"{name} over {len(sigma)} runs: at most {np.nanmax(sigma):.1f} sigma")
    return Markup(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="group" aria-label="{about}">{"".join(parts)}</svg>')


def _band(good: Floats, up: Axis) -> str:
    if not len(good):
        return ""
    low, middle, high = (float(at) for at in up.place(np.percentile(good, GOOD_BAND)))
    return (
        f'<path class="band" d="M{_LEFT} {low:.0f}H{_RIGHT}V{high:.0f}H{_LEFT}z"/>'
        f'<path class="expected" d="M{_LEFT} {middle:.0f}H{_RIGHT}"/>'
    )


def _ends(runs: tuple[str, ...]) -> str:
    first, last = (escape(name if len(name) < 40 else f"{name[:39]}…") for name in (runs[0], runs[-1]))
    return (
        f'<text x="{_LEFT}" y="{_BOTTOM + 26}">{first}</text>'
        f'<text class="title" x="{_RIGHT}" y="{_BOTTOM + 26}">{last}</text>'
    )


def worst_runs(scores: PlotScores, name: str) -> list[tuple[str, Verdict, float]]:
    """The runs in which a plot was most conspicuous: name, verdict, sigma."""
    place = next((k for k, plot in enumerate(scores.plots) if plot.name == name), None)
    if place is None:
        return []
    sigma = np.nan_to_num(scores.sigmas[:, place], nan=-np.inf)
    order = [k for k in np.argsort(-sigma, kind="stable")[:WORST] if np.isfinite(sigma[k])]
    return [(scores.runs[k], scores.verdicts[k], float(sigma[k])) for k in order]
