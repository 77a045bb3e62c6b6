"""Choose which columns of a Parquet or CSV file are channels, times and truth, and turn a piece into a Batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lynkeus.core.batch import Array, Batch, Schema, TimesNs
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.described import label_column
from lynkeus.sources.formats.layout import Layout, Times
from lynkeus.sources.formats.tables import (
    RATE_ROWS,
    WEIGHT,
    ask_for_weights,
    listed,
    rate_of,
    table_batch,
    table_schema,
    times_at_rate,
    times_in_ns,
    weights_of,
)


@dataclass(frozen=True)
class FileColumns:
    """The columns of one file: those that are read as channels, the times, the truth and the weights ('' where there
    are none), and `meta`: those that say what each row is."""

    path: Path
    schema: Schema
    channels: tuple[str, ...]
    dtype: Any
    times: Times | None
    truth: str
    left_out: tuple[str, ...]
    weight: str = ""
    chosen: bool = False  # the layout names the channels
    meta: tuple[str, ...] = ()

    @property
    def read(self) -> list[str]:
        """All columns that a pass over the file needs."""
        time = self.times.dataset if self.times else ""
        return [*self.channels, *self.meta, *(name for name in (time, self.truth, self.weight) if name)]

    @property
    def messages(self) -> list[str]:
        """Which columns were left out, in one line; another one for a channel that may hold weights."""
        said = [ask_for_weights(self.path, "a channel")] if WEIGHT in self.channels and not self.chosen else []
        if self.left_out:
            count = len(self.left_out)
            said.append(f"{self.path}: {count} columns that hold no numbers were left out: {listed(self.left_out)}")
        return said

    def time_ns(self, piece: Any, first: int) -> TimesNs | None:
        """Times of a record batch whose first row is row `first` of the file."""
        if self.times is None:
            return None
        if not self.times.dataset:
            return times_at_rate(self.times, first, first + piece.num_rows)
        column = piece.column(self.times.dataset)
        where = f"{self.path}: column {self.times.dataset}"
        if column.null_count:
            row = first + int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise SourceError(f"{where} has no time in row {row}; remove that row")
        if pa.types.is_timestamp(column.type):
            return column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()).to_numpy(zero_copy_only=False)
        return times_in_ns(column.to_numpy(zero_copy_only=False), self.times.unit, where)

    def batch(self, piece: Any, first: int) -> Batch:
        """A record batch as a Batch; missing numbers are NaN."""
        arrays = [piece.column(name).to_numpy(zero_copy_only=False) for name in self.channels]
        values = np.stack(arrays, axis=1).astype(self.dtype, copy=False)
        truth, weight = self._labels(piece), self._weights(piece, first)
        batch = table_batch(self.schema, values, self.time_ns(piece, first), truth, first, weight)
        return replace(batch, meta=dict(batch.meta) | {name: _plain(piece.column(name)) for name in self.meta})

    def _weights(self, piece: Any, first: int) -> Array | None:
        if not self.weight:
            return None
        where = f"{self.path}: column {self.weight}"
        return weights_of(piece.column(self.weight).to_numpy(zero_copy_only=False), where, first)

    def _labels(self, piece: Any) -> Array | None:
        if not self.truth:
            return None
        column = piece.column(self.truth)
        if column.null_count:
            raise SourceError(f"{self.path}: column {self.truth} has empty entries; write 0 where all is normal")
        return column.to_numpy(zero_copy_only=False)

    def with_rate(self, pieces: Iterable[Any]) -> tuple[FileColumns, int | None]:
        """With the rate measured over the first pieces, and the time of the first row (None without times)."""
        if self.times is None:
            return self, None
        parts: list[TimesNs] = []
        rows = 0
        for piece in pieces:
            time_ns = self.time_ns(piece, rows)
            if time_ns is not None and len(time_ns):
                parts.append(time_ns)
            rows += piece.num_rows
            if rows >= RATE_ROWS:
                break
        if not parts:
            raise SourceError(f"{self.path}: holds no rows; nothing to read")
        joined = np.concatenate(parts)
        rate_hz = self.schema.sample_rate_hz or rate_of(joined)
        return replace(self, schema=replace(self.schema, sample_rate_hz=rate_hz)), int(joined[0])


def choose_columns(path: Path, types: dict[str, Any], layout: Layout) -> FileColumns:
    """Which columns to read, from their Arrow types; raises SourceError for a column that only the layout has."""
    wanted = [block.dataset for block in layout.blocks]
    times = layout.times or _default_times(types)
    default = "truth" if "truth" in types and pa.types.is_integer(types["truth"]) else ""
    truth = layout.truth if layout.truth in types else default
    weight = layout.weight if layout.weight in types else ""
    time = times.dataset if times else ""
    if weight and not _is_number(types[weight]):
        raise SourceError(f"{path}: column {weight!r} holds {types[weight]}, not weights; name a column of numbers")
    for name in [*wanted, *(name for name in (time, truth) if name)]:
        if name not in types:
            raise SourceError(f"{path}: no column {name!r} (layout {layout.name}); there are {listed(list(types))}")
    numbers = [name for name, kind in types.items() if _is_number(kind) and name not in (time, truth, weight)]
    for name in wanted:
        if name not in numbers:
            raise SourceError(f"{path}: column {name!r} holds {types[name]}, not numbers; leave it out of the layout")
    channels = wanted or [name for name in numbers if not name.startswith("__index_level_")]
    suffixes = [block.suffix for block in layout.blocks] or [""] * len(channels)
    names = [suffix or layout.short(name) for name, suffix in zip(channels, suffixes, strict=True)]
    units = [block.unit for block in layout.blocks] or [""] * len(channels)
    schema = table_schema(path, names, units, None, layout)
    left_out = () if wanted else tuple(name for name in types if name not in (*channels, time, truth, weight))
    # One type for the whole file: a piece with an empty entry would otherwise be wider than the others.
    dtype = np.result_type(np.float32, *(types[name].to_pandas_dtype() for name in channels))
    return FileColumns(path, schema, tuple(channels), dtype, times, truth, left_out, weight, bool(wanted))


def described_columns(path: Path, types: dict[str, Any], schema: Schema, layout: Layout) -> FileColumns:
    """Return the columns of a file that holds its own schema: its channels, and all others as what is known of each
    row. Raises SourceError for a channel that is missing."""
    lacking = [name for name in schema.names if name not in types]
    if lacking:
        raise SourceError(f"{path}: no column {lacking[0]!r}, which its own schema names; write the file again")
    truth = label_column(layout, types)
    times = Times("time_ns") if "time_ns" in types else None
    weight = layout.weight if layout.weight in types else ""
    meta = tuple(name for name in types if name not in (*schema.names, "time_ns", truth, weight))
    dtype = np.result_type(np.float32, *(types[name].to_pandas_dtype() for name in schema.names))
    return FileColumns(path, schema, schema.names, dtype, times, truth, (), weight, True, meta)


def _plain(column: Any) -> Array:
    values = column.to_numpy(zero_copy_only=False)
    return values.astype(str) if values.dtype == object else values


def _is_number(kind: Any) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _default_times(types: dict[str, Any]) -> Times | None:
    if "time_ns" in types and (_is_number(types["time_ns"]) or pa.types.is_timestamp(types["time_ns"])):
        return Times("time_ns")
    stamps = [name for name, kind in types.items() if pa.types.is_timestamp(kind)]
    return Times(stamps[0]) if stamps else None
