"""The events of one run, from one file: Parquet, CSV, HDF5 or a ROOT tree, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.files.damaged import in_time, one_line, pieces_of
from lynkeus.sources.formats.hdf.uhi import histograms_in
from lynkeus.sources.formats.hdf.views import datasets_of
from lynkeus.sources.formats.hdf5 import opened
from lynkeus.sources.formats.hdf5_texts import try_texts
from lynkeus.sources.formats.root_branches import PARTS, branches_of, pieces_of_tree
from lynkeus.sources.formats.root_files import chosen_tree, in_words, open_root
from lynkeus.sources.formats.tables import counted, existing_file, listed
from lynkeus.sources.formats.text.entries import kind_of
from lynkeus.sources.formats.text.table import CsvTable
from lynkeus.sources.formats.times.text import text_times, writing_of

PIECE_ROWS = 250_000
CSV_HEAD = 5000  # rows by which it is decided what a column of a CSV file holds
Events = dict[str, Array]  # column -> (n,); numbers, or text


def read_events(path: Path, tree: str = "") -> Iterator[Events]:
    """Yield pieces of the table of events in a file: all columns of numbers or text; a table without rows is one empty
    piece. A list of numbers of each event becomes their number, the first and the sum.

    A ROOT file is read by uproot, of several trees that of the name `tree`, else the largest. Raises SourceError naming
    the file and what is wrong.
    """
    reader = READERS.get(ending_of(path))
    if reader is None:
        raise SourceError(f"{path}: the ending {path.suffix!r} is not known; events are read from {', '.join(READERS)}")
    existing_file(path)
    if path.suffix.lower() in (".h5", ".hdf5"):
        from lynkeus.sources.formats.hdf5_texts import try_texts

        try_texts(path)
    yield from pieces_of(path, _root(path, tree) if path.suffix.lower() == ".root" else reader(path))


def ending_of(path: Path) -> str:
    """Return the ending of a file of events, that of CSV also where it is packed: `run.csv.gz`."""
    name = path.name.lower()
    return ".csv" if name.endswith(".csv.gz") else path.suffix.lower()


def run_name(path: Path) -> str:
    """Return what the run of a file is called: its name without the ending."""
    return path.stem[: -len(".csv")] if path.name.lower().endswith(".csv.gz") else path.stem


def not_read(path: Path, tree: str = "") -> list[str]:
    """Return in a line each what `read_events` leaves out of a file: columns by name and type, other trees, other
    objects. Raises SourceError where it is damaged."""
    suffix, said = ending_of(path), list[str]()
    left_out: dict[str, str] = {}
    with one_line(path), in_time(path):
        if suffix == ".root":
            with open_root(path) as content:
                _, found, other_trees = chosen_tree(path, content, tree)
                left_out = branches_of(found).left_out
                others = dict(content.others) | dict.fromkeys(content.histograms, "histogram")
                said += [other_trees] if other_trees else []
                others |= dict.fromkeys(content.damaged, "damaged")
                said += [f"not read beside the events: {in_words(others)}"] if others else []
        elif suffix == ".parquet":
            fields = pq.read_schema(path)
            left_out = {field.name: str(field.type) for field in fields if not _is_read(field.type)}
        elif suffix == ".csv":
            said += CsvTable(path).how
        else:
            with opened(path) as file:
                plots = list(histograms_in(file))
            beside = f"not read beside the events: {counted(len(plots), 'histogram')} ({listed(plots)})"
            said += [beside] if plots else []
    if left_out:
        names = listed([f"{name} ({why})" for name, why in left_out.items()])
        said.append(f"columns that are not read, as they hold no number or text of an event: {names}")
    return said


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
    """Yield pieces of a CSV file however it is written; numbers are float64 throughout, as a column that begins with
    whole ones may go on with others."""
    table = CsvTable(path)
    head = next(table.text(table.header), None)
    if head is None or not head.num_rows:
        yield {name: np.empty(0) for name in table.header}
        return
    entries = {
        name: [entry or "" for entry in head.column(name).slice(0, CSV_HEAD).to_pylist()] for name in table.header
    }
    decimal = table.dialect.decimal
    dates = {name: how for name, some in entries.items() if (how := writing_of(some)) is not None}
    table.types = {name: _csv_type(name, kind_of(some, decimal, ())) for name, some in entries.items()}
    first = 0
    for piece in table.pieces(table.header):
        times = {name: text_times(piece.column(name), how, f"{path}: {name}", first) for name, how in dates.items()}
        first += piece.num_rows
        yield _arrays(piece) | times


def _csv_type(name: str, kind: str) -> Any:
    """Return the Arrow type of a column: a float holds no nanoseconds."""
    if kind in ("whole", "number"):
        return pa.int64() if name == "time_ns" and kind == "whole" else pa.float64()
    return pa.string()


def _hdf5(path: Path) -> Iterator[Events]:
    """Yield pieces of the one-dimensional datasets of an HDF5 file, which must all be equally long; of a compound
    dataset its fields."""
    import h5py

    try:
        try_texts(path)
        with h5py.File(path, "r") as file:
            found = {name: item for name, item in datasets_of(file).items() if item.ndim == 1}
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


def _root(path: Path, tree: str = "") -> Iterator[Events]:
    with open_root(path) as content:
        name, found, _ = chosen_tree(path, content, tree)
        branches = branches_of(found)
        if not branches.read:
            raise SourceError(
                f"{path}: the tree {name} has no column of numbers; it has "
                f"{listed([f'{own} ({why})' for own, why in branches.left_out.items()]) or 'no branch'}"
            )
        of_columns = {getattr(found[own], "num_entries", found.num_entries) for own in branches.read}
        if of_columns != {found.num_entries}:  # else uproot counts through entries that are not there, for ever
            raise SourceError(
                f"{path}: the tree {name} claims {found.num_entries} entries, its columns hold "
                f"{listed(sorted(map(str, of_columns)))}; copy the file again"
            )
        for piece in pieces_of_tree(found, branches, PIECE_ROWS):
            yield {own: _plain(np.asarray(column)) for own, column in piece.items()}


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
        elif _is_list(kind):
            found |= dict(zip([f"{name}.{part}" for part in PARTS], _of_lists(column), strict=True))
    return found


def _of_lists(column: Any) -> Iterator[Array]:
    """Yield count, first and sum (n,) of the numbers in the list of each event."""
    import pyarrow.compute as pc

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    count = np.asarray(pc.fill_null(pc.list_value_length(whole), 0), np.int64)
    values = np.asarray(pc.cast(pc.list_flatten(whole), pa.float64()).to_numpy(zero_copy_only=False), float)
    starts = np.concatenate([[0], np.cumsum(count)])[:-1]
    yield count
    yield np.where(count > 0, np.append(values, np.nan)[np.minimum(starts, len(values))], np.nan)
    yield np.bincount(np.repeat(np.arange(len(count)), count), values, minlength=len(count))


def _is_list(kind: Any) -> bool:
    nested = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(nested and _is_number(kind.value_type))


def _is_read(kind: Any) -> bool:
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)
    return bool(_is_number(kind) or pa.types.is_timestamp(kind) or text or _is_list(kind))


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _plain(rows: Array) -> Array:
    return rows.astype(str) if rows.dtype.kind in "SO" else rows


def _line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
