"""Which columns of a table are times, and which only count rows, by their names and their first values."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from lynkeus.core.batch import Array
from lynkeus.sources.formats.layout import Times
from lynkeus.sources.formats.times.epochs import CLOCKS, other_clock
from lynkeus.sources.formats.times.plausible import unit_by_value
from lynkeus.sources.formats.times.text import Writing, has_clock, is_clock, joined, text_times, writing_of

UNIT_END = r"[_ ]?[\[(]?(ns|us|µs|ms|s|secs?|seconds)[\])]?"
TIME = re.compile(
    rf"(.*[/._: ])?(#\s*)?(t|ts|time|times|time_?stamps?|epoch|unix_?(time)?|utc|date|date_?time|when|zeit|zeitstempel|"
    rf"datum|uhrzeit)([_ ]?utc)?({UNIT_END})?",
    re.IGNORECASE,
)
SECONDS = re.compile(r"(.*[/._: ])?(secs?|seconds|(epoch_?)?seconds(_?past_?epoch)?|epoch_?s)", re.IGNORECASE)
NANOS = re.compile(r"(.*[/._: ])?(ns|nanos?|nsecs?|nano_?seconds)", re.IGNORECASE)
COUNTER = re.compile(
    r"|(.*[/._: ])?(unnamed(: ?\d+)?|index|idx|row|row_?(number|nr|no|id)|nr|no|number|record|entry|sample|counter|"
    r"count|(shot|train|pulse|bunch|macro_?pulse|event|spill|cycle)(_?(number|nr|no|id|count(er)?))?|[tp]id|"
    r"__index_level_\d+__)",
    re.IGNORECASE,
)
STATE = re.compile(r"(.*[/._: ])?(severity|sevr|stat|alarm_?(severity|status))", re.IGNORECASE)
ENOUGH = 20  # rows after which rising numbers, whose name says nothing, are believed to be times
Head = Mapping[str, Any]  # column -> its first numbers, or its first texts


class Found(NamedTuple):
    """What was recognised: the `times` and how they are written as text, columns set `aside` and why, and what to
    `say` of the times."""

    times: Times | None
    writing: Writing | None = None
    aside: Mapping[str, str] = {}
    says: str = ""


def recognise(head: Head, stamps: Sequence[str] = (), known: Collection[str] = ()) -> Found:
    """Find the times of a table. `stamps`: columns that are dates by their type; `known`: channels of the model that
    reads, which are never set aside."""
    free = {name: column for name, column in head.items() if name not in known}
    numbers = {name: column for name, column in free.items() if isinstance(column, np.ndarray)}
    texts = {name: column for name, column in free.items() if not isinstance(column, np.ndarray)}
    found = _of_numbers(numbers, stamps) or _of_text(texts)
    if found is None and len(stamps):
        found = Found(Times(stamps[0]))
    found = found or _by_name(numbers) or _by_value(numbers) or Found(None)
    used = found.times.columns if found.times else ()
    aside = {name: why for name, column in numbers.items() if name not in used and (why := _why_aside(name, column))}
    return found._replace(aside=aside)


def writing(head: Head, times: Times) -> Writing | None:
    """Return how the dates of a layout are written; None where they are numbers."""
    dates, clocks = head.get(times.dataset), head.get(times.clock)
    if dates is None or isinstance(dates, np.ndarray):
        return None
    if clocks is not None and not isinstance(clocks, np.ndarray):
        dates = [f"{day} {clock}" for day, clock in zip(dates, clocks, strict=True)]
    found = writing_of(dates)
    if found is not None and times.day_first is not None and found.name == "day":
        return found._replace(day_first=times.day_first)
    return found if found is None or found.day_first is not None else _by_order(found, dates)


def _of_numbers(numbers: Mapping[str, Array], stamps: Sequence[str]) -> Found | None:
    """`time_ns`, or seconds with nanoseconds beside them."""
    if "time_ns" in numbers or "time_ns" in stamps:
        return Found(Times("time_ns"))
    for name, column in numbers.items():
        unit = other_clock(name, column) or unit_by_value(column)
        if unit == "s since 1990" or (SECONDS.fullmatch(name) and unit == "s"):
            for other, nanos in numbers.items():
                if NANOS.fullmatch(other) and nanos.dtype.kind in "iu" and nanos.min() >= 0 and nanos.max() < 10**9:
                    says = f"times are taken from {name} and {other}, {CLOCKS[unit].words}, and nanoseconds"
                    return Found(Times(name, unit, nanos=other), says=says)
    return None


def _of_text(texts: Mapping[str, Sequence[str]]) -> Found | None:
    """Dates in one column, or in two: days and times of the day."""
    for name, column in texts.items():
        how = writing_of(column)
        if how is None:
            continue
        clock = next((n for n, c in texts.items() if n != name and is_clock(c)), "")
        if has_clock(column) or not clock:
            times = Times(name)
            says = f"times are taken from {name}, {how.words}"
        else:
            times = Times(name, clock=clock)
            says = f"times are taken from {name} and {clock}, {how.words} and times of the day"
        if how.name == "day" and how.day_first is None:
            how = writing(texts, times) or how
            says = f"{says.partition(', dates')[0]}, {how.words}" if how.day_first is not None else says
        plain = how.name == "year first" and not times.clock
        return Found(times, how, says="" if plain else f"{says}, in UTC")
    return None


def _by_name(numbers: Mapping[str, Array]) -> Found | None:
    for name, column in numbers.items():
        if TIME.fullmatch(name) or SECONDS.fullmatch(name):
            unit = unit_by_value(column)
            if unit:
                return _taken(name, _unit_in(name) or unit)
    for name, column in numbers.items():
        unit = other_clock(name, column)
        if unit:
            return _taken(name, unit)
    return None


def _by_value(numbers: Mapping[str, Array]) -> Found | None:
    """Rising numbers that are times from 1990 to 2066 in some unit; those that rise by one count something."""
    for name, column in numbers.items():
        unit = unit_by_value(column)
        if unit and len(column) >= ENOUGH and _rises(column, strictly=False) and not COUNTER.fullmatch(name):
            steps = np.diff(column)
            if unit != "s" or not (steps == 1).all():
                return _taken(name, unit)
    return None


def _taken(name: str, unit: str) -> Found:
    return Found(Times(name, unit), says=f"times are taken from {name}, {CLOCKS[unit].words}")


def _why_aside(name: str, column: Array) -> str:
    """Why a column of numbers is no channel; '' where it is one."""
    whole = column.dtype.kind in "iu" or bool((column == np.floor(column)).all())
    if whole and COUNTER.fullmatch(name) and _rises(column):
        return "counts rows"
    if whole and STATE.fullmatch(name):
        return "states of an alarm"
    if len(column) > 1 and _rises(column, strictly=False):
        if (TIME.fullmatch(name) or SECONDS.fullmatch(name)) and _rises(column[[0, -1]]):
            return "times, but not since 1970" if not unit_by_value(column) else "times as well"
        if unit_by_value(column) and len(column) >= ENOUGH and column.dtype.kind == "f" and not whole:
            return "times as well"
    if NANOS.fullmatch(name) and whole and name.lower() != "ns":
        return "nanoseconds"
    return ""


def _rises(column: Array, strictly: bool = True) -> bool:
    steps = np.diff(column)
    return len(column) > 1 and bool((steps > 0).all() if strictly else (steps >= 0).all())


def _unit_in(name: str) -> str:
    """The unit that a name ends in: time_ms, time [ms]."""
    found = re.search(r"[_ \[(](ns|us|µs|ms|s|secs?|seconds)[\])]?$", name)
    if found is None:
        return ""
    return {"µs": "us", "sec": "s", "secs": "s", "seconds": "s"}.get(found[1], found[1])


def _by_order(found: Writing, dates: Sequence[str]) -> Writing:
    """The reading in which the dates rise, where they do so in one only."""
    column = pa.array([entry for entry in dates if entry.strip()], pa.string())
    rising = []
    for day_first in (True, False):
        steps = np.diff(text_times(column, found._replace(day_first=day_first), "", 0))
        rising.append(bool((steps >= 0).all()) and float(steps.max(initial=0)) < 3 * 86_400e9)
    return found._replace(day_first=rising[0]) if rising[0] != rising[1] else found


__all__ = ["COUNTER", "Found", "Head", "joined", "recognise", "writing"]
