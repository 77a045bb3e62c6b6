"""Parquet and Arrow (Feather) files of clouds: lists are columns of their own, also those of records (awkward)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.sources.clouds.columns import LIST, NUMBER, TEXT, Column, Jagged, Table
from lynkeus.sources.clouds.files.cloud_file import Stretch
from lynkeus.sources.formats.parquet import rows_of
from lynkeus.sources.formats.tables import existing_file


class ArrowFile:
    """What the columns of Arrow have in common: `types` by name, records of lists as `column_field`."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.class_names: Mapping[str, tuple[str, ...]] = {}
        self.messages: list[str] = []
        self.held: dict[str, tuple[str, str]] = {}  # column -> the column of the file, and the field of its records
        types: dict[str, str] = {}
        for field in schema:
            records = field.type.value_type if _is_list(field.type) else None
            if records is not None and pa.types.is_struct(records):
                for part in records:
                    self._add(types, f"{field.name}_{part.name}", (field.name, part.name), pa.list_(part.type))
            else:
                self._add(types, field.name, (field.name, ""), field.type)
        self.types: Mapping[str, str] = types

    def _add(self, types: dict[str, str], name: str, held: tuple[str, str], kind: Any) -> None:
        if name in types:
            raise SourceError(f"{self.path}: two columns are called {name}; rename one")
        self.held[name], types[name] = held, _kind(kind)

    def _columns(self, names: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(self.held[name][0] for name in names))

    def _table(self, piece: Any, names: Sequence[str]) -> Table:
        return {name: column_of(piece.column(self.held[name][0]), self.held[name][1]) for name in names}


class ParquetClouds(ArrowFile):
    """A Parquet file, read row group by row group. Raises SourceError where it is damaged or cut short."""

    def __init__(self, path: Path) -> None:
        existing_file(path)
        with _complete(path, "Parquet"), pq.ParquetFile(path) as file:
            rows_of(file, path)
            super().__init__(path, file.schema_arrow)
            groups = [file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)]
        self.starts = np.concatenate([[0], np.cumsum(groups)]).astype(np.int64)
        self.rows = int(self.starts[-1])

    def stretches(self, count: int) -> list[Stretch]:
        """Return stretches of whole row groups."""
        return _whole(self.starts, count)

    def tables(self, names: Sequence[str], stretch: Stretch, rows: int) -> Iterator[Table]:
        """Yield the columns of a stretch; see CloudFile."""
        own = np.flatnonzero((self.starts[:-1] >= stretch.first) & (self.starts[:-1] < stretch.last)).tolist()
        with _complete(self.path, "Parquet"), pq.ParquetFile(self.path, pre_buffer=False) as file:
            for piece in file.iter_batches(rows, row_groups=own, columns=self._columns(names)):
                if piece.num_rows:
                    yield self._table(piece, names)


class FeatherClouds(ArrowFile):
    """An Arrow file (Feather version 2), read record batch by record batch."""

    def __init__(self, path: Path) -> None:
        existing_file(path)
        with _complete(path, "Arrow"), pa.memory_map(str(path)) as mapped:
            reader = pyarrow.ipc.open_file(mapped)
            super().__init__(path, reader.schema)
            groups = [reader.get_batch(k).num_rows for k in range(reader.num_record_batches)]
        self.starts = np.concatenate([[0], np.cumsum(groups)]).astype(np.int64)
        self.rows = int(self.starts[-1])

    def stretches(self, count: int) -> list[Stretch]:
        """Return stretches of whole record batches."""
        return _whole(self.starts, count)

    def tables(self, names: Sequence[str], stretch: Stretch, rows: int) -> Iterator[Table]:
        """Yield the columns of a stretch; see CloudFile."""
        own = np.flatnonzero((self.starts[:-1] >= stretch.first) & (self.starts[:-1] < stretch.last)).tolist()
        with _complete(self.path, "Arrow"), pa.memory_map(str(self.path)) as mapped:
            reader = pyarrow.ipc.open_file(mapped)
            for number in own:
                piece = reader.get_batch(number)
                piece.validate(full=True)  # offsets of a damaged file lead anywhere, and reading there ends the process
                for first in range(0, piece.num_rows, rows):
                    yield self._table(piece.slice(first, rows), names)


def column_of(column: Any, field: str = "") -> Column:
    """Return an Arrow column as numbers, words or lists; null is NaN, an empty word or an empty list."""
    if not _is_list(column.type):
        return _plain(column)
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    values = column.flatten()
    return Jagged.of_lengths(_plain(pc.struct_field(values, field) if field else values), lengths)


def _plain(column: Any) -> Array:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        words = column.cast(pa.string()).to_pylist()
        return np.array([word or "" for word in words], dtype=str)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    found: Array = column.to_numpy(zero_copy_only=False)
    return found


def _kind(kind: Any) -> str:
    if _is_list(kind):
        return LIST if _is_number(kind.value_type) else str(kind)
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_string(plain) or pa.types.is_large_string(plain):
        return TEXT
    return NUMBER if _is_number(kind) else str(kind)


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _whole(starts: Array, count: int) -> list[Stretch]:
    """Return stretches between some of these starts, so many at most."""
    cuts = np.unique(np.linspace(0, len(starts) - 1, max(1, min(count, len(starts) - 1)) + 1).round().astype(int))
    edges = starts[cuts].tolist()
    return [Stretch(first, last) for first, last in pairwise(edges) if last > first]


@contextmanager
def _complete(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        said = next(iter(str(error).splitlines()), "").rstrip(".") or type(error).__name__
        raise SourceError(f"{path}: is not a complete {what} file ({said}); copy it again") from error
