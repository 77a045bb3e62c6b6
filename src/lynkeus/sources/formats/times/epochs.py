"""Clocks that do not count from 1970: when they begin, and how a column of their numbers is known."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array

NS = 1_000_000_000
DAY_NS = 86_400 * NS
FIRST_S, LAST_S = 946_684_800.0, 2_051_222_400.0  # 2000 and 2035: what such a clock is believed to tell
PREFIX = r"(.*[/._: ])?(#\s*)?"


class Clock(NamedTuple):
    """`ns` of one unit, and the number `at_1970` that it has at the beginning of 1970; `words` for it; `names` of
    columns that are believed to be of it where their numbers are dates of this century."""

    ns: int
    at_1970: float
    words: str
    names: re.Pattern[str] = re.compile(r"(?!)")

    def seconds(self, value: float) -> float:
        """Return a value in seconds since 1970."""
        return (value - self.at_1970) * (self.ns / NS)


def _clock(ns: int, at_1970: float, words: str, names: str) -> Clock:
    return Clock(ns, at_1970, words, re.compile(PREFIX + names, re.IGNORECASE))


CLOCKS = {
    "ns": Clock(1, 0, "nanoseconds since 1970"),
    "us": Clock(1_000, 0, "microseconds since 1970"),
    "ms": Clock(1_000_000, 0, "milliseconds since 1970"),
    "s": Clock(NS, 0, "seconds since 1970"),
    "s since 1904": _clock(
        NS, 2_082_844_800, "seconds since 1904, as LabVIEW counts",
        r"(t|time|time_?stamps?|secs?|seconds|date_?time|utc)([_ ]?[\[(]?(s|sec)[\])]?)?",
    ),
    "s since 1990": _clock(NS, -631_152_000, "seconds since 1990, as EPICS counts", r"sec_?past_?epoch"),
    "MJD": _clock(DAY_NS, 40_587, "modified Julian days", r"(mjd|modified_?julian_?(date|days?))([_ ]?utc)?"),
    "JD": _clock(DAY_NS, 2_440_587.5, "Julian days", r"(jd|julian_?(date|days?))([_ ]?utc)?"),
    "days since 1900": _clock(DAY_NS, 25_569, "days since 1900, as Excel counts", r"(date|datum|excel.*)"),
    "datenum": _clock(DAY_NS, 719_529, "days since the year 0, as MATLAB counts", r"(datenum|matlab.*)"),
}  # fmt: skip


def other_clock(name: str, column: Array) -> str:
    """Return the clock, by its name in CLOCKS, that does not count from 1970 and that a column of numbers is of by its
    own name: all numbers are dates of 2000 to 2035 that rise, or all fall, which is refused later. '' where there is
    none."""
    if column.dtype.kind not in "iuf" or len(column) < 2 or not np.isfinite(column).all():
        return ""
    steps = np.diff(column)
    if (steps < 0).any() and (steps > 0).any():
        return ""
    low, high = float(column.min()), float(column.max())
    for unit, clock in CLOCKS.items():
        if clock.names.fullmatch(name) and clock.seconds(low) >= FIRST_S and clock.seconds(high) <= LAST_S:
            return unit
    return ""
