"""How a CSV file is written: its encoding, separator, decimal sign, where names and units are, found from its begin."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.text.entries import DECIMAL_COMMA, DECIMAL_POINT, MISSING, is_number
from lynkeus.sources.formats.text.packed import Unpacked
from lynkeus.sources.formats.times.text import is_clock, writing_of

HEAD_BYTES = 256 * 1024
LOOKED_AT = 200  # lines
SEPARATORS = ("\t", ";", "|", ",", " ")  # a decimal comma is in every entry: ";" and tabs go first
CALLED = {"\t": "tabs", ";": "';'", "|": "'|'", " ": "blanks"}
COMMENTS = "#%"
LONGEST_UNIT = 20
UNNAMED = "Unnamed: {}"  # what pandas calls a column without a name, such as that of an index, when it reads it again


@dataclass(frozen=True)
class Dialect:
    """How the lines of a file are to be read: the `names` of the columns and their `units` ('' where none is said), how
    many lines to `skip` until the first row, and how long the last entry of a row is at most."""

    path: Path
    encoding: str
    separator: str
    decimal: str
    names: list[str]
    units: list[str]
    skip: int
    width: int = 0
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, path: Path) -> Dialect:
        """Look at the begin of a file. Raises SourceError where it is no text, or does not name its columns."""
        encoding, text = _decoded(path)
        if not text.strip():
            raise SourceError(f"{path}: the file is empty; copy it again from where it was written")
        lines = [(number, line) for number, line in enumerate(text.splitlines()) if line.strip()]
        data = [(number, line) for number, line in lines if line.lstrip()[0] not in COMMENTS][:LOOKED_AT]
        separator, columns = _separator([line for _, line in data])
        rows = [(number, split(line, separator)) for number, line in data]
        begin = next((k for k, (_, row) in enumerate(rows) if len(row) == columns), 0) if columns > 1 else 0
        skipped, rows = begin, rows[begin:]
        decimal = _decimal([row for _, row in rows], separator)
        names, number, rows = _names(path, lines, rows, separator, decimal)
        units: list[str] = []
        if len(rows) > 1 and _are_units(rows[0][1], rows[1][1], decimal):
            units, number, rows = rows[0][1], rows[0][0], rows[1:]
        widths = [len(row[-1]) for _, row in rows[:-1] if len(row) == len(names)]
        notes = _notes(encoding, separator, decimal, skipped, units)
        return cls(path, encoding, separator, decimal, names, units, number + 1, max(widths, default=0), notes)

    def complete(self, line: str) -> bool:
        """Return whether a last line without an end is a whole row: it may have been cut within its last number."""
        row = split(line, self.separator)
        return len(row) == len(self.names) and len(row[-1]) >= self.width


def split(line: str, separator: str) -> list[str]:
    """Return the entries of a line, without blanks around them."""
    line = " ".join(line.split()) if separator == " " else line.rstrip("\r\n")
    try:
        return [entry.strip() for entry in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        return line.split(separator)


def _decoded(path: Path) -> tuple[str, str]:
    """The encoding, and the whole lines that a file begins with."""
    try:
        head = b""
        with Unpacked(path) as file:
            while len(head) < HEAD_BYTES and (more := file.read(HEAD_BYTES)):
                head += more
            whole = file.cut or len(head) >= HEAD_BYTES
    except OSError as error:
        raise SourceError(f"{path}: cannot be unpacked ({error}); copy it again") from error
    lines = head[: head.rfind(b"\n") + 1] or head if whole else head
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", head[: len(head) // 2 * 2].decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = lines.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not re.search(r"[\x00-\x08\x0e-\x1f]", text):
            return encoding, text
    raise SourceError(f"{path}: is not a CSV file of text; check the path")


def _separator(lines: Sequence[str]) -> tuple[str, int]:
    """What stands between the entries of most lines, and how many these are."""
    best = (0.0, ",", 1)
    for separator in SEPARATORS:
        counts = Counter(len(split(line, separator)) for line in lines)
        columns, times = max(counts.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        share = times / max(len(lines), 1) if columns > 1 else 0.0
        if separator == " " and (best[0] > 0 or not _blanks_part_numbers(lines)):
            continue
        if share >= 0.9:
            return separator, columns
        if share > best[0]:
            best = (share, separator, columns)
    return best[1], best[2]


def _blanks_part_numbers(lines: Sequence[str]) -> bool:
    return bool(lines) and all(is_number(entry) for entry in split(lines[-1], " "))


def _decimal(rows: Sequence[Sequence[str]], separator: str) -> str:
    entries = [entry for row in rows for entry in row]
    if separator == "," or not any(DECIMAL_COMMA.fullmatch(entry) for entry in entries):
        return "."
    return "." if any(DECIMAL_POINT.fullmatch(entry) for entry in entries) else ","


def _names(
    path: Path, lines: Sequence[tuple[int, str]], rows: list[tuple[int, list[str]]], separator: str, decimal: str
) -> tuple[list[str], int, list[tuple[int, list[str]]]]:
    """The names of the columns, in a line or in the last comment before the rows; the line, and the rows below."""
    first, row = rows[0] if rows else (0, [])
    if row and not _is_data(row, decimal):
        names, number, rows = row, first, rows[1:]
    else:
        comments = [(n, line) for n, line in lines if n < first or not rows]
        found = [(n, split(line.strip().lstrip(COMMENTS).strip(" "), separator)) for n, line in comments]
        found = [(n, entries) for n, entries in found if len(entries) == len(row) and any(entries)]
        if not found or not row:
            raise SourceError(f"{path}: line 1 must name the columns; add a header line")
        number, names = first - 1, found[-1][1]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(
            f"{path}: line {number + 1} names a column twice: {', '.join(map(repr, twice[:5]))}; rename one"
            if twice[0] == ""
            else f"{path}: line {number + 1} names a column twice: {', '.join(twice[:5])}; rename one"
        )
    return [name or UNNAMED.format(k) for k, name in enumerate(names)], number, rows


def _is_data(row: Sequence[str], decimal: str) -> bool:
    """Whether a line holds values, not names."""
    there = [entry for entry in row if entry]
    fine = [is_number(entry, decimal) or _is_time(entry) for entry in there]
    return any(fine) and all(ok or entry.lower() in MISSING for ok, entry in zip(fine, there, strict=True))


def _is_time(entry: str) -> bool:
    return writing_of([entry]) is not None or is_clock([entry])


def _are_units(row: Sequence[str], below: Sequence[str], decimal: str) -> bool:
    """Whether a line between names and rows holds units: short words where below there are numbers."""
    if len(row) != len(below) or not any(row):
        return False
    words = [entry for entry, value in zip(row, below, strict=True) if entry and is_number(value, decimal)]
    plain = all(not is_number(entry, decimal) and len(entry) <= LONGEST_UNIT and not _is_time(entry) for entry in row)
    return plain and bool(words) and not all(word.lower() in MISSING - {"-", "--"} for word in words)


def _notes(encoding: str, separator: str, decimal: str, skipped: int, units: Sequence[str]) -> tuple[str, ...]:
    said = [f"separated by {CALLED[separator]}"] if separator != "," else []
    said += ["decimal commas"] if decimal == "," else []
    said += ["in Latin-1, not UTF-8"] if encoding == "cp1252" else []
    said += ["in UTF-16"] if encoding == "utf-16" else []
    said += [f"{skipped} lines before the names were skipped"] if skipped else []
    said += ["a line of units below the names"] if units else []
    return tuple(said)
