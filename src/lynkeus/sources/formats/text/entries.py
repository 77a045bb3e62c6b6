"""Entries of a table of text: numbers, words for a missing value, true and false, dates, states."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lynkeus.sources.formats.times.text import is_clock, writing_of

NOT_A_NUMBER = ("", "nan", "NaN", "NAN", "-nan", "-NaN")
WORDS = (
    "na n/a #n/a #na null none nil missing invalid undefined undef udf disconnected disconnect not_connected offline "
    "archive_off archive_disabled no_data nodata - -- --- ? ?? *** #value! #div/0! #num! #ref! bad timeout 1.#qnan "
    "-1.#ind"
)
MISSING = frozenset([*WORDS.split(" "), "not connected", "no data", *map(str.lower, NOT_A_NUMBER)])
YES_NO = {"true": "1", "false": "0"}
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?$|^[+-]?(inf|infinity)$"
WHOLE = re.compile(r"[+-]?\d+")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
MOST_STATES = 50  # more are no states
SHOWN_STATES = 4


class NotANumberError(Exception):
    """An entry that is neither a number nor a word for a missing value: its `row` in the piece, and what it says."""

    def __init__(self, row: int, entry: str) -> None:
        super().__init__(entry)
        self.row, self.entry = row, entry


def is_number(text: str, decimal: str = ".") -> bool:
    """Return whether an entry is a number."""
    try:
        float(text.replace(decimal, ".") if decimal != "." else text)
    except ValueError:
        return False
    return "_" not in text


def kind_of(entries: Sequence[str], decimal: str, missing: Sequence[str]) -> str:
    """Return what most entries of a column are: "whole" or other "number"s, "date", "clock" or "text"."""
    known = {word.lower() for word in missing} | MISSING
    there = [entry.strip() for entry in entries if entry.strip().lower() not in known]
    numbers = [entry for entry in there if entry.lower() in YES_NO or is_number(entry, decimal)]
    if 2 * len(numbers) >= len(there):
        return "whole" if numbers and all(WHOLE.fullmatch(entry) for entry in numbers) else "number"
    if writing_of(there[:200]) is not None:
        return "date"
    return "clock" if is_clock(there[:200]) else "text"


def numbers_of(column: Any, decimal: str, missing: Sequence[str], words: Counter[str], kind: Any) -> Any:
    """Return a column of text as numbers of an Arrow type, null where a value is missing; `words` counts those that say
    so. Raises NotANumberError."""
    text = pc.utf8_trim_whitespace(column)
    lower = pc.utf8_lower(text)
    known = pa.array(sorted({*MISSING, *(word.lower() for word in missing)}))
    gone = pc.or_kleene(pc.is_in(lower, value_set=known), pc.is_null(text))
    for entry in pc.value_counts(text.filter(gone)).to_pylist() if pc.any(gone).as_py() else ():
        if (entry["values"] or "") not in NOT_A_NUMBER:
            words[entry["values"]] += entry["counts"]
    text = pc.if_else(gone, pa.scalar(None, pa.string()), text)
    for word, number in YES_NO.items():
        text = pc.if_else(pc.equal(lower, word), number, text)
    text = pc.replace_substring(text, decimal, ".") if decimal != "." else text
    proper = pc.match_substring_regex(text, NUMBER, ignore_case=True)
    if not pc.all(proper).as_py() and pc.min_max(proper)["min"].as_py() is False:
        row = pc.index(proper, False).as_py()
        raise NotANumberError(row, column[row].as_py())
    try:
        return pc.cast(text, kind)
    except pa.ArrowInvalid:
        return pc.cast(pc.cast(pc.replace_substring_regex(text, "[dD]", "e"), pa.float64()), kind)


def states(entries: Sequence[str]) -> str:
    """Return the states that a column of text takes, with how often, for a message."""
    counted = Counter(entry.strip() for entry in entries if entry.strip())
    if len(counted) > MOST_STATES:
        return f"{len(counted)} different entries, such as {next(iter(counted))}"
    most = [f"{state} {times}" for state, times in counted.most_common(SHOWN_STATES)]
    return ", ".join(most) + (f" and {len(counted) - SHOWN_STATES} more" if len(counted) > SHOWN_STATES else "")
