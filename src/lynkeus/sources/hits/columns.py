"""All columns of a file of hits, of one number or of an array for each: npz, Parquet, HDF5, CSV, ROOT."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq

from lynkeus.core.batch import Array, Schema
from lynkeus.core.errors import SourceError
from lynkeus.core.extras import needing
from lynkeus.files.damaged import one_line
from lynkeus.sources.formats.described import META, SCHEMA, schema_from_text
from lynkeus.sources.formats.hdf5_texts import try_texts
from lynkeus.sources.formats.tables import existing_file, listed

Columns = dict[str, Array]


class Read(NamedTuple):
    """The `columns` of a file, each (n, ...), and the `schema` where the file says itself what it holds."""

    columns: Columns
    schema: Schema | None = None


TRUTH = "truth"


def read_columns(path: Path) -> Read:
    """Return the columns of a file by name. Raises SourceError for one that is missing, damaged, of a
    kind that is not known, or in which there are no hits."""
    existing_file(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise SourceError(f"{path}: the ending {path.suffix!r} is not known; hits are read from {', '.join(READERS)}")
    with one_line(path):
        found = reader(path)
    if not found.columns or not len(next(iter(found.columns.values()))):
        raise SourceError(f"{path}: holds no hits; nothing to read")
    return Read({name: _number(column) for name, column in found.columns.items()}, found.schema)


def _number(column: Array) -> Array:
    """Return true and false as numbers, and numbers as such."""
    return column.astype(np.int64) if column.dtype.kind == "b" else column


def _npz(path: Path) -> Read:
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if SCHEMA in arrays:
        return _described(arrays, path, "X", "y")
    return Read(_of_one_length(arrays, path))


def _hdf5(path: Path) -> Read:
    arrays: Columns = {}

    def take(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        if item.dtype.names:
            arrays.update({own: item[own] for own in item.dtype.names})
        else:
            arrays[name] = _text(item) if h5py.check_string_dtype(item.dtype) else item[()]

    try_texts(path)
    with h5py.File(path, "r") as file:
        file.visititems(take)
    if SCHEMA in arrays:
        return _described(arrays, path, "values", TRUTH)
    last = Counter(name.rpartition("/")[2] for name in arrays)
    short = {name: name.rpartition("/")[2] for name in arrays}
    return Read(_of_one_length({short[n] if last[short[n]] == 1 else n: own for n, own in arrays.items()}, path))


def _text(item: Any) -> Any:
    read = item.asstr()[()]
    return read.astype(str) if isinstance(read, np.ndarray) else read


def _described(arrays: Columns, path: Path, values: str, truth: str) -> Read:
    """Return the columns of a file that says itself what it holds."""
    text = arrays[SCHEMA]
    schema = schema_from_text(text.item() if isinstance(text, np.ndarray) else text, path)
    found = {name: arrays[values][:, k] for k, name in enumerate(schema.names)}
    found |= {name.removeprefix(META): array for name, array in arrays.items() if name.startswith(META)}
    return Read(found | ({TRUTH: arrays[truth]} if truth in arrays else {}), schema)


def _of_one_length(arrays: Columns, path: Path) -> Columns:
    """Return the arrays with a row for each hit: as many as most have."""
    lengths = Counter(len(array) for array in arrays.values() if array.ndim)
    if not lengths:
        raise SourceError(f"{path}: holds no arrays of hits; it holds {listed(list(arrays))}")
    most = max(lengths.items(), key=lambda pair: (pair[1], pair[0]))[0]
    wrong = [n for n, a in arrays.items() if a.ndim and len(a) != most and a.dtype.kind in "biuf" and len(a) > most / 2]
    if wrong:
        shapes = ", ".join(f"{name} has {len(arrays[name])} entries" for name in wrong[:3])
        raise SourceError(f"{path}: {shapes}, the others {most}: which belongs to which cannot be said; write it again")
    return {name: array for name, array in arrays.items() if array.ndim and len(array) == most}


def _arrow(table: pa.Table, path: Path) -> Read:
    text = (table.schema.metadata or {}).get(SCHEMA.encode())
    columns = {name: _column(table.column(name), name, path) for name in table.column_names}
    return Read(columns, schema_from_text(text, path) if text else None)


def _column(column: Any, name: str, path: Path) -> Array:
    """Return a column of Arrow as an array; lists must all have one length."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        values = column.to_numpy(zero_copy_only=False)
        if values.dtype == object:
            if pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
                return np.array([np.nan if one is None else float(one) for one in values])
            return np.array(["" if one is None else str(one) for one in values])
        return values
    inner = _column(column.flatten(), name, path)
    rows = len(column)
    if column.null_count or not rows or len(inner) % rows:
        raise SourceError(
            f"{path}: the lists of column {name!r} are not all there, or differ in length; write it again"
        )
    if not pa.types.is_fixed_size_list(kind):
        lengths = np.diff(column.offsets.to_numpy())
        if (lengths != lengths[0]).any():
            low, high = lengths.min(), lengths.max()
            raise SourceError(f"{path}: the lists of column {name!r} have {low} to {high} entries; a patch has as many "
                              "cells as the next one: fill them up with 0")  # fmt: skip
    return inner.reshape(rows, len(inner) // rows, *inner.shape[1:])


def _parquet(path: Path) -> Read:
    return _arrow(pq.read_table(path), path)


def _feather(path: Path) -> Read:
    return _arrow(pa.feather.read_table(path), path)


def _csv(path: Path) -> Read:
    return _arrow(pa.csv.read_csv(path), path)


def _root(path: Path) -> Read:
    """Return the branches of the largest tree, those of a list for each event taken apart into hits."""
    with needing("reading ROOT files", "hep"):
        import awkward
        import uproot
    with uproot.open(path) as file:
        trees = [own for own in file.values() if hasattr(own, "num_entries")]
        if not trees:
            raise SourceError(f"{path}: holds no tree of hits")
        tree = max(trees, key=lambda own: own.num_entries)
        branches = {name: tree[name].array() for name in tree.keys()}  # noqa: SIM118 - of a tree, not a dictionary
    lists = [name for name, own in branches.items() if own.ndim == 2 and not _fixed(own)]
    if not lists:
        return Read({n: awkward.to_numpy(own) for n, own in branches.items() if own.ndim == 1 or _fixed(own)})
    counts = awkward.num(branches[lists[0]])
    found = {
        n: awkward.to_numpy(awkward.flatten(branches[n]))
        for n in lists
        if awkward.all(awkward.num(branches[n]) == counts)
    }
    found["event"] = np.repeat(np.arange(len(counts)), awkward.to_numpy(counts))
    return Read(found)


def _fixed(own: Any) -> bool:
    return own.ndim > 1 and "var" not in str(own.type)


READERS: dict[str, Callable[[Path], Read]] = {
    ".npz": _npz, ".parquet": _parquet, ".h5": _hdf5, ".hdf5": _hdf5, ".csv": _csv, ".feather": _feather,
    ".root": _root,
}  # fmt: skip
