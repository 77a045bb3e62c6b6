"""FileColumns: which columns of a Parquet or CSV file are channels, times and truth; from a piece to a Batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lynkeus.core.batch import Array, Batch, Schema, TimesNs
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.layout import Layout, Times
from lynkeus.sources.formats.masks import Masks
from lynkeus.sources.formats.tables import (
    RATE_ROWS,
    WEIGHT,
    ask_for_weights,
    counted,
    listed,
    rate_of,
    table_batch,
    times_at_rate,
    times_in_ns,
    weights_of,
)
from lynkeus.sources.formats.times.plausible import since_when
from lynkeus.sources.formats.times.text import Writing, joined, text_times


@dataclass(frozen=True)
class FileColumns:
    """The columns of one file: those that are read as channels, the times, the truth and the weights ('' where there
    are none), and `meta`: those that say what each row is. `left_out`: those that hold no numbers, `aside`: those that
    are no channels, with why; `says`: what the times were taken for, `writing`: how they are written as text; `head`:
    the first entries of each column; `masks`: states that say where a value is none."""

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
    writing: Writing | None = None
    aside: Mapping[str, str] = field(default_factory=dict)
    says: str = ""
    head: Mapping[str, Any] = field(default_factory=dict)
    start_ns: int | None = None
    masks: Masks = field(default_factory=Masks)

    @property
    def read(self) -> list[str]:
        """All columns that a pass over the file needs."""
        times = self.times.columns if self.times else ()
        named = (*self.channels, *self.meta, *times, self.truth, self.weight, *self.masks.of)
        return list(dict.fromkeys(name for name in named if name))

    @property
    def messages(self) -> list[str]:
        """What the times were taken for, which columns were left out and set aside, each in a line; another one for a
        channel that may hold weights."""
        said = [ask_for_weights(self.path, "a channel")] if WEIGHT in self.channels and not self.chosen else []
        if self.says and self.start_ns is not None:
            begin = str(np.datetime64(self.start_ns // 10**6, "ms")).replace("T", " ")
            said.append(f"{self.path}: {self.says}, from {begin} on")
        if self.left_out:
            count = counted(len(self.left_out), "column")
            said.append(f"{self.path}: {count} without numbers left out: {listed(self.left_out)}")
        if self.aside:
            named = listed([f"{name} ({why})" for name, why in self.aside.items()])
            said.append(f"{self.path}: set aside, as they are no channels: {named}")
        said += self.masks.messages(self.path)
        if self.times is not None and self.times.dataset:
            said += since_when(self.path, self.start_ns)
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
        if self.writing is not None:
            clocks = self.times.clock
            entries = joined(column, piece.column(clocks)) if clocks else column
            return text_times(entries, self.writing, where, first)
        time_ns = times_in_ns(column.to_numpy(zero_copy_only=False), self.times.unit, where)
        if self.times.nanos:
            nanos = piece.column(self.times.nanos).fill_null(0).to_numpy(zero_copy_only=False)
            time_ns = time_ns + nanos.astype(np.int64)
        return time_ns

    def batch(self, piece: Any, first: int) -> Batch:
        """A record batch as a Batch; missing numbers are NaN."""
        arrays = [_numbers(piece.column(name)) for name in self.channels]
        values = np.stack(arrays, axis=1).astype(self.dtype, copy=False)
        values = self.masks.apply(piece, values, self.channels, first) if self.masks.of else values
        truth, weight = self._labels(piece), self._weights(piece, first)
        words = {}
        if truth is not None and truth.dtype.kind not in "biu":
            words, truth = {self.truth: truth}, None  # labels in words: what each row is, not whether it is good
        batch = table_batch(self.schema, values, self.time_ns(piece, first), truth, first, weight)
        meta = {name: _plain(piece.column(name)) for name in self.meta}
        return replace(batch, meta=dict(batch.meta) | meta | words)

    def _weights(self, piece: Any, first: int) -> Array | None:
        if not self.weight:
            return None
        where = f"{self.path}: column {self.weight}"
        return weights_of(piece.column(self.weight).to_numpy(zero_copy_only=False), where, first)

    def _labels(self, piece: Any) -> Array | None:
        if not self.truth:
            return None
        column = piece.column(self.truth)
        if _is_text(column.type):
            return _words(column)
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
            some = self.time_ns(piece, rows)
            if some is not None and len(some):
                parts.append(some)
            rows += piece.num_rows
            if rows >= RATE_ROWS:
                break
        if not parts:
            raise SourceError(f"{self.path}: holds no rows; nothing to read")
        time_ns = np.concatenate(parts)
        rate_hz = self.schema.sample_rate_hz or rate_of(time_ns)
        schema = replace(self.schema, sample_rate_hz=rate_hz)
        return replace(self, schema=schema, start_ns=int(time_ns[0])), int(time_ns[0])

    def with_units(self, units: Mapping[str, str], layout: Layout) -> FileColumns:
        """With the units that the file itself gives its columns, where neither the layout nor a block does."""
        given = [units.get(name, "") for name in self.channels]
        if not any(given) or self.schema.units:
            return self
        own = tuple(unit or layout.unit for unit in given)
        return replace(self, schema=replace(self.schema, units=own[:1] if len(set(own)) == 1 else own))


def _is_text(kind: Any) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _words(column: Any) -> Array:
    """Text, "" where there is none; words repeat themselves, so that each is made once."""
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    words = np.array([*(one or "" for one in coded.dictionary.to_pylist()), ""], dtype=str)
    indices = coded.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)
    found: Array = words[indices]
    return found


def _plain(column: Any) -> Array:
    values = column.to_numpy(zero_copy_only=False)
    return values.astype(str) if values.dtype == object else values


def _numbers(column: Any) -> Array:
    """Numbers, and true or false as 1 and 0; missing is NaN."""
    if pa.types.is_boolean(column.type) or pa.types.is_null(column.type):
        column = column.cast(pa.float32())
    return column.to_numpy(zero_copy_only=False)
