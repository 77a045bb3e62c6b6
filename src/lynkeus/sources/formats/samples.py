"""SampleFile: an HDF5 file of samples of any kind that says itself what they are, as `lynkeus generate` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path

import h5py
import numpy as np

from lynkeus.core.batch import Array, Batch
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.described import META, OWN, SCHEMA, describes, label_column, schema_from_text
from lynkeus.sources.formats.hdf5 import opened
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.tables import BATCH_ROWS, existing_file

VALUES = "values"
BATCH_NUMBERS = 8_000_000


class SampleFile:
    """The samples of a file with the datasets `lynkeus_schema` (JSON), `values` (n, ...), and where they are known
    `time_ns`, `truth`, `weight`, `mask` and `meta/<name>` (n, ...).

    `meta` has the `position` in the file where the file gives none. Raises SourceError naming the dataset that is
    missing, damaged or of another length.
    """

    def __init__(self, path: str | Path, layout: Layout | None = None) -> None:
        self.path = existing_file(path)
        self.files = (self.path,)
        with opened(self.path) as file:
            self.schema = schema_from_text(file[SCHEMA][()], self.path)
            self.columns = [name for name in OWN if name in file] + [META + name for name in file.get(META, ())]
            if not isinstance(file.get(VALUES), h5py.Dataset) or not len(file[VALUES]):
                raise SourceError(f"{self.path}: holds no {VALUES}; write the file again")
            self.rows, size = len(file[VALUES]), prod(file[VALUES].shape[1:])
            for name in self.columns:
                if len(file[name]) != self.rows:
                    raise SourceError(
                        f"{self.path}: {name} has {len(file[name])} entries for {self.rows} samples; write it again"
                    )
            self.start_ns = int(file["time_ns"][0]) if "time_ns" in file else None
        self.step = max(1, min(BATCH_ROWS, BATCH_NUMBERS // max(size, 1)))
        self.labels = label_column(layout or Layout(), self.columns)

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[Batch]:
        with opened(self.path) as file:
            for start in range(0, self.rows, self.step):
                rows = slice(start, min(start + self.step, self.rows))
                try:
                    yield self._batch(file, rows)
                except OSError as error:
                    raise SourceError(
                        f"{self.path}: samples {start} to {rows.stop} are damaged ({error}); copy the file again"
                    ) from error

    def _batch(self, file: h5py.File, rows: slice) -> Batch:
        read = {name: _column(file[name], rows) for name in self.columns}
        meta = {name.removeprefix(META): column for name, column in read.items() if name.startswith(META)}
        own = {name: read.get(name) for name in OWN} | {"truth": read[self.labels] if self.labels else None}
        position = np.arange(rows.start, rows.stop)
        return Batch(self.schema, file[VALUES][rows], meta={"position": position} | meta, **own)


def is_described(path: Path, layout: Layout) -> bool:
    """Return whether an HDF5 file holds its own schema, and the layout names no channels of it."""
    try:
        with h5py.File(path, "r") as file:
            return SCHEMA in file and not describes(layout, file)
    except OSError:
        return False  # the reader of other HDF5 files says what is wrong


def _column(data: h5py.Dataset, rows: slice) -> Array:
    return data.asstr()[rows].astype(str) if h5py.check_string_dtype(data.dtype) else data[rows]
