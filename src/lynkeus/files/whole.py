"""Files and folders that are complete or as they were before: written beside their name, then put in its place."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from safetensors import SafetensorError

from lynkeus.core import LynkeusError, SettingsError, SourceError

SAYS = "cannot be written"
MEND = "free some space or choose another -o"
ROWS_PER_GROUP = 50_000
CSV = ".csv"


def keep_what_is_read(output: Path, read: Sequence[Path], why: str = "it would be overwritten") -> None:
    """Raise SettingsError where a file that is to be written is one of those that are read."""
    if output.exists() and any(own.exists() and output.samefile(own) for own in read):
        raise SettingsError(f"-o: {output} is one of the files that are read, and {why}; give another name")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is complete or as it was before. Raises SourceError saying why it cannot be."""
    with disk_errors(path):
        replace_file(path, content)


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet, of a name that ends in .csv as CSV; complete or as it was before. Raises SourceError
    saying why it cannot be."""
    sink = pa.BufferOutputStream()
    if path.suffix.lower() == CSV:
        pa_csv.write_csv(_in_words(table), sink)
    else:
        pq.write_table(table, sink, use_dictionary=repeating(table.schema))
    write_whole(path, sink.getvalue().to_pybytes())


def repeating(schema: pa.Schema) -> list[str]:
    """Return the columns that a Parquet file keeps a dictionary of: those that are no numbers with a fraction, nor
    whole ones of 64 bits (rows, times), which hardly repeat themselves, and of which dictionaries take nine times as
    long to write as the numbers."""
    return [field.name for field in schema if not (pa.types.is_floating(field.type) or pa.types.is_int64(field.type))]


def replace_file(path: Path, content: bytes | pa.Buffer, sync_first: bool = False) -> None:
    """Write a file so that it is complete or as it was before; what the disk refuses is an OSError.

    `sync_first`: the content is on the disk before it gets the name, so that also a power cut leaves one of the two.
    """
    with beside(path, sync_first) as partial:
        partial.write_bytes(content)


@contextmanager
def disk_errors(
    path: Path, says: str = SAYS, mend: str = MEND, kind: type[LynkeusError] = SourceError
) -> Iterator[None]:
    """Turn what the disk refuses within into one line: "PATH: cannot be written (the disk is full); MEND"."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise kind(f"{path}: {says} ({reason(error)}); {mend}") from error


def reason(error: Exception) -> str:
    """Say in a few words why the disk refused something."""
    if not isinstance(error, OSError):
        return str(error)
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    if error.errno in (errno.EEXIST, errno.ENOTDIR) and error.filename:
        return f"{error.filename} is no folder"
    return error.strerror or str(error)


@contextmanager
def beside(path: Path, sync_first: bool = False, before: Path | None = None) -> Iterator[Path]:
    """Give NAME.partial to write to; it becomes the file at the end, or is removed where anything goes wrong.

    The folder is made where it is missing; `before` is the name that the file of before is kept under. Raises
    SourceError where a folder has the name of the file.
    """
    if path.is_dir():
        raise SourceError(f"{path} is a folder: give a file name with -o")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        if sync_first:
            with partial.open("rb") as file:
                sync(file)
        if before is not None and path.exists():
            os.replace(path, before)
        os.replace(partial, path)
        if sync_first:
            sync_folder(path.parent)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give an empty NAME.partial to fill; it takes the place of the folder at the end, or that stays as it was."""
    partial, old = folder.with_name(folder.name + ".partial"), folder.with_name(folder.name + ".old")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        try:
            partial.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def sync(file: IO[Any]) -> None:
    """Return when the disk has all of an open file."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return when the disk has the names in a folder."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class WholeParquet:
    """A Parquet table that grows by `add` inside a `with`, a group of rows at a time; complete, or as it was before.
    Where its name ends in .csv it is CSV, with lists as JSON.

    Where the disk refuses it, SourceError is raised with the words `says` and `mend`: on entering if that is seen by
    then, before anything is computed. `rows` counts what was added.
    """

    def __init__(self, path: Path, says: str = SAYS, mend: str = MEND, rows_per_group: int = ROWS_PER_GROUP) -> None:
        self.path, self.rows, self._group = path, 0, rows_per_group
        self._words = says, mend
        self._held: list[pa.Table] = []
        self._writer: pq.ParquetWriter | pa_csv.CSVWriter | None = None
        self._beside = beside(path)

    def __enter__(self) -> Self:
        with disk_errors(self.path, *self._words):
            self._partial = self._beside.__enter__()
            self._partial.touch()
        return self

    def add(self, table: pa.Table) -> None:
        """Append rows; all tables have the same columns."""
        self._held.append(table)
        self.rows += table.num_rows
        if sum(held.num_rows for held in self._held) >= self._group:
            self._flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        except BaseException as late:
            kind, error, trace = type(late), late, late.__traceback__
            raise
        finally:
            with suppress(OSError):  # a full disk refuses the end of the file once more
                self._close()
            with disk_errors(self.path, *self._words):
                self._beside.__exit__(kind, error, trace)

    def _finish(self) -> None:
        self._flush()
        if self._writer is None:
            raise SourceError(f"{self.path}: {SAYS}: there is not a single row")
        with disk_errors(self.path, *self._words):
            self._close()

    def _flush(self) -> None:
        if self._held:
            with disk_errors(self.path, *self._words):
                table = pa.concat_tables(self._held)
                is_csv = self.path.suffix.lower() == CSV
                table = _in_words(table) if is_csv else table
                if self._writer is None and is_csv:
                    self._writer = pa_csv.CSVWriter(self._partial, table.schema)
                elif self._writer is None:
                    said = repeating(table.schema)
                    self._writer = pq.ParquetWriter(self._partial, table.schema, use_dictionary=said)
                self._writer.write_table(table)
            self._held = []

    def _close(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()


def _in_words(table: pa.Table) -> pa.Table:
    """Return a table of numbers and words only, which CSV can hold."""
    for number, field in enumerate(table.schema):
        column = table.column(number)
        if pa.types.is_dictionary(field.type):
            table = table.set_column(number, field.name, column.cast(field.type.value_type))
        elif pa.types.is_nested(field.type):
            words = [None if one is None else json.dumps(one) for one in column.to_pylist()]
            table = table.set_column(number, field.name, pa.array(words, pa.string()))
    return table.replace_schema_metadata(None)
