"""Spectra of pads written as npz, HDF5 or Parquet, with the names by which they are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core.batch import Array, concatenate
from lynkeus.core.protocols import Source
from lynkeus.sources.pads.files import EDGES
from lynkeus.transforms.pads.spectra import edges_of


def _columns(source: Source) -> tuple[dict[str, Array], Array]:
    whole = concatenate(list(source))
    counts = whole.values[:, 1:-1]
    small = counts.astype(np.int32 if (counts == np.rint(counts)).all() else np.float32)
    return {"counts": small, **whole.meta}, edges_of(source.schema)


def write_pad_npz(source: Source, path: Path) -> int:
    """Write counts, edges and the columns of pads; return the number of pads."""
    columns, edges = _columns(source)
    with path.open("wb") as file:
        np.savez_compressed(file, **{"edges": edges, **columns})  # type: ignore[arg-type]
    return len(columns["counts"])


def write_pad_hdf5(source: Source, path: Path) -> int:
    """Write the same as datasets."""
    columns, edges = _columns(source)
    with h5py.File(path, "w") as file:
        file["edges"] = edges
        for name, column in columns.items():
            text = column.dtype.kind == "U"
            data = column.astype(object) if text else column
            kind = h5py.string_dtype() if text else column.dtype
            file.create_dataset(name, data=data, dtype=kind, compression="gzip", compression_opts=1)
    return len(columns["counts"])


def write_pad_parquet(source: Source, path: Path) -> int:
    """Write a row a pad, counts as a list, the edges as metadata."""
    columns, edges = _columns(source)
    counts = columns.pop("counts")
    lists = pa.FixedSizeListArray.from_arrays(pa.array(counts.reshape(-1)), counts.shape[1])
    table = pa.table({"counts": lists, **{name: pa.array(column) for name, column in columns.items()}})
    pq.write_table(table.replace_schema_metadata({EDGES: json.dumps(edges.tolist())}), path)
    return len(counts)


PADS: dict[str, Callable[[Source, Path], int]] = {
    ".npz": write_pad_npz, ".h5": write_pad_hdf5, ".hdf5": write_pad_hdf5, ".parquet": write_pad_parquet,
}  # fmt: skip
