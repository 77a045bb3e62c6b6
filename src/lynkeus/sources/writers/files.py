"""Tables, waveforms and histograms as one file: HDF5, npz or Parquet, with all that is known of each sample."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import SourceError
from lynkeus.core.protocols import Source
from lynkeus.sources.bundles.disk import write_all, write_header
from lynkeus.sources.formats.described import META, SCHEMA, columns_of, schema_as_text
from lynkeus.sources.formats.samples import VALUES
from lynkeus.sources.writers.hdf5_file import append, hdf5_file


def write_hdf5(source: Source, path: Path) -> int:
    """Write what `sources.formats.samples` reads, batch by batch; return the number of samples."""
    rows = 0
    with hdf5_file(path) as (file, disk):
        file[SCHEMA] = schema_as_text(source.schema)
        for batch in source:
            for name, column in ({VALUES: batch.values} | columns_of(batch)).items():
                append(file, name, np.asarray(column), rows)
            rows += len(batch)
            if disk.error:
                break
    return rows


def write_npz(source: Source, path: Path) -> int:
    """Write X, y (truth), names, time_ns and what else is known; return the number of samples.

    The values grow in a file beside it: an array in an npz has its length in front.
    """
    rows, held = 0, list[dict[str, Any]]()
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        values = Path(folder, "X.npy")
        with values.open("w+b", buffering=0) as file:
            for batch in source:
                if not rows:
                    dtype, shape = batch.values.dtype, batch.values.shape[1:]
                    write_header(file, dtype, (0, *shape))
                _same(path, batch, dtype, shape)
                write_all(file, batch.values)
                held.append(columns_of(batch))
                rows += len(batch)
            if rows:
                file.seek(0)
                write_header(file, dtype, (rows, *shape))
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(values, "X.npy")
            for name, array in _beside(source.schema, _joined(held, path)).items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)
    return rows


def write_parquet(source: Source, path: Path) -> int:
    """Write a table with a column for each channel, `time_ns`, `truth` and what else has one value for each row;
    return the number of rows."""
    rows, writer = 0, None
    names = source.schema.names or tuple(f"column_{k}" for k in range(source.schema.shape[0] or 0))
    text = {SCHEMA: schema_as_text(replace(source.schema, names=names))}
    try:
        for batch in source:
            table = pa.table(_named(batch, names, path)).replace_schema_metadata(text)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            rows += len(batch)
    finally:
        if writer is not None:
            writer.close()
    return rows


def _same(path: Path, batch: Batch, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    if batch.values.dtype != dtype or batch.values.shape[1:] != shape:
        raise SourceError(f"{path}: the samples change from {dtype} {shape} to {batch.values.dtype} "
                          f"{batch.values.shape[1:]}; a file holds samples of one form")  # fmt: skip


def _joined(held: list[dict[str, Any]], path: Path) -> dict[str, Array]:
    """Return the columns of all batches, the truth under the name that NumPy's users expect."""
    names = set.union(set(), *held)
    if any(set(columns) != names for columns in held):
        raise SourceError(f"{path}: not every batch knows {', '.join(sorted(names))}; a file holds samples of one form")
    joined = {name: np.concatenate([columns[name] for columns in held]) for name in sorted(names)}
    return {"y" if name == "truth" else name: column for name, column in joined.items()}


def _beside(schema: Schema, columns: dict[str, Array]) -> dict[str, Array]:
    """Return all arrays but the values: columns, names, the schema. What is known of each map is there under its own
    name as well, as programs that know nothing of `meta/` look for it."""
    names = {"names": np.array(schema.names)} if schema.names else {}
    found = columns | names | {SCHEMA: np.array(schema_as_text(schema))}
    if schema.kind == "image":
        plain = {name.removeprefix(META): array for name, array in columns.items() if name.startswith(META)}
        found = plain | found
    return found


def _named(batch: Batch, names: tuple[str, ...], path: Path) -> Mapping[str, Array]:
    """Return the columns of a table by name. Raises SourceError where two have the same."""
    more = {name.removeprefix(META): np.asarray(column) for name, column in columns_of(batch).items()}
    twice = sorted(set(names) & set(more))
    if twice:
        raise SourceError(f"{path}: a channel is called {twice[0]!r}, as is what is known of a row; write .h5 instead")
    more = {name: column for name, column in more.items() if column.ndim == 1}
    return {name: batch.values[:, k] for k, name in enumerate(names)} | more
