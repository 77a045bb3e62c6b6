"""Dates and times written as text, as spreadsheets and control rooms write them, to nanoseconds since 1970, UTC.

Which of the two numbers of 11/12/2023 is the day is found from entries that only one reading allows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lynkeus.core.batch import Array, TimesNs
from lynkeus.core.errors import SourceError

CLOCK = (
    r"(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>[A-Z]{1,4}|[+-]\d{2}:?\d{2})?"
)
YEAR_FIRST = r"(?P<y>\d{4})[-/.](?P<b>\d{1,2})[-/.](?P<a>\d{1,2})"
YEAR_LAST = r"(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>\d{4})"
MONTH_NAMED = r"(?P<a>\d{1,2})\.?[- ]?(?P<word>\p{L}{3,9})\.?[- ]?(?P<y>\d{4})"
MONTH_BEFORE = r"(?P<word>\p{L}{3,9})\.? (?P<a>\d{1,2}),? (?P<y>\d{4})"
DATES = {"year first": YEAR_FIRST, "day": YEAR_LAST, "month by name": MONTH_NAMED, "month before day": MONTH_BEFORE}
PATTERNS = {name: rf"^\s*{date}(?:(?:[T ]\s*|,\s*){CLOCK})?\s*$" for name, date in DATES.items()}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ALSO = {"mär": "mar", "mai": "may", "okt": "oct", "dez": "dec", "maj": "may", "avr": "apr", "aoû": "aug"}
ZONES = {"": 0, "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "BST": 1, "EST": -5,
         "EDT": -4, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "JST": 9}  # fmt: skip
NS = 1_000_000_000


class Writing(NamedTuple):
    """How dates are written: the `pattern` of an entry, its `name`, and whether the day comes first (None: it cannot
    be said)."""

    pattern: str
    name: str
    day_first: bool | None

    @property
    def words(self) -> str:
        """In words, for a message."""
        if self.name != "day":
            return "dates"
        return "dates, the day first" if self.day_first else "dates, the month first"


def writing_of(entries: Sequence[str]) -> Writing | None:
    """Return how all of these entries are written as dates, with or without a time of the day; None where they are
    not."""
    texts = [entry.strip() for entry in entries if entry.strip()]
    if not texts:
        return None
    for name, pattern in PATTERNS.items():
        found = [_looks_like(pattern).match(text) for text in texts]
        if not all(found):
            continue
        if name != "day":
            return Writing(pattern, name, True)
        first, second = (max(int(one[part]) for one in found if one) for part in ("a", "b"))
        dotted = all("." in text.split(":")[0] for text in texts)
        known = True if dotted or first > 12 else (False if second > 12 else None)
        return None if second > 12 and first > 12 else Writing(pattern, name, known)
    return None


def is_clock(entries: Sequence[str]) -> bool:
    """Return whether all entries are times of a day."""
    texts = [entry.strip() for entry in entries if entry.strip()]
    return bool(texts) and all(_looks_like(rf"^{CLOCK}$").match(text) for text in texts)


@cache
def _looks_like(pattern: str) -> re.Pattern[str]:
    """The same for Python, which is quicker for a few entries than Arrow, and calls letters otherwise."""
    return re.compile(pattern.replace(r"\p{L}", r"[^\W\d_]"))


def has_clock(entries: Sequence[str]) -> bool:
    """Return whether dates have a time of the day beside them."""
    return any(":" in entry for entry in entries)


def joined(dates: Any, clocks: Any) -> Any:
    """Return dates in one column and times of the day in another as one column."""
    return pc.binary_join_element_wise(pc.utf8_trim_whitespace(dates), pc.utf8_trim_whitespace(clocks), " ")


def text_times(column: Any, writing: Writing, where: str, first: int) -> TimesNs:
    """Return nanoseconds of a column of text, whose first entry is row `first` of the file.

    Raises SourceError naming the row of an entry that is no such date, or whose zone is not known.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    found = pc.extract_regex(column, writing.pattern)
    if found.null_count:
        row = int(np.argmax(found.is_null().to_numpy(zero_copy_only=False)))
        raise SourceError(f"{where}, row {first + row}: {column[row].as_py()!r} is no date like the others; mend it")
    a, year = _numbers(found, "a"), _numbers(found, "y")
    b = _month(found) if "word" in writing.pattern else _numbers(found, "b")
    day, month = (a, b) if writing.day_first or writing.name != "day" else (b, a)
    hour, minute, second = (_numbers(found, part) for part in "HMS")
    half = _texts(found, "half")
    hour = np.where(half != "", hour % 12, hour) + 12 * np.isin(half, ("PM", "pm", "Pm"))
    fine = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (hour < 24) & (minute < 60) & (second < 61)
    if not fine.all():
        row = int(np.argmin(fine))
        raise SourceError(
            f"{where}, row {first + row}: {column[row].as_py()!r} is no date if {writing.words} are meant; say "
            "day_first = true or false under [times] in the layout"
        )
    months = (year - 1970).astype("M8[Y]").astype("M8[M]") + (month - 1).astype("m8[M]")
    days = (months.astype("M8[D]") + (day - 1).astype("m8[D]")).astype(np.int64)
    whole = ((days * 24 + hour) * 60 + minute) * 60 + second - _offset_s(found, where, first)
    return whole * NS + _fraction(found)


def _field(found: Any, name: str) -> Any:
    return found.field(name) if found.type.get_field_index(name) >= 0 else pa.array([""] * len(found))


def _texts(found: Any, name: str) -> Array:
    return np.array(_field(found, name).fill_null("").to_pylist(), dtype=str)


def _numbers(found: Any, name: str) -> Array:
    text = _field(found, name)
    return pc.cast(pc.if_else(pc.equal(text, ""), "0", text), pa.int64()).to_numpy(zero_copy_only=False)


def _fraction(found: Any) -> Array:
    """Digits after the second, in ns."""
    return pc.cast(pc.utf8_rpad(_field(found, "f"), 9, "0"), pa.int64()).to_numpy(zero_copy_only=False)


def _month(found: Any) -> Array:
    words = pc.utf8_slice_codeunits(pc.utf8_lower(_field(found, "word")), 0, 3)
    known = {word: number for number, word in enumerate(MONTHS, 1)}
    known |= {other: known[usual] for other, usual in ALSO.items()}
    return np.array([known.get(word, 0) for word in words.to_pylist()], np.int64)


def _offset_s(found: Any, where: str, first: int) -> Array:
    """Seconds that each entry is ahead of UTC."""
    zones, which = np.unique(_texts(found, "zone"), return_inverse=True)
    ahead = []
    for number, zone in enumerate(map(str, zones)):
        if zone in ZONES:
            ahead.append(ZONES[zone] * 3600)
        elif zone[0] in "+-":
            ahead.append((-1 if zone[0] == "-" else 1) * (int(zone[1:3]) * 3600 + int(zone[-2:]) * 60))
        else:
            row = first + int(np.argmax(which == number))
            raise SourceError(f"{where}, row {row}: the zone {zone!r} is not known; write UTC, or an offset as +01:00")
    return np.array(ahead, np.int64)[which]
