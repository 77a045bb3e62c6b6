"""CsvTable: the columns of a CSV file however it is written, as Arrow record batches, block by block."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.text.dialect import Dialect
from lynkeus.sources.formats.text.entries import NOT_A_NUMBER, NotANumberError, numbers_of
from lynkeus.sources.formats.text.lines import Lines
from lynkeus.sources.formats.times.text import is_clock, writing_of

BLOCK_BYTES = 8 * 2**20
LONGEST_SHOWN = 60  # letters of an entry in a message


class CsvTable:
    """The rows of a CSV file: `header`, the names of its columns, and the Arrow `types` that they are to be read as,
    which who reads sets. After a pass `words` counts the words that were missing values, and `cut` says whether the
    last line was left out.

    `missing`: further words for a missing value, None where there is no layout that could name any. Raises SourceError
    where the file is no table of text.
    """

    types: dict[str, Any]

    def __init__(self, path: Path, missing: Sequence[str] | None = None) -> None:
        self.path, self.missing = path, missing
        self.dialect = Dialect.of(path)
        self.header = self.dialect.names
        self.words: Counter[str] = Counter()
        self.cut = self.slow = False

    @property
    def how(self) -> list[str]:
        """How the file is written, where that is not as usual."""
        return [f"{self.path}: {', '.join(self.dialect.notes)}"] if self.dialect.notes else []

    @property
    def left_out(self) -> list[str]:
        """After a pass: which words were missing values, and whether the last line was cut."""
        said = []
        if self.words:
            counted = ", ".join(f"{word!r} {times} times" for word, times in self.words.most_common(5))
            said.append(f"{self.path}: words taken as missing values: {counted}")
        if self.cut:
            said.append(
                f"{self.path}: the last line is not complete and was left out: is the file still being "
                "written? (if it is whole, end it with a line break)"
            )
        return said

    def pieces(self, wanted: list[str]) -> Iterator[Any]:
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
        for text in self.text(wanted):
            piece = self._numbers(text, wanted, first)
            first += text.num_rows
            if skip >= piece.num_rows:
                skip -= piece.num_rows
                continue
            yield piece.slice(skip)
            skip = 0

    def text(self, wanted: list[str]) -> Iterator[Any]:
        """Record batches of the wanted columns as text."""
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
                    column = numbers_of(column, self.dialect.decimal, self.missing or (), self.words, self.types[name])
                except (NotANumberError, pa.ArrowInvalid) as error:
                    row = error.row if isinstance(error, NotANumberError) else 0
                    raise SourceError(self._not_a_number(name, first + row, str(column[row].as_py()))) from error
            arrays.append(column)
        return pa.record_batch(arrays, wanted)

    def _not_a_number(self, name: str, row: int, entry: str) -> str:
        short = next(iter(entry.splitlines()), "")[:LONGEST_SHOWN]
        shown = repr(short) + (" ..." if short != entry else "")
        where = f"{self.path}: line {self.dialect.skip + row + 1}, column {name}: {shown} is not a number"
        if short != entry:
            return f"{where}; mend the entry: is there a quote too many in that line?"
        if self.missing is None:
            return f"{where}; mend the entry, or leave it empty if the value is missing"
        if writing_of([entry]) or is_clock([entry]):
            return f'{where} but a date; name the column of times under [times] in a layout: dataset = "{name}"'
        return f'{where}; mend the entry, or, if it says that a value is missing: missing = ["{entry}"] in a layout'

    def _said(self, error: pa.ArrowInvalid) -> SourceError:
        text = str(error).splitlines()[0].rstrip(".")
        line = re.search(r"Row #(\d+)", text)
        if line:
            text = text.replace(line[0], f"line {self.dialect.skip + int(line[1])}")
        return SourceError(f"{self.path}: is not a proper CSV file ({text}); mend that line, or write the file again")
