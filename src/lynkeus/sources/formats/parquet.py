"""ParquetSource: the columns of numbers of a Parquet file, read row group by row group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.choose_columns import choose_columns, described_columns
from lynkeus.sources.formats.described import SCHEMA, describes, schema_from_text
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.tables import BATCH_ROWS, existing_file

HEAD_ROWS = 2000  # by which it is decided what a column holds


class ParquetSource:
    """A table from a Parquet file: times from `time_ns`, the first timestamp column, or a column that is recognised as
    times; truth from `truth`. Fields of a struct are columns, called `column.field`; true and false are 1 and 0,
    decimals are floats.

    A file that holds its own schema is read by that, with what else is known of each row as meta. Raises SourceError
    for a file that is missing, empty, truncated, not Parquet, or without a column of the layout.
    """

    def __init__(self, path: str | Path, layout: Layout | None = None, expected: Schema | None = None) -> None:
        self.path = existing_file(path)
        self.files = (self.path,)
        try:
            with pq.ParquetFile(self.path) as file:
                self.rows = rows_of(file, self.path)
                flat_schema = _flat_schema(file.schema_arrow)
                types = {field.name: field.type for field in flat_schema}
                if len(types) != len(flat_schema):
                    raise SourceError(f"{self.path}: two columns have the same name; rename one")
                layout = layout or Layout()
                own = (file.schema_arrow.metadata or {}).get(SCHEMA.encode())
                if own is None or describes(layout, types):
                    chosen = choose_columns(self.path, types, layout, _head(file), expected)
                else:
                    chosen = described_columns(self.path, types, schema_from_text(own, self.path), layout)
                time = list(chosen.times.columns if chosen.times else ()) or chosen.read[:1]
                pieces = file.iter_batches(BATCH_ROWS, columns=time)
                self.columns, self.start_ns = chosen.with_rate(map(flat, pieces))
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{self.path}: is not a complete Parquet file ({_line(error)}); copy it again") from error
        if not self.rows:
            raise SourceError(f"{self.path}: holds no rows; nothing to read")
        self.schema = self.columns.schema

    @property
    def messages(self) -> list[str]:
        """How the file was read, and what was left out."""
        return self.columns.messages

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[Batch]:
        first = 0
        with pq.ParquetFile(self.path) as file:
            pieces = file.iter_batches(BATCH_ROWS, columns=self.columns.read)
            while True:
                try:
                    piece = next(pieces, None)
                except (pa.ArrowException, OSError) as error:
                    raise SourceError(
                        f"{self.path}: damaged after row {first} ({_line(error)}); copy the file again"
                    ) from error
                if piece is None:
                    return
                yield self.columns.batch(flat(piece), first)
                first += piece.num_rows


def rows_of(file: pq.ParquetFile, path: Path) -> int:
    """Return the rows of a file. Raises SourceError where its parts do not add up to them: Arrow believes any number,
    and ends the whole process by one below 0."""
    groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    if min(groups, default=0) < 0 or sum(groups) != file.metadata.num_rows:
        raise SourceError(
            f"{path}: is damaged: says that it holds {file.metadata.num_rows} rows, and its {len(groups)} parts "
            f"{sum(groups)}; copy it again"
        )
    return int(file.metadata.num_rows)


def flat(piece: Any) -> Any:
    """Return a record batch, or table, with the fields of its structs as columns of their own, and decimals, as
    databases write them, as floats."""
    table = piece if isinstance(piece, pa.Table) else pa.Table.from_batches([piece])
    if not any(pa.types.is_struct(field.type) or pa.types.is_decimal(field.type) for field in table.schema):
        return piece
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    for number, own in enumerate(table.schema):
        if pa.types.is_decimal(own.type):
            table = table.set_column(number, own.name, table.column(number).cast(pa.float64()))
    return table.combine_chunks() if isinstance(piece, pa.Table) else _one_batch(table)


def _flat_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of what `flat` gives; without structs and decimals it is the same, and no table is made, which
    would import pandas where it is installed."""
    changes = any(pa.types.is_struct(field.type) or pa.types.is_decimal(field.type) for field in schema)
    return flat(schema.empty_table()).schema if changes else schema


def _one_batch(table: Any) -> Any:
    columns = [column.combine_chunks() for column in table.columns]
    return pa.record_batch(columns, names=table.schema.names)


def _head(file: pq.ParquetFile) -> dict[str, Any]:
    """The first entries of every column of numbers or text."""
    piece = next(file.iter_batches(HEAD_ROWS), None)
    head: dict[str, Any] = {}
    if piece is None:
        return head
    piece = flat(piece)
    for name, column in zip(piece.schema.names, piece.columns, strict=True):
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            head[name] = column.drop_null().to_numpy(zero_copy_only=False)
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            head[name] = [entry or "" for entry in column.to_pylist()]
    return head


def _line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
