"""CsvSource: a CSV file with a header line, read block by block."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from lynkeus.core.batch import Batch
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.arrow_columns import choose_columns
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.tables import existing_file

BLOCK_BYTES = 8 * 2**20


class CsvSource:
    """A table from a CSV file whose first line names the columns; its length is not known before it is read.

    Times: `time_ns`, or the first column of ISO dates. Every other column must hold numbers or be empty (NaN).
    Raises SourceError naming line and column of an entry that is not a number.
    """

    def __init__(self, path: str | Path, layout: Layout | None = None) -> None:
        self.path = existing_file(path)
        self.files = (self.path,)
        layout = layout or Layout()
        self.header = self._read_header()
        self.types = self._types(layout)
        chosen = choose_columns(self.path, self.types, layout)
        self.columns, self.start_ns = chosen.with_rate(self._pieces(chosen.read))
        self.schema = self.columns.schema
        self.messages = self.columns.messages

    def __iter__(self) -> Iterator[Batch]:
        first = 0
        for piece in self._pieces(self.columns.read):
            if piece.num_rows:
                yield self.columns.batch(piece, first)
            first += piece.num_rows
        if not first:
            raise SourceError(f"{self.path}: holds a header but no rows; nothing to read")

    def _read_header(self) -> list[str]:
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                header = next(csv.reader(file), [])
        except (UnicodeDecodeError, csv.Error) as error:
            raise SourceError(f"{self.path}: is not a CSV file of UTF-8 text; check the path") from error
        if not header or all(_is_number(name) for name in header):
            raise SourceError(f"{self.path}: line 1 must name the columns; add a header line")
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise SourceError(f"{self.path}: line 1 names a column twice: {', '.join(twice[:5])}; rename one")
        return header

    def _types(self, layout: Layout) -> dict[str, Any]:
        """Times and truth as guessed from the first block; all else is numbers, whatever the entries look like."""
        whole = {"time_ns", "truth", layout.truth, layout.times.dataset if layout.times else ""}
        asked = {block.dataset for block in layout.blocks} | whole
        types: dict[str, Any] = {}
        for name, kind in self._guessed_types().items():
            if pa.types.is_timestamp(kind):
                types[name] = pa.timestamp("ns", kind.tz)
            elif pa.types.is_string(kind) and layout.blocks and name not in asked:
                types[name] = kind  # text that the layout does not ask for
            else:
                types[name] = pa.int64() if name in whole and not pa.types.is_floating(kind) else pa.float64()
        return types

    def _guessed_types(self) -> dict[str, Any]:
        try:
            with pa_csv.open_csv(self.path, pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES)) as reader:
                return {field.name: field.type for field in reader.schema}
        except pa.ArrowInvalid as error:
            raise self._said(error) from error

    def _pieces(self, wanted: list[str]) -> Iterator[Any]:
        read = pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES)
        convert = pa_csv.ConvertOptions(column_types={n: self.types[n] for n in wanted}, include_columns=wanted)
        try:
            with pa_csv.open_csv(self.path, read, convert_options=convert) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            raise self._said(error) from error

    def _said(self, error: pa.ArrowInvalid) -> SourceError:
        """Arrow's message with the name of the column and the line."""
        text = str(error).splitlines()[0]
        column, line = re.search(r"column #(\d+)", text), re.search(r"Row #(\d+)", text)
        invalid = re.search(r"invalid value '(.*?)'", text)
        if invalid and column:
            where = f"line {line[1]}, " if line else ""
            name = self.header[int(column[1])]
            return SourceError(
                f"{self.path}: {where}column {name}: {invalid[1]!r} is not a number; mend the entry, or leave it empty"
            )
        return SourceError(f"{self.path}: is not a proper CSV file ({text.rstrip('.')}); mend or write it again")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
