"""BundleSource: one folder of memory-mapped values, Parquet meta and a JSON schema with provenance.

    values.npy     (n, ...) as numpy.load reads it
    meta.parquet   n rows: time_ns, position, truth, weight and whatever else traced the samples
    schema.json    the schema, where the data came from, how many rows, and which version wrote it

`lynkeus.sources.bundles.bundle_writer.write_bundle` makes one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import SchemaError, SourceError
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.numpy import mapped_rows
from lynkeus.sources.formats.tables import BATCH_ROWS, existing_file

VALUES, META, SCHEMA = "values.npy", "meta.parquet", "schema.json"
OWN_COLUMNS = ("time_ns", "truth", "weight")  # the rest of meta.parquet is Batch.meta


class BundleSource:
    """The samples of a bundle, of any kind, in batches of BATCH_ROWS. Raises SourceError for a damaged bundle.

    `provenance` is what schema.json says of the origin.
    """

    def __init__(self, folder: str | Path, layout: Layout | None = None) -> None:
        self.folder = Path(folder)
        self.files = (self.folder,)
        self.provenance = read_schema(self.folder)
        try:
            self.schema = Schema.from_dict(self.provenance["schema"])
            self.rows = int(self.provenance["rows"])
        except (KeyError, TypeError, ValueError, SchemaError) as error:
            raise damaged(self.folder, f"{SCHEMA} lacks or garbles {error}") from error
        values = self._values()
        meta_rows = self._meta_rows()
        if not len(values) == meta_rows == self.rows:
            counts = f"{self.rows} rows in {SCHEMA}, {len(values)} in {VALUES}, {meta_rows} in {META}"
            raise damaged(self.folder, counts)
        first_ns = next(iter(self)).time_ns
        self.start_ns = None if first_ns is None else int(first_ns[0])

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[Batch]:
        first = 0
        try:
            with pq.ParquetFile(self.folder / META) as meta:
                for piece in meta.iter_batches(BATCH_ROWS):
                    # Mapped anew for each batch, so that memory stays flat over files of any size.
                    yield self._batch(piece, self._values()[first : first + piece.num_rows])
                    first += piece.num_rows
        except (pa.ArrowException, OSError) as error:
            raise damaged(self.folder, f"{META} after row {first}") from error

    def _batch(self, piece: Any, values: Array) -> Batch:
        columns = {name: text_or_numbers(piece.column(name)) for name in piece.schema.names}
        own = {name: columns.pop(name, None) for name in OWN_COLUMNS}
        return Batch(self.schema, values, meta=columns, **own)

    def _values(self) -> Array:
        try:
            return mapped_rows(existing_file(self.folder / VALUES))
        except SourceError as error:
            raise damaged(self.folder, f"{VALUES} is missing or incomplete") from error

    def _meta_rows(self) -> int:
        try:
            return int(pq.read_metadata(self.folder / META).num_rows)
        except (pa.ArrowException, OSError) as error:
            raise damaged(self.folder, f"{META} is missing or incomplete") from error


def is_bundle(folder: Path) -> bool:
    """Return whether the folder is meant to be a bundle, damaged or not."""
    return (folder / SCHEMA).is_file()


def read_schema(folder: Path) -> dict[str, Any]:
    """Return the content of schema.json. Raises SourceError where it is missing, damaged, or that of an unfinished
    bundle."""
    try:
        found = json.loads((folder / SCHEMA).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SourceError(f"{folder}: is not a bundle, it has no {SCHEMA}; check the path") from error
    except (OSError, ValueError) as error:
        raise damaged(folder, f"{SCHEMA} is not JSON") from error
    if not isinstance(found, dict):
        raise damaged(folder, f"{SCHEMA} is not an object")
    if "rows" not in found and "schema" in found:
        raise SourceError(f"{folder}: the bundle is not finished; run the same `lynkeus bundle` again, it goes on")
    return found


def damaged(folder: Path, what: str) -> SourceError:
    """Return the error that says what of a bundle is damaged."""
    return SourceError(f"{folder}: the bundle is damaged: {what}; make it again with `lynkeus bundle`")


def text_or_numbers(column: Any) -> Array:
    """An Arrow column as an array of numbers or of text, not of objects."""
    found = column.to_numpy(zero_copy_only=False)
    return found.astype(str) if found.dtype == object else found
