"""write_bundle: stream a Source into a bundle, atomically, and go on where an earlier run was stopped.

In `FOLDER.partial` values.npy and a file of fixed-size records (all that a sample has besides its values) grow side
by side. A record is only written once the values of its row are on the disk, so the number of whole records is the
number of rows that are safe. At the end the records become Parquet and the folder gets its name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import lynkeus
from lynkeus.core.batch import Array, Batch
from lynkeus.core.errors import SourceError
from lynkeus.core.protocols import Source
from lynkeus.files.whole import sync
from lynkeus.sources.bundles.bundle import META, OWN_COLUMNS, VALUES, BundleSource
from lynkeus.sources.bundles.disk import begin, finish, on_disk, write_all, write_header
from lynkeus.sources.wrappers.wrapper import files_of

RECORDS = "records.raw"
COMMIT_BYTES = 32 * 2**20  # a kill loses at most this much
HASHED_BYTES = 2**30  # of larger origins only size and time of change are noted
PARQUET_ROWS = 100_000


def write_bundle(source: Source, folder: str | Path, progress: Callable[[int], None] | None = None) -> BundleSource:
    """Write all samples of `source` to `folder`; `progress` is told the rows done so far.

    Raises SourceError where the folder exists, an unfinished bundle is of another source, or the disk is full; rows
    that were written are kept, and the same call goes on after them.
    """
    folder = Path(folder)
    if source.schema.kind == "cloud" and None in source.schema.shape:
        raise SourceError(f"{folder}: samples of any number of particles fit no bundle; read them from their own files")
    partial, plan = begin(folder, _plan(source))
    growing = _BundleFiles(partial)
    try:
        for batch in source:
            with on_disk(partial):
                growing.add(batch)
            if progress:
                progress(growing.seen)
        with on_disk(partial):
            growing.finish()
    finally:
        growing.close()
    with on_disk(partial):
        messages = list(getattr(source, "messages", ()))
        written = {"lynkeus": lynkeus.__version__, "rows": growing.seen, "messages": messages}
        finish(partial, folder, plan | written)
    return BundleSource(folder)


class _BundleFiles:
    """values.npy and the records of an unfinished bundle, growing by batches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen = self.safe = 0  # rows that came by; rows that were on the disk from an earlier run
        self.values: FileIO | None = None
        self.records: FileIO | None = None
        self.pending: list[Array] = []
        self.pending_bytes = 0

    def add(self, batch: Batch) -> None:
        """Append the rows of a batch that are not there yet."""
        record = _records(batch, self.seen)
        if self.values is None or self.records is None:
            self._open(batch, record)
        self._check(batch, record)
        assert self.values is not None
        known = min(max(self.safe - self.seen, 0), len(batch))
        if known and self.seen + known == self.safe and record[known - 1].tobytes() != self.last:
            raise SourceError(f"{self.folder}: was begun from other data; remove it and run the command again")
        if known < len(batch):
            new = batch.values[known:]
            write_all(self.values, new)
            self.pending.append(record[known:])
            self.pending_bytes += new.nbytes
        self.seen += len(batch)
        if self.pending_bytes >= COMMIT_BYTES:
            self._commit()

    def finish(self) -> None:
        """Everything to the disk, the number of rows into the header, the records into Parquet."""
        if self.values is None or self.records is None or not self.seen:
            raise SourceError(f"{self.folder}: the source holds no samples; nothing was written")
        if self.seen < self.safe:
            raise SourceError(f"{self.folder}: was begun from more data; remove it and run the command again")
        self._commit()
        self.values.seek(0)
        write_header(self.values, self.dtype, (self.seen, *self.shape))
        sync(self.values)
        records = np.memmap(self.folder / RECORDS, self.record_dtype, "r")
        with (self.folder / META).open("wb") as file:
            with pq.ParquetWriter(file, _table(records[:1]).schema) as parquet:
                for start in range(0, self.seen, PARQUET_ROWS):
                    parquet.write_table(_table(records[start : start + PARQUET_ROWS]))
            sync(file)

    def close(self) -> None:
        """Let go of the files, whatever happened."""
        for file in (self.values, self.records):
            if file is not None:
                file.close()

    def _open(self, batch: Batch, record: Array) -> None:
        """Open the files, cut back to the rows that are whole and safe."""
        self.dtype, self.shape, self.record_dtype = batch.values.dtype, batch.values.shape[1:], record.dtype
        for name in (VALUES, RECORDS):
            (self.folder / name).touch()
        # Unbuffered: what write() returned from has left this process, and a full disk is reported at once.
        self.values = (self.folder / VALUES).open("r+b", buffering=0)
        self.records = (self.folder / RECORDS).open("r+b", buffering=0)
        assert self.values is not None
        assert self.records is not None
        write_header(self.values, self.dtype, (0, *self.shape))
        header = self.values.tell()
        row_bytes = self.dtype.itemsize * int(np.prod(self.shape))
        whole = (os.path.getsize(self.folder / VALUES) - header) // row_bytes
        self.safe = min(whole, os.path.getsize(self.folder / RECORDS) // record.itemsize)
        self.records.seek(max(self.safe - 1, 0) * record.itemsize)
        self.last = self.records.read(record.itemsize)
        self.values.truncate(header + self.safe * row_bytes)
        self.records.truncate(self.safe * record.itemsize)
        self.values.seek(0, os.SEEK_END)
        self.records.seek(0, os.SEEK_END)

    def _check(self, batch: Batch, record: Array) -> None:
        same = batch.values.dtype == self.dtype and batch.values.shape[1:] == self.shape
        if not same or record.dtype != self.record_dtype:
            raise SourceError(
                f"{self.folder}: at row {self.seen} the samples change from {self.dtype} {self.shape} to "
                f"{batch.values.dtype} {batch.values.shape[1:]}, or in their meta; a bundle needs samples of one form"
            )

    def _commit(self) -> None:
        assert self.values is not None
        assert self.records is not None
        sync(self.values)
        for record in self.pending:
            write_all(self.records, record)
        sync(self.records)
        self.pending.clear()
        self.pending_bytes = 0


def _records(batch: Batch, first: int) -> Array:
    """All columns of a batch besides its values as one structured array, always with a `position`."""
    if batch.mask is not None:
        raise SourceError("samples with a mask cannot be bundled; keep the original files")
    columns = {"position": np.arange(first, first + len(batch))} | dict(batch.meta)
    columns |= {name: found for name in OWN_COLUMNS if (found := getattr(batch, name)) is not None}
    kinds = [(name, columns[name].dtype, columns[name].shape[1:]) for name in sorted(columns)]
    made = np.empty(len(batch), kinds)
    for name, column in columns.items():
        made[name] = column
    return made


def _table(records: Array) -> Any:
    return pa.table({name: np.ascontiguousarray(records[name]) for name in records.dtype.names or ()})


def _plan(source: Source) -> dict[str, Any]:
    """Return what is known before the first row: the schema and the origin."""
    return {"schema": source.schema.to_dict(), "origin": [_origin(path) for path in files_of(source)]}


def _origin(path: Path) -> dict[str, Any]:
    facts = path.stat()
    known: dict[str, Any] = {"path": str(path.absolute()), "bytes": facts.st_size, "modified_ns": facts.st_mtime_ns}
    if path.is_file() and facts.st_size <= HASHED_BYTES:
        with path.open("rb") as file:
            known["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    return known
