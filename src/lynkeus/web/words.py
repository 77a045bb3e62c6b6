"""Numbers in words: rates, durations, ages and times, as a person would say them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from lynkeus.core.words import how_often as how_often
from lynkeus.core.words import short

_UNITS = ((1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "days"))


def how_rare(p_value: float, rarest: float = 0.0) -> str:
    """ "1 good image in 500 scores as high", "40 % of good images score as high"; `rarest`: the smallest p-value
    that is stated, of which it is said that fewer may."""
    if math.isnan(p_value):
        return "how many good images score as high is not known"
    if p_value > 0.1:
        return f"{100 * p_value:.0f} % of good images score as high"
    at_most = "at most " if p_value <= rarest * (1.0 + 1e-6) else ""
    return f"{at_most}1 good image in {count(round(1 / max(p_value, 1e-12)))} scores as high"


def duration(seconds: float | None) -> str:
    """ "12 s", "3.5 min", "2 h", "4 days"; None is still going on."""
    if seconds is None:
        return "still open"
    size, unit = next((pair for pair in reversed(_UNITS) if seconds >= pair[0]), _UNITS[0])
    return f"{short(seconds / size)} {unit}"


def ago(at_ns: int, now_ns: int) -> str:
    """ "3 min ago"; a replay's data times may lie years back."""
    return f"{duration(max(round((now_ns - at_ns) / 1e9), 0))} ago"


def utc(at_ns: int | None) -> str:
    """Return a time in words: "2026-05-04 12:30:05 UTC"."""
    if at_ns is None:
        return "never"
    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(at_ns: int) -> str:
    """Return a time for the `datetime` attribute of <time>."""
    return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="seconds")


def count(number: int) -> str:
    """ "1 234 567", with thin spaces that do not break."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def pixels(area: float) -> str:
    """Return an area in words: "1 234 px", or a dash."""
    return significant(area) if math.isnan(area) else f"{count(round(area))}\N{NO-BREAK SPACE}px"


def per_second(rate: float) -> str:
    """ "9.97" or "12 300": three digits are enough."""
    return f"{rate:.3g}" if rate < 999.5 else count(round(rate))


def significant(value: float | None) -> str:
    """Three significant digits, or a dash."""
    return "\N{EN DASH}" if value is None or math.isnan(value) else f"{value:.3g}"
