"""Hdf5Source: any HDF5 file of rows and channels, described by a layout or, where there is no doubt, without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from lynkeus.core.batch import Array, Batch, TimesNs
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.layout import Block, Layout, Times
from lynkeus.sources.formats.tables import (
    BATCH_ROWS,
    RATE_ROWS,
    WEIGHT,
    ask_for_weights,
    existing_file,
    listed,
    rate_of,
    table_batch,
    table_schema,
    times_at_rate,
    times_in_ns,
    weights_of,
)

CHUNK_CACHE_BYTES = 64 * 2**20  # a chunk that two batches share is then unpacked once


class Hdf5Source:
    """A table from an HDF5 file, read in batches of BATCH_ROWS rows.

    Without blocks in the layout the file must hold exactly one 2-D dataset of numbers, read as (rows, channels).
    Raises SourceError for a file that is missing, empty, truncated, not HDF5, or without a dataset of the layout.
    """

    def __init__(self, path: str | Path, layout: Layout | None = None) -> None:
        self.path = existing_file(path)
        self.files = (self.path,)
        self.layout = layout or Layout()
        with opened(self.path) as file:
            self.blocks = self.layout.blocks or (self._only_block(file),)
            datasets = [self._dataset(file, block.dataset) for block in self.blocks]
            self.rows = self._common_rows(datasets)
            self.times = self.layout.times or self._default_times(file)
            self.truth = self._truth(file)
            self.weight = self.layout.weight if self.layout.weight in file else ""
            self._check_columns(file)
            names = [
                name
                for block, data in zip(self.blocks, datasets, strict=True)
                for name in self._names(file, block, data)
            ]
            units = [
                u
                for block, data in zip(self.blocks, datasets, strict=True)
                for u in [_unit(block, data)] * _width(data)
            ]
            first_ns = self._time_ns(file, 0, min(self.rows, RATE_ROWS))
            unasked = not self.weight and self._column(file, WEIGHT, "iuf")
        self.messages = [ask_for_weights(self.path, "not read")] if unasked else []
        self.start_ns = None if first_ns is None else int(first_ns[0])
        self.schema = table_schema(self.path, names, units, rate_of(first_ns), self.layout)

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[Batch]:
        with opened(self.path) as file:
            datasets = [self._dataset(file, block.dataset) for block in self.blocks]
            for start in range(0, self.rows, BATCH_ROWS):
                stop = min(start + BATCH_ROWS, self.rows)
                try:
                    parts = [data[start:stop].reshape(stop - start, -1) for data in datasets]
                    time_ns = self._time_ns(file, start, stop)
                    truth = file[self.truth][start:stop] if self.truth else None
                    weight = self._weight(file, start, stop)
                except OSError as error:
                    raise SourceError(
                        f"{self.path}: rows {start} to {stop} are damaged ({error}); copy the file again"
                    ) from error
                values = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
                yield table_batch(self.schema, values, time_ns, truth, start, weight)

    def _dataset(self, file: h5py.File, name: str) -> h5py.Dataset:
        return dataset_in(file, self.path, name, self.layout)

    def _only_block(self, file: h5py.File) -> Block:
        tables = [name for name, data in _datasets(file) if data.ndim == 2 and data.dtype.kind in "fiu"]
        if len(tables) != 1:
            holds = listed([f"{name} {data.shape}" for name, data in _datasets(file)])
            raise SourceError(
                f"{self.path}: {len(tables)} two-dimensional datasets of numbers where one was expected; the file "
                f"holds {holds}; say with --layout which to read"
            )
        return Block(tables[0])

    def _common_rows(self, datasets: list[h5py.Dataset]) -> int:
        for data in datasets:
            if data.ndim not in (1, 2) or data.dtype.kind not in "fiu":
                raise SourceError(
                    f"{self.path}: {data.name} is {data.dtype} {data.shape}, not rows of numbers; see the layout"
                )
            if len(data) != len(datasets[0]):
                first = datasets[0]
                raise SourceError(
                    f"{self.path}: {data.name} has {len(data)} rows, {first.name} has {len(first)}; "
                    "the file is incomplete, write it again"
                )
        if not len(datasets[0]):
            raise SourceError(f"{self.path}: {datasets[0].name} holds no rows; nothing to read")
        return len(datasets[0])

    def _default_times(self, file: h5py.File) -> Times | None:
        found = self._column(file, "time_ns")
        return Times(found) if found else None

    def _truth(self, file: h5py.File) -> str:
        """The dataset of labels; '' where there is none, as in data that nobody has labelled."""
        return self.layout.truth if self.layout.truth in file else self._column(file, "truth")

    def _weight(self, file: h5py.File, start: int, stop: int) -> Array | None:
        if not self.weight:
            return None
        return weights_of(file[self.weight][start:stop], f"{self.path}: {self.weight}", start)

    def _column(self, file: h5py.File, last_name: str, kinds: str = "iu") -> str:
        """The dataset of that last name with one number per row; empty where there is none or more than one."""
        found = [
            name for name, data in _datasets(file)
            if name.split("/")[-1] == last_name and data.shape == (self.rows,) and data.dtype.kind in kinds
        ]  # fmt: skip
        return found[0] if len(found) == 1 else ""

    def _check_columns(self, file: h5py.File) -> None:
        for name in (self.times.dataset if self.times else "", self.truth, self.weight):
            if name and (shape := self._dataset(file, name).shape) != (self.rows,):
                raise SourceError(f"{self.path}: {name} has shape {shape} for {self.rows} rows; write the file again")

    def _time_ns(self, file: h5py.File, start: int, stop: int) -> TimesNs | None:
        if self.times is None:
            return None
        if not self.times.dataset:
            return times_at_rate(self.times, start, stop)
        return times_in_ns(file[self.times.dataset][start:stop], self.times.unit, f"{self.path}: {self.times.dataset}")

    def _names(self, file: h5py.File, block: Block, data: h5py.Dataset) -> list[str]:
        own = block.suffix or block.dataset.split("/")[-1]
        if data.ndim == 1:
            return [own]
        if not self.layout.names:
            return [f"{own}/{number}" for number in range(data.shape[1])]
        found = _texts(self._dataset(file, self.layout.names))
        if len(found) != data.shape[1]:
            raise SourceError(
                f"{self.path}: {self.layout.names} holds {len(found)} names for the {data.shape[1]} channels of "
                f"{block.dataset}; name the right dataset in the layout"
            )
        end = f"/{block.suffix}" if block.suffix else ""
        return [self.layout.short(name) + end for name in found]


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading. Raises SourceError where it is truncated, locked or not HDF5."""
    try:
        file = h5py.File(path, "r", rdcc_nbytes=CHUNK_CACHE_BYTES)
    except OSError as error:
        if not h5py.is_hdf5(path):
            remedy = "is not an HDF5 file; check the path, or whether the copy failed"
        elif "truncated" in str(error):
            remedy = "the HDF5 file is truncated, its end is missing; copy it again"
        else:
            remedy = f"the HDF5 file cannot be opened ({error}); is another program writing it?"
        raise SourceError(f"{path}: {remedy}") from error
    with file:
        yield file


