"""An HDF5 file that grows by rows, on a disk that may become full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.transforms.event_columns import is_text

CHUNK_BYTES = 2**19
CHUNK_ROWS = 4096


class PatientFile(FileIO):
    """A file that takes everything and keeps the first `error`: HDF5 crashes the program where a disk is full."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Take all bytes, whether or not the disk does."""
        left = memoryview(data).cast("B")
        taken = len(left)
        try:
            while left:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = self.error or error
        return taken

    def truncate(self, size: int | None = None) -> int:
        """Set the length, whether or not the disk can."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0


@contextmanager
def hdf5_file(path: Path) -> Iterator[tuple[h5py.File, PatientFile]]:
    """Open a new HDF5 file, and the disk below it, whose error is raised at the end: stop writing where it has one."""
    with PatientFile(path, "w+") as disk:
        with h5py.File(disk, "w") as file:
            yield file, disk
        if disk.error:
            raise disk.error


def append(file: h5py.File, name: str, rows: Array, before: int, widens: bool = False) -> None:
    """Append rows to a dataset that has `before` of them, and is made where there are none; `widens`: its other axes
    may grow. Raises SourceError where rows have another form."""
    if is_text(rows):
        rows = rows.astype(object)
    if name not in file and not before:
        kind = h5py.string_dtype() if rows.dtype == object else rows.dtype
        row_bytes = max(1, rows.dtype.itemsize * int(np.prod(rows.shape[1:])))
        chunks = (min(CHUNK_ROWS, max(1, CHUNK_BYTES // row_bytes)), *(max(1, size) for size in rows.shape[1:]))
        most = (None, *([None] * (rows.ndim - 1) if widens else rows.shape[1:]))
        file.create_dataset(name, (0, *rows.shape[1:]), kind, chunks=chunks, maxshape=most)
    data = file.get(name)
    if data is None or len(data) != before or data.shape[1:] != rows.shape[1:]:
        raise SourceError(f"{name} changes its form at sample {before}: a file holds samples of one form")
    data.resize(before + len(rows), axis=0)
    data[before:] = rows
