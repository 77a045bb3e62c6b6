"""CsvSource: a CSV file with a header line, as it is written, read block by block."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.choose_columns import choose_columns
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.tables import existing_file, listed
from lynkeus.sources.formats.text.entries import NotANumberError, kind_of, numbers_of, states
from lynkeus.sources.formats.text.table import CsvTable
from lynkeus.sources.formats.times.recognise import STATE
from lynkeus.sources.formats.times.text import is_clock, writing_of

HEAD_ROWS = 5000  # by which it is decided what a column holds
THOUSANDS = re.compile(r"[+-]?\d{1,3}(([.,' ]\d{3})+([.,]\d+)?)")
CASTS = {"whole": pa.int64(), "number": pa.float64()}


class CsvSource(CsvTable):
    """A table from a CSV file whose header names the columns; its length is not known before it is read.

    Separator, decimal sign, comments, a line of units, encoding and packing are found from the file. Times: `time_ns`,
    or columns that are recognised as times; columns of text are left out. Every other column must hold numbers, be
    empty or say that a value is missing (NaN). Raises SourceError naming line and column of an entry that is none of
    these.
    """

    def __init__(self, path: str | Path, layout: Layout | None = None, expected: Schema | None = None) -> None:
        self.layout = layout or Layout()
        super().__init__(existing_file(path), self.layout.missing)
        self.files = (self.path,)
        head, self.types = self._head(set(expected.names) if expected else set())
        chosen = choose_columns(self.path, self.types, self.layout, head, expected)
        self._set_times(chosen)
        units = dict(zip(self.header, self.dialect.units, strict=False))
        chosen = chosen.with_units(units, self.layout)
        self.columns, self.start_ns = chosen.with_rate(self.pieces(chosen.read))
        self.schema = self.columns.schema

    @property
    def messages(self) -> list[str]:
        """How the file was read, what was left out, and after a pass which words were missing values."""
        return [*self.how, *self.columns.messages, *self.left_out]

    def __iter__(self) -> Iterator[Batch]:
        first = 0
        for piece in self.pieces(self.columns.read):
            if piece.num_rows:
                yield self.columns.batch(piece, first)
            first += piece.num_rows

    def _head(self, expected: set[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The first entries of every column, numbers where most are numbers, and the types to read them as."""
        rows = next(self.text(self.header), None)
        if rows is None or not rows.num_rows:
            raise SourceError(f"{self.path}: holds a header but no rows; nothing to read")
        rows = rows.slice(0, HEAD_ROWS)
        whole = {"time_ns", "truth", self.layout.truth, *(self.layout.times.columns if self.layout.times else ())}
        asked = {block.dataset for block in self.layout.blocks} | {"time_ns"} | expected
        head: dict[str, Any] = {}
        types: dict[str, Any] = {}
        for name in self.header:
            entries = [entry or "" for entry in rows.column(name).to_pylist()]
            kind = kind_of(entries, self.dialect.decimal, self.layout.missing)
            state = bool(STATE.fullmatch(name)) and any(re.search("[A-Za-z]", entry) for entry in entries)
            if name in asked and kind not in ("whole", "number") and not writing_of(entries[:50]):
                kind = "number"  # what does not look like one is an error, with its line
            if kind in ("whole", "number") and not (state and name not in asked):
                types[name] = pa.int64() if kind == "whole" and name in whole else pa.float64()
                try:
                    known = numbers_of(pa.array(entries, pa.string()), self.dialect.decimal, self.layout.missing,
                                       Counter(), CASTS[kind]).drop_null()  # fmt: skip
                    head[name] = known.to_numpy(zero_copy_only=False)
                except (NotANumberError, pa.ArrowInvalid):
                    head[name] = np.empty(0)
            else:
                types[name], head[name] = pa.string(), entries
        if not any(map(pa.types.is_floating, types.values())) and not any(map(pa.types.is_integer, types.values())):
            raise SourceError(f"{self.path}: holds no column of numbers{_instead(head)}")
        return head, types

    def _set_times(self, chosen: Any) -> None:
        """Whole numbers of times are read as such: a float holds no nanoseconds."""
        for name in chosen.times.columns if chosen.times else ():
            column = chosen.head.get(name)
            if isinstance(column, np.ndarray) and column.dtype.kind == "i":
                self.types[name] = pa.int64()


__all__ = ["CsvSource", "listed", "states"]


def _instead(head: Mapping[str, Sequence[str]]) -> str:
    """Say what a column of text holds where numbers are wanted, and what to do."""
    for name, entries in head.items():
        entry = next(filter(None, map(str.strip, entries)), "")
        if entry and not writing_of([entry]) and not is_clock([entry]):
            separated = all(THOUSANDS.fullmatch(one.strip()) for one in entries[:50] if one.strip())
            remedy = ": write numbers without separators of thousands" if separated else ""
            return f"; {name} holds texts such as {entry[:40]!r}{remedy}"
    return "; nothing to read"