def dataset_in(file: h5py.File, path: Path, name: str, layout: Layout) -> h5py.Dataset:
    """A dataset by name. Raises SourceError naming what the file holds where it is not there."""
    try:
        found = file.get(name)
    except (KeyError, OSError, RuntimeError) as error:
        raise SourceError(f"{path}: dataset {name!r} cannot be read ({error}); copy the file again") from error
    if not isinstance(found, h5py.Dataset):
        of_layout = f" of layout {layout.name}" if layout.name else ""
        holds = listed([name for name, _ in _datasets(file)])
        raise SourceError(f"{path}: no dataset {name!r}{of_layout}; the file holds {holds}; give another --layout")
    return found


def _datasets(file: h5py.File) -> list[tuple[str, h5py.Dataset]]:
    found: list[tuple[str, h5py.Dataset]] = []
    file.visititems(lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None)
    return found


def _texts(dataset: h5py.Dataset) -> list[str]:
    read: Array = dataset.asstr(errors="replace")[:] if h5py.check_string_dtype(dataset.dtype) else dataset[:]
    return [str(name) for name in read.ravel()]


def _unit(block: Block, data: h5py.Dataset) -> str:
    unit = block.unit or data.attrs.get("unit", "")
    return unit.decode() if isinstance(unit, bytes) else str(unit)


def _width(data: h5py.Dataset) -> int:
    return 1 if data.ndim == 1 else int(data.shape[1])
