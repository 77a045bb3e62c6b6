"""ParquetSource: the columns of numbers of a Parquet file, read row group by row group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core.batch import Batch
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.arrow_columns import choose_columns, described_columns
from lynkeus.sources.formats.described import SCHEMA, describes, schema_from_text
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.tables import BATCH_ROWS, existing_file


class ParquetSource:
    """A table from a Parquet file: times from `time_ns` or the first timestamp column, truth from `truth`.

    A file that holds its own schema is read by that, with what else is known of each row as meta. Raises SourceError
    for a file that is missing, empty, truncated, not Parquet, or without a column of the layout.
    """

    def __init__(self, path: str | Path, layout: Layout | None = None) -> None:
        self.path = existing_file(path)
        self.files = (self.path,)
        try:
            with pq.ParquetFile(self.path) as file:
                self.rows = file.metadata.num_rows
                types = {field.name: field.type for field in file.schema_arrow}
                if len(types) != len(file.schema_arrow):
                    raise SourceError(f"{self.path}: two columns have the same name; rename one")
                layout = layout or Layout()
                own = (file.schema_arrow.metadata or {}).get(SCHEMA.encode())
                if own is None or describes(layout, types):
                    chosen = choose_columns(self.path, types, layout)
                else:
                    chosen = described_columns(self.path, types, schema_from_text(own, self.path), layout)
                time = [chosen.times.dataset] if chosen.times and chosen.times.dataset else chosen.read[:1]
                self.columns, self.start_ns = chosen.with_rate(file.iter_batches(BATCH_ROWS, columns=time))
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{self.path}: is not a complete Parquet file ({_line(error)}); copy it again") from error
        if not self.rows:
            raise SourceError(f"{self.path}: holds no rows; nothing to read")
        self.schema = self.columns.schema
        self.messages = self.columns.messages

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
                yield self.columns.batch(piece, first)
                first += piece.num_rows


def _line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
