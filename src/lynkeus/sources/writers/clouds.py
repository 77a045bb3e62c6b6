"""Clouds of any number of particles, such as jets, as one file: lists in Parquet and ROOT, padded in HDF5 and npz.

Columns have the names of features (`part_px`, `sv_mass`), one list a sample; what is known of a sample has a column.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import SourceError
from lynkeus.core.extras import needing
from lynkeus.core.packed import Group, Packed
from lynkeus.core.protocols import Source
from lynkeus.sources.writers.hdf5_file import append, hdf5_file
from lynkeus.transforms.event_columns import is_text

LABEL = "label"  # text; in ROOT files a column of 0 and 1 for each class
TREE = "tree"
WEIGHT, TIME = "weight", "time_ns"
BLOCK = 4096  # samples that are padded at once


def write_cloud_parquet(source: Source, path: Path) -> int:
    """Write a column of lists for each feature, and a column for what is known of a sample; return how many samples."""
    rows, writer = 0, None
    try:
        for batch in source:
            lists = {name: _arrow_list(group, k) for name, group, k in features_of(batch)}
            table = pa.table(_distinct(lists, known_of(batch), path))
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            rows += len(batch)
    finally:
        if writer is not None:
            writer.close()
    return rows


def write_cloud_root(source: Source, path: Path) -> int:
    """Write a tree with a branch of lists for each feature, and one of 0 and 1 for each class (`label_top`, as JetClass
    has them); return how many samples. Raises SettingsError where uproot is not installed."""
    with needing("writing ROOT files", "hep"):
        import awkward as ak
        import uproot
    rows = 0
    with uproot.recreate(path) as file:
        for batch in source:
            known = known_of(batch)
            flags = _flags(known.pop(LABEL, None), batch.schema.classes)
            words = {name for name, column in known.items() if is_text(column)}
            lists = {name: _ragged(ak, group, k) for name, group, k in features_of(batch)}
            others = {name: ak.Array(column.tolist()) if name in words else column for name, column in known.items()}
            columns = _distinct(lists, others | flags, path)
            if not rows:
                types = {name: "string" if name in words else _branch_type(own) for name, own in columns.items()}
                file.mktree(TREE, types)
            file[TREE].extend(columns)
            rows += len(batch)
    return rows


def write_cloud_hdf5(source: Source, path: Path) -> int:
    """Write each group padded (n, particle, feature) with a mask and the names of its features; return how many
    samples."""
    rows = 0
    with hdf5_file(path) as (file, disk):
        for batch in source:
            groups = [(name, *batch.values.padded(name)) for name in batch.values.groups]
            for k, (name, values, mask) in enumerate(groups):
                array, real, names = _padded_names(name, k)
                if names not in file:
                    file[names] = np.array(_names(batch.schema, name), h5py.string_dtype())
                values, mask = _widened(file, array, real, values, mask)
                append(file, array, values, rows, widens=True)
                append(file, real, mask, rows, widens=True)
            for name, column in known_of(batch).items():
                append(file, name, column, rows)
            rows += len(batch)
            if disk.error:
                break
    return rows


def write_cloud_npz(source: Source, path: Path) -> int:
    """Write what `write_cloud_hdf5` does as arrays of an archive; all samples are held, unpadded, before the first is
    written."""
    batches = list(source)
    if not batches:
        return 0
    packed, schema = Packed.join([batch.values for batch in batches]), batches[0].schema
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for k, name in enumerate(packed.groups):
            array, real, names = _padded_names(name, k)
            width = max(int(packed.groups[name].lengths.max(initial=0)), 1)
            _stream(archive, array, (len(packed), width, packed.groups[name].values.shape[1]), np.dtype(np.float32),
                    (block.padded(name, width)[0].astype(np.float32) for block in _blocks(packed)))  # fmt: skip
            _stream(archive, real, (len(packed), width), np.dtype(bool),
                    (block.padded(name, width)[1] for block in _blocks(packed)))  # fmt: skip
            _save(archive, names, np.array(_names(schema, name)))
        known = [known_of(batch) for batch in batches]
        for name in known[0]:
            _save(archive, name, np.concatenate([columns[name] for columns in known]))
    return len(packed)


def features_of(batch: Batch) -> Iterator[tuple[str, Group, int]]:
    """Yield the name of each feature of a batch of Packed values, its group, and its column there."""
    for group, held in batch.values.groups.items():
        for k, name in enumerate(_names(batch.schema, group)):
            yield name, held, k


def known_of(batch: Batch) -> dict[str, Array]:
    """Return what is known of each sample by name: its label in words, its weight and time, its meta."""
    known = {name: np.asarray(column) for name, column in batch.meta.items() if np.asarray(column).ndim == 1}
    if batch.truth is not None and batch.schema.classes:
        known = {LABEL: np.array([*batch.schema.classes, ""])[batch.truth]} | known  # -1 is the last one
    own = {WEIGHT: batch.weight, TIME: batch.time_ns}
    return known | {name: column for name, column in own.items() if column is not None}


def _names(schema: Schema, group: str) -> list[str]:
    return [name.partition("/")[2] for name in schema.names if name.partition("/")[0] == group]


def _padded_names(group: str, number: int) -> tuple[str, str, str]:
    """Return what the arrays of a group are called: values, mask, names; the first group's are those that readers look
    for."""
    return (group, "mask", "names") if not number else (group, f"{group}_valid", f"{group}_names")


def _arrow_list(group: Group, k: int) -> Any:
    values = pa.array(np.ascontiguousarray(group.values[:, k]))
    return pa.ListArray.from_arrays(pa.array(group.offsets.astype(np.int32)), values)


def _ragged(ak: Any, group: Group, k: int) -> Any:
    content = ak.contents.NumpyArray(np.ascontiguousarray(group.values[:, k]))
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(group.offsets), content))


def _branch_type(column: Any) -> str:
    return str(column.dtype) if isinstance(column, np.ndarray) else f"var * {column.type.content.content}"


def _flags(words: Array | None, classes: tuple[str, ...]) -> dict[str, Array]:
    """Return a column of 0 and 1 for each class; all are 0 where it is not known."""
    return {} if words is None else {f"{LABEL}_{name}": (words == name).astype(np.int32) for name in classes}


def _distinct(lists: dict[str, Any], known: dict[str, Array], path: Path) -> dict[str, Any]:
    twice = sorted(set(lists) & set(known))
    if twice:
        raise SourceError(f"{path}: a feature is called {twice[0]!r}, as is what is known of a sample; rename one")
    return lists | known


def _widened(file: Any, array: str, real: str, values: Array, mask: Array) -> tuple[Array, Array]:
    """Return padded arrays as wide as what is in the file, which is widened where they are wider."""
    if array not in file:
        return values, mask
    width, wide = file[array].shape[1], mask.shape[1]
    if wide > width:
        for name in (array, real):
            file[name].resize(wide, axis=1)
        return values, mask
    more = width - wide
    return np.pad(values, ((0, 0), (0, more), (0, 0))), np.pad(mask, ((0, 0), (0, more)))


def _blocks(packed: Packed) -> Iterator[Packed]:
    for first in range(0, len(packed), BLOCK):
        yield packed[first : first + BLOCK]


def _stream(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], blocks: Iterator[Array]
) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array_header_1_0(entry, header)
        for block in blocks:
            entry.write(np.ascontiguousarray(block, dtype).tobytes())


def _save(archive: zipfile.ZipFile, name: str, array: Array) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, array.astype(str) if array.dtype == object else array, allow_pickle=False)
