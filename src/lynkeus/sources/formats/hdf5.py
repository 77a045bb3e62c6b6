"""Hdf5Source: any HDF5 file of rows and channels, described by a layout or, where there is no doubt, without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.hdf.choose import choose, turned_line, view_of
from lynkeus.sources.formats.hdf.clock import Clock, clock_of, column_at, not_since_1970, texts_left_out
from lynkeus.sources.formats.hdf.views import View, datasets_of, is_numbers
from lynkeus.sources.formats.layout import Block, Layout
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
    weights_of,
)

MATCH = (
    "which row belongs to which cannot be said: keep an index or times of its own beside each dataset, name datasets "
    "of one rate in the layout, or copy the file again if one of them is cut"
)
CHUNK_CACHE_BYTES = 64 * 2**20  # a chunk that two batches share is then unpacked once


class Hdf5Source:
    """A table from an HDF5 file, read in batches of BATCH_ROWS rows.

    Without blocks in the layout the file must hold one 2-D dataset of numbers, read as (rows, channels), one compound
    table, columns of one length, channels that have an index or times of their own, or the sources of a run of the
    European XFEL. Rows that belong to different trains or times are joined by these, and that is said. Raises
    SourceError for a file that is missing, empty, truncated, not HDF5, or without a dataset of the layout.
    """

    def __init__(self, path: str | Path, layout: Layout | None = None, expected: Schema | None = None) -> None:
        self.path = existing_file(path)
        self.files = (self.path,)
        self.layout = layout or Layout()
        with opened(self.path) as file:
            chosen = choose(file, self.path, self.layout, expected.names if expected else ())
            self.blocks, self.index, self.messages = chosen.blocks, chosen.index, list(chosen.notes)
            views = self._turn([self._view(file, block) for block in self.blocks], file)
            self.rows = len(self.index) if self.index is not None else self._common_rows(views)
            self.truth = self._truth(file)
            self.weight = self.layout.weight if self.layout.weight in file else ""
            used = [view.name for view in views] + [name for name in (self.truth, self.weight) if name]
            self.clock = chosen.clock or self._clock(file, used)
            self._check_columns(file)
            pairs = list(zip(self.blocks, views, strict=True))
            names = [name for block, view in pairs for name in self._names(file, block, view)]
            units = [unit for block, view in pairs for unit in [_unit(block, view)] * view.width]
            first_ns = self.clock.at(file, 0, min(self.rows, RATE_ROWS)) if self.clock else None
            self.messages += [] if self.clock else not_since_1970(file, self.path, self.rows, used)
            self.messages += texts_left_out(file, self.path, self.rows, self.clock)
            unasked = not self.weight and self._column(file, WEIGHT, "iuf")
        self.messages += [ask_for_weights(self.path, "not read")] if unasked else []
        self.start_ns = None if first_ns is None else int(first_ns[0])
        if self.clock is not None and self.start_ns is not None:
            self.messages += self.clock.messages(self.start_ns)
        self.schema = table_schema(self.path, names, units, rate_of(first_ns), self.layout)

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[Batch]:
        with opened(self.path) as file:
            views = [self._view(file, block) for block in self.blocks]
            for start in range(0, self.rows, BATCH_ROWS):
                stop = min(start + BATCH_ROWS, self.rows)
                try:
                    parts = [self._rows(number, view, start, stop) for number, view in enumerate(views)]
                    time_ns = self.clock.at(file, start, stop) if self.clock else None
                    truth = file[self.truth][start:stop] if self.truth else None
                    weight = self._weight(file, start, stop)
                except OSError as error:
                    raise SourceError(
                        f"{self.path}: rows {start} to {stop} are damaged ({error}); copy the file again"
                    ) from error
                values = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
                yield table_batch(self.schema, values, time_ns, truth, start, weight)

    def _rows(self, number: int, view: View, start: int, stop: int) -> Array:
        if self.index is not None:
            return self.index.take(number, view, start, stop)
        return view.rows(start, stop).reshape(stop - start, -1)

    def _view(self, file: h5py.File, block: Block) -> View:
        found = view_of(file, block)
        return found or View(dataset_in(file, self.path, block.dataset, self.layout))

    def _turn(self, views: list[View], file: h5py.File) -> list[View]:
        """Turn datasets of (channels, rows), where the number of times says that they are."""
        times = self.layout.times.dataset if self.layout.times else ""
        column = column_at(file, times) if times else None
        count = len(column) if column is not None else 0
        if not count or self.index is not None:
            return views
        blocks, turned = list(self.blocks), []
        for number, (block, view) in enumerate(zip(self.blocks, views, strict=True)):
            if len(view.shape) == 2 and len(view) != count == view.shape[1] and not block.bits:
                blocks[number] = replace(block, transpose=not block.transpose)
                view = self._view(file, blocks[number])
                self.messages.append(turned_line(self.path, blocks[number], count))
            turned.append(view)
        self.blocks = tuple(blocks)
        return turned

    def _common_rows(self, views: list[View]) -> int:
        if not views:
            raise SourceError(f"{self.path}: holds no numbers that could be channels; nothing to read")
        first = views[0]
        for view in views:
            if len(view.shape) not in (1, 2) or not is_numbers(view.dtype):
                raise SourceError(
                    f"{self.path}: {view.name} is {view.dtype} {view.shape}, not rows of numbers; see the layout"
                )
            if len(view) != len(first):
                turn = len(view.shape) == 2 and len(first) == view.shape[1]
                raise SourceError(
                    f"{self.path}: {view.name} has {len(view)} rows, {first.name} has {len(first)}; "
                    + ("if it is (channels, rows), say transpose = true in its block of the layout" if turn else MATCH)
                )
        if not len(first):
            raise SourceError(f"{self.path}: {first.name} holds no rows; nothing to read")
        return len(first)

    def _clock(self, file: h5py.File, used: list[str]) -> Clock | None:
        times = self.layout.times
        if times is not None and times.dataset and column_at(file, times.dataset) is None:
            dataset_in(file, self.path, times.dataset, self.layout)
        clock = clock_of(file, self.path, times, self.rows, used)
        return clock

    def _truth(self, file: h5py.File) -> str:
        """The dataset of labels; '' where there is none, as in data that nobody has labelled."""
        found = self.layout.truth if self.layout.truth in file else self._column(file, "truth")
        return found if self.index is None or (found and len(file[found]) == self.rows) else ""

    def _weight(self, file: h5py.File, start: int, stop: int) -> Array | None:
        if not self.weight:
            return None
        return weights_of(file[self.weight][start:stop], f"{self.path}: {self.weight}", start)

    def _column(self, file: h5py.File, last_name: str, kinds: str = "iu") -> str:
        """The dataset of that last name with one number per row; empty where there is none or more than one."""
        found = [
            name for name, data in datasets_of(file).items()
            if name.split("/")[-1] == last_name and data.shape == (self.rows,) and data.dtype.kind in kinds
        ]  # fmt: skip
        return found[0] if len(found) == 1 else ""

    def _check_columns(self, file: h5py.File) -> None:
        times = self.clock.times.dataset if self.clock and self.clock.fixed is None else ""
        for name in (times, self.truth, self.weight):
            if not name:
                continue
            view = column_at(file, name) or View(dataset_in(file, self.path, name, self.layout))
            if view.shape not in ((self.rows,), (self.rows, 1)):
                first = self.blocks[0].dataset
                raise SourceError(
                    f"{self.path}: {name} has shape {view.shape} for {self.rows} rows of {first}; name the right "
                    f"dataset, or, if {first} is (channels, rows), say transpose = true in its block of the layout"
                )

    def _names(self, file: h5py.File, block: Block, view: View) -> list[str]:
        own = block.suffix or block.dataset.split("/")[-1]
        if block.bits:
            return [f"{own}/bit{number}" for number in range(block.bits)]
        if len(view.shape) == 1 or (view.width == 1 and view.turned):
            return [own]
        if not self.layout.names:
            return [f"{own}/{number}" for number in range(view.width)]
        found = _texts(dataset_in(file, self.path, self.layout.names, self.layout))
        if len(found) != view.width:
            raise SourceError(
                f"{self.path}: {self.layout.names} holds {len(found)} names for the {view.width} channels of "
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
        if path.is_file() and not path.stat().st_size:
            remedy = "the file is empty (0 bytes); copy it again from where it was written"
        elif not h5py.is_hdf5(path):
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
        holds = listed(list(datasets_of(file)))
        raise SourceError(f"{path}: no dataset {name!r}{of_layout}; the file holds {holds}; give another --layout")
    return found


def _texts(dataset: h5py.Dataset) -> list[str]:
    read: Array = dataset.asstr(errors="replace")[:] if h5py.check_string_dtype(dataset.dtype) else dataset[:]
    return [str(name) for name in read.ravel()]


def _unit(block: Block, view: View) -> str:
    attrs = view.dataset.attrs
    unit = block.unit or ("" if view.field else attrs.get("unit", ""))
    return unit.decode() if isinstance(unit, bytes) else str(unit)
