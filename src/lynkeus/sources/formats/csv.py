"""CsvSource: a CSV file with a header line, as it is written, read block by block."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.choose_columns import choose_columns
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.tables import existing_file, listed
from lynkeus.sources.formats.text.dialect import Dialect
from lynkeus.sources.formats.text.entries import NOT_A_NUMBER, NotANumberError, kind_of, numbers_of, states
from lynkeus.sources.formats.text.lines import Lines
from lynkeus.sources.formats.times.recognise import STATE
from lynkeus.sources.formats.times.text import is_clock, writing_of

BLOCK_BYTES = 8 * 2**20
HEAD_ROWS = 5000  # by which it is decided what a column holds
CASTS = {"whole": pa.int64(), "number": pa.float64()}


class CsvSource:
    """A table from a CSV file whose header names the columns; its length is not known before it is read.

    Separator, decimal sign, comments, a line of units, encoding and packing are found from the file. Times: `time_ns`,
    or columns that are recognised as times; columns of text are left out. Every other column must hold numbers, be
    empty or say that a value is missing (NaN). Raises SourceError naming line and column of an entry that is none of
    these.
    """

    def __init__(self, path: str | Path, layout: Layout | None = None, expected: Schema | None = None) -> None:
        self.path = existing_file(path)
        self.files = (self.path,)
        self.layout = layout or Layout()
        self.dialect = Dialect.of(self.path)
        self.header = self.dialect.names
        self.words: Counter[str] = Counter()
        self.cut = self.slow = False
        head, self.types = self._head(set(expected.names) if expected else set())
        chosen = choose_columns(self.path, self.types, self.layout, head, expected)
        self._set_times(chosen)
        units = dict(zip(self.header, self.dialect.units, strict=False))
        chosen = chosen.with_units(units, self.layout)
        self.columns, self.start_ns = chosen.with_rate(self._pieces(chosen.read))
        self.schema = self.columns.schema

    @property
    def messages(self) -> list[str]:
        """How the file was read, what was left out, and after a pass which words were missing values."""
        said = [f"{self.path}: {', '.join(self.dialect.notes)}"] if self.dialect.notes else []
        said += self.columns.messages
        if self.words:
            counted = ", ".join(f"{word!r} {times} times" for word, times in self.words.most_common(5))
            said.append(f"{self.path}: words taken as missing values: {counted}")
        if self.cut:
            said.append(
                f"{self.path}: the last line is not complete and was left out: is the file still being "
                "written? (if it is whole, end it with a line break)"
            )
        return said

    def __iter__(self) -> Iterator[Batch]:
        first = 0
        for piece in self._pieces(self.columns.read):
            if piece.num_rows:
                yield self.columns.batch(piece, first)
            first += piece.num_rows

    def _head(self, expected: set[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The first entries of every column, numbers where most are numbers, and the types to read them as."""
        rows = next(self._text(self.header), None)
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
        return head, types

    def _set_times(self, chosen: Any) -> None:
        """Whole numbers of times are read as such: a float holds no nanoseconds."""
        for name in chosen.times.columns if chosen.times else ():
            column = chosen.head.get(name)
            if isinstance(column, np.ndarray) and column.dtype.kind == "i":
                self.types[name] = pa.int64()

    def _pieces(self, wanted: list[str]) -> Iterator[Any]:
        """Record batches of the wanted columns, fast as long as all entries are numbers."""
        self.words.clear()
        done = 0
        if not self.slow:
            empty = [*NOT_A_NUMBER]
            try:
                for piece in self._read(wanted, {name: self.types[name] for name in wanted}, empty):
                    yield piece
                    done += piece.num_rows
                return
            except pa.ArrowInvalid as error:
                if "conversion error" not in str(error):
                    raise self._said(error) from error
                self.slow = True  # there are words: they have to be looked at
        skip, first = done, 0
        for text in self._text(wanted):
            piece = self._numbers(text, wanted, first)
            first += text.num_rows
            if skip >= piece.num_rows:
                skip -= piece.num_rows
                continue
            yield piece.slice(skip)
            skip = 0

    def _text(self, wanted: list[str]) -> Iterator[Any]:
        try:
            yield from self._read(wanted, dict.fromkeys(wanted, pa.string()), [])
        except pa.ArrowInvalid as error:
            raise self._said(error) from error

    def _read(self, wanted: list[str], types: dict[str, Any], empty: list[str]) -> Iterator[Any]:
        read = pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=self.header)
        parse = pa_csv.ParseOptions(delimiter=self.dialect.separator)
        convert = pa_csv.ConvertOptions(
            column_types=types, include_columns=wanted, null_values=empty, decimal_point=self.dialect.decimal
        )
        with Lines(self.dialect) as lines:
            try:
                with pa_csv.open_csv(lines, read, parse, convert) as reader:
                    yield from reader
            except pa.ArrowInvalid as error:
                if "Empty CSV file" not in str(error):
                    raise
            self.cut = lines.cut

    def _numbers(self, text: Any, wanted: list[str], first: int) -> Any:
        arrays = []
        for name in wanted:
            column = text.column(name)
            if not pa.types.is_string(self.types[name]):
                try:
                    column = numbers_of(column, self.dialect.decimal, self.layout.missing, self.words, self.types[name])
                except (NotANumberError, pa.ArrowInvalid) as error:
                    row = error.row if isinstance(error, NotANumberError) else 0
                    raise SourceError(self._not_a_number(name, first + row, str(column[row].as_py()))) from error
            arrays.append(column)
        return pa.record_batch(arrays, wanted)

    def _not_a_number(self, name: str, row: int, entry: str) -> str:
        where = f"{self.path}: line {self.dialect.skip + row + 1}, column {name}: {entry!r} is not a number"
        if writing_of([entry]) or is_clock([entry]):
            return f'{where} but a date; name the column of times under [times] in a layout: dataset = "{name}"'
        return f'{where}; mend the entry, or, if it says that a value is missing: missing = ["{entry}"] in a layout'

    def _said(self, error: pa.ArrowInvalid) -> SourceError:
        text = str(error).splitlines()[0].rstrip(".")
        line = re.search(r"Row #(\d+)", text)
        if line:
            text = text.replace(line[0], f"line {self.dialect.skip + int(line[1])}")
        return SourceError(f"{self.path}: is not a proper CSV file ({text}); mend or write it again")


__all__ = ["CsvSource", "listed", "states"]
