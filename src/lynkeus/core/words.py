"""How rare, in words: the same on a page, in a stored alarm and in a report."""

from __future__ import annotations

import math

YEAR_H = 8766.0  # of 365.25 days
EXTRAPOLATION_LIMIT = 1000.0  # nothing rarer than once in this many references is stated, or taken as a budget


def how_often(rate_per_hour: float | None, reference_hours: float | None = None) -> str:
    """Say a rate: "once in 40 h", "2.1 times an hour", "less than once a year"; NaN and None are not known.

    A rate that is the lowest that so many `reference_hours` of good data can state is said to be "or rarer".
    """
    text = _often(rate_per_hour)
    return f"{text} or rarer" if text.startswith("once in ") and is_lowest(rate_per_hour, reference_hours) else text


def is_lowest(rate_per_hour: float | None, reference_hours: float | None) -> bool:
    """Whether a rate is the lowest that so many hours of good data can state: what is rarer has the same. Hours may be
    rounded to thousandths, as those of a lineage are."""
    if not rate_per_hour or not reference_hours:
        return False
    return rate_per_hour * (reference_hours - 0.0005) * EXTRAPOLATION_LIMIT < 1.0 + 1e-6


def _often(rate_per_hour: float | None) -> str:
    if rate_per_hour is None or math.isnan(rate_per_hour):
        return "how often is not known"
    if rate_per_hour > 60.0:
        return "more than once a minute"
    if rate_per_hour > 1.05:
        return f"{short(rate_per_hour)} times an hour"
    if rate_per_hour * YEAR_H < 1.0:
        return "less than once a year"
    hours = 1.0 / rate_per_hour
    if hours < 1.05:
        return "once an hour"
    if hours < 72.0:
        return f"once in {short(hours)} h"
    return f"once in {short(hours / 24.0)} days"


def short(value: float) -> str:
    """Return a number with two digits, or whole."""
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"


def at_least(value: float) -> str:
    """Return a number above 0 with two digits that is not below it: who asks for what is said gets it."""
    text = f"{value:.2g}"
    return text if float(text) >= value else f"{1.05 * value:.2g}"
