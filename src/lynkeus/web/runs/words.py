"""Runs in words: what happened to a population, how rare that is; and the addresses of runs and plots."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from lynkeus.core import Finding, PlotRecord, RunRecord
from lynkeus.web.words import count, significant

# A browser walks up for dots, and these words are pages of their own.
_OTHER_PAGES = (".", "..", "compare", "plot", "override", "named", "file", "")
RAREST = 1e-6
_SUBPLOT = re.compile(r"\s*\[[^\]]*\]\s*$")


def happened(change: Finding) -> str:
    """ "stable", "shifted by +5 %", "40 % missing", "new: about 20 events"."""
    size = change.size if math.isfinite(change.size) else 0.0
    if change.kind == "shifted":
        if not size:
            return "shifted"
        if change.unit != "x":
            return f"shifted by {size:+.3g} {change.unit}".rstrip()
        return f"shifted by {100 * (size - 1):+.3g} %" if 0 < size < 2 else f"shifted by a factor {size:.3g}"
    if change.kind == "gone":
        return "gone" if size > 0.995 or not size else f"{100 * size:.0f} % missing"
    if change.kind == "new":
        return f"new: about {count(round(size))} events" if size else "new"
    if change.kind == "changed":
        return "changed"
    return "stable"


def in_short(record: RunRecord) -> str:
    """The chief change with its population; nothing for a good run."""
    change = record.change
    return "" if change.kind == "none" else f"{change.population or change.variable}: {happened(change)}"


def how_rare_run(p_value: float) -> str:
    """ "1 good run in 500 looks as bad", or how many."""
    if math.isnan(p_value):
        return "how many good runs look as bad is not known"
    if p_value > 0.1:
        return f"{100 * p_value:.0f} % of good runs look as bad"
    if p_value < RAREST:
        return "fewer than 1 good run in a million looks as bad"
    return f"1 good run in {count(round(1 / p_value))} looks as bad"


def events(number: float | None) -> str:
    """Events, which are weighted in some runs."""
    if number is None or not math.isfinite(number):
        return significant(None)
    return count(round(number)) if number == round(number) else significant(number)


def sigmas(value: float) -> str:
    """Return sigmas in words: "6.2 σ", or a dash."""
    return f"{value:.1f}\N{NO-BREAK SPACE}σ" if math.isfinite(value) else significant(None)


def run_address(run: str, model: str, **more: Any) -> str:
    """The page of a run, whatever its name."""
    query = {"model": model, **more}
    if run in _OTHER_PAGES:
        return f"/runs/named?{urlencode({'run': run, **query})}"
    return f"/runs/{quote(run, safe='')}?{urlencode(query)}"


def plot_address(name: str, model: str, run: str = "") -> str:
    """The page of a plot over all runs, and of one run."""
    return f"/runs/plot?{urlencode({'name': name, 'model': model} | ({'run': run} if run else {}))}"


def p_value(value: float) -> str:
    """Say a p-value as far as it means something: beyond one in a million models are wrong before runs are rare."""
    return "< 0.000001" if value < RAREST else significant(value)


class PlotFamily(NamedTuple):
    """A plot and its sub-plots (`S2 area`, `S2 area [SS]`), or plots that have none (without a title)."""

    title: str
    plots: list[PlotRecord]


class Group(NamedTuple):
    """The plots of a pulse class. `number` is for its place in the page."""

    number: int
    title: str
    families: list[PlotFamily]
    flagged: int
    plots: int


def grouped(plots: Iterable[PlotRecord]) -> list[Group]:
    """Plots by group and by what they have in common, in the order in which they were booked."""
    groups: dict[str, list[PlotRecord]] = {}
    for record in plots:
        groups.setdefault(record.plot.group, []).append(record)
    found = []
    for number, (title, members) in enumerate(groups.items()):
        flagged = sum(record.flagged for record in members)
        found.append(Group(number, title or "Other plots", _families(members), flagged, len(members)))
    return found


def _families(members: list[PlotRecord]) -> list[PlotFamily]:
    by_name: dict[str, list[PlotRecord]] = {}
    for record in members:
        by_name.setdefault(_SUBPLOT.sub("", record.plot.name), []).append(record)
    alone = [record for family in by_name.values() if len(family) == 1 for record in family]
    families = [PlotFamily(title, family) for title, family in by_name.items() if len(family) > 1]
    return ([PlotFamily("", alone)] if alone else []) + families


def outlined(region: Mapping[str, tuple[float, float]]) -> str:
    """ "S2 area 5e+03 to 4e+04, S2 width above 3"."""
    return ", ".join(f"{name} {_from_to(low, high)}" for name, (low, high) in region.items())


def _from_to(low: float, high: float) -> str:
    if math.isinf(high):
        return f"above {low:.4g}"
    return f"below {high:.4g}" if math.isinf(low) else f"{low:.4g} to {high:.4g}"
