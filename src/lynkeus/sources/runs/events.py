"""The events of one run, from one file: Parquet, CSV, HDF5 or a ROOT tree, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.files.damaged import pieces_of
from lynkeus.sources.formats.root_files import columns_of, open_root
from lynkeus.sources.formats.tables import existing_file, listed

PIECE_ROWS = 250_000
CSV_BLOCK_BYTES = 8 << 20
Events = dict[str, Array]  # column -> (n,); numbers, or text


def read_events(path: Path) -> Iterator[Events]:
    """Yield pieces of the table of events in a file: all columns of numbers or text; a table without rows is one empty
    piece.

    A ROOT file is read by uproot, of several trees the first. Raises SourceError naming the file and what is wrong.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise SourceError(f"{path}: the ending {path.suffix!r} is not known; events are read from {', '.join(READERS)}")
    existing_file(path)
    if path.suffix.lower() in (".h5", ".hdf5"):
        from lynkeus.sources.formats.hdf5_texts import try_texts

        try_texts(path)
    yield from pieces_of(path, reader(path))


def _parquet(path: Path) -> Iterator[Events]:
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:  # else all of a long run would be in memory
            for piece in file.iter_batches(PIECE_ROWS):
                yield _arrays(piece)
            if not file.metadata.num_rows:
                yield _arrays(file.schema_arrow.empty_table())
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path}: is not a complete Parquet file ({_line(error)}); copy it again") from error


def _csv(path: Path) -> Iterator[Events]:
    """Yield pieces of a CSV file; numbers are float64 throughout, as a column that begins with whole ones may go on
    with others."""
    try:
        reading = pa_csv.ReadOptions(block_size=CSV_BLOCK_BYTES)
        with pa_csv.open_csv(path, read_options=reading) as first:
            known = {f.name: f.type for f in first.schema if not pa.types.is_boolean(f.type)}
            types = {name: pa.float64() for name, t in known.items() if _is_number(t) or pa.types.is_null(t)}
            text = {name: pa.string() for name, t in known.items() if pa.types.is_string(t)}
        converting = pa_csv.ConvertOptions(column_types=types | text)
        with pa_csv.open_csv(path, read_options=reading, convert_options=converting) as pieces:
            empty = True
            for piece in pieces:
                empty = False
                yield _arrays(piece)
            if empty:
                yield _arrays(pieces.schema.empty_table())
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path}: cannot be read as CSV ({_line(error)}); mend that line or copy it again") from error


def _hdf5(path: Path) -> Iterator[Events]:
    """Yield pieces of the one-dimensional datasets of an HDF5 file, which must all be equally long; of a compound
    dataset its fields."""
    import h5py

    found: dict[str, Any] = {}
    try:
        with h5py.File(path, "r") as file:
            file.visititems(lambda name, item: found.update({name: item}) if _is_column(item) else None)
            lengths = {len(item) for item in found.values()}
            if len(lengths) != 1:
                raise SourceError(
                    f"{path}: holds columns of {len(lengths)} lengths, so it is not one table of events; keep one "
                    "table of equally long one-dimensional datasets in a file"
                )
            for first in range(0, max(lengths.pop(), 1), PIECE_ROWS):
                piece: Events = {}
                for name, item in found.items():
                    rows = item[first : first + PIECE_ROWS]
                    parts = rows.dtype.names or (name.rpartition("/")[2],)
                    piece |= {part: _plain(rows[part] if rows.dtype.names else rows) for part in parts}
                yield piece
    except (OSError, KeyError, RuntimeError) as error:
        raise SourceError(f"{path}: is not a complete HDF5 file ({_line(error)}); copy it again") from error


def _root(path: Path) -> Iterator[Events]:
    with open_root(path) as content:
        if not content.trees:
            raise SourceError(f"{path}: holds no tree of events; write one, or give runs of histograms")
        tree = next(iter(content.trees.values())).get()
        names = columns_of(tree)
        if not names:
            raise SourceError(f"{path}: the tree {tree.name} has no column of numbers; write one number an event")
        of_columns = {getattr(tree[name], "num_entries", tree.num_entries) for name in names}
        if of_columns != {tree.num_entries}:  # else uproot counts through entries that are not there, for ever
            raise SourceError(
                f"{path}: the tree {tree.name} claims {tree.num_entries} entries, its columns hold "
                f"{listed(sorted(map(str, of_columns)))}; copy the file again"
            )
        if not tree.num_entries:
            yield {name: np.empty(0) for name in names}
        for piece in tree.iterate(names, step_size=PIECE_ROWS, library="np"):
            yield {name: _plain(np.asarray(column)) for name, column in piece.items()}


READERS: dict[str, Callable[[Path], Iterator[Events]]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".root": _root,
}


def _arrays(piece: Any) -> Events:
    found = {}
    for name, column in zip(piece.schema.names, piece.columns, strict=True):
        kind = column.type
        if pa.types.is_boolean(kind):
            column = column.cast(pa.uint8())
        if _is_number(kind):
            found[name] = np.asarray(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column)
        elif pa.types.is_timestamp(kind):
            found[name] = np.asarray(column.cast(pa.timestamp("ns", kind.tz)).cast(pa.int64()))
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
            found[name] = np.array(column.cast(pa.string()).fill_null("").to_pylist(), dtype=str)
    return found


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _is_column(item: Any) -> bool:
    return hasattr(item, "dtype") and item.ndim == 1


def _plain(rows: Array) -> Array:
    return rows.astype(str) if rows.dtype.kind in "SO" else rows


def _line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
