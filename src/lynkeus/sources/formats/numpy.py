"""NumpySource: a .npy (memory-mapped, for data larger than memory) or an .npz with X, y, names and time_ns."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Array, Batch, Schema, TimesNs
from lynkeus.core.errors import SchemaError, SourceError
from lynkeus.files.damaged import in_short
from lynkeus.sources.formats.axes import axes_of, said_of, samples_of
from lynkeus.sources.formats.columns import as_table, is_column
from lynkeus.sources.formats.described import META, OWN, SCHEMA, label_column, schema_from_text
from lynkeus.sources.formats.layout import Layout, Times
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
from lynkeus.sources.formats.times.recognise import TIME, recognise

TABLE = "X"  # the array of samples, as it is usually called
BATCH_NUMBERS = 50_000_000


class NumpySource:
    """A table, waveforms or images, from NumPy's own files; pickled objects are refused.

    .npy: rows (n, columns), one signal (n,), waveforms (n, channel, time) or (n, time, channel), or images (n, row,
    column), (n, channel, row, column) or (n, row, column, channel) with 1, 3 or 4 channels; what three axes are is
    found, or said by the layout's `axes`. .npz: `X` likewise, or the array that the layout names, or the only one that
    it can be, and where they are there `y` (n,) labels, 1 = anomalous (another name: the layout's `truth`), `names`
    (columns or channels,), times (n,), and weights (n,) where the layout names them (`weight`). An .npz that holds its
    own schema is read by that, with meta. The fields of a structured array, and arrays (n,) of one length in an .npz,
    are columns. Raises SourceError for a file that is missing, damaged or of another kind.
    """

    def __init__(self, path: str | Path, layout: Layout | None = None, expected: Schema | None = None) -> None:
        self.path = existing_file(path)
        self.files = (self.path,)
        self.layout = layout or Layout()
        self.table, self.times, self.says = TABLE, Times("time_ns"), ""
        self.labels = self.layout.truth or ("" if "y" in self.layout.numbers else "y")
        self.messages: list[str] = []
        self.known = expected.names if expected else ()
        self.joined: list[str] = []  # arrays of one number a row, of which a table is made
        self.arrays = self._fields() if self.path.suffix.lower() == ".npy" else self._unpacked()
        self.described = SCHEMA in self.arrays
        if self.described:
            self._as_described()
            return
        raw = self.arrays[self.table] if self.arrays else mapped_rows(self.path)
        self.axes = axes_of(self.path, raw, self.layout.axes, expected.kind if expected else "")
        self.messages += said_of(self.path, raw, self.axes, self.layout.axes)
        values = self._values()
        if not values.size:
            raise SourceError(f"{self.path}: holds no rows; nothing to read")
        self.rows, width = values.shape[:2]
        for name, expected in (
            (self.labels, self.rows),
            (self.layout.weight, self.rows),
            (self.times.dataset, self.rows),
            ("names", width),
            *((name, self.rows) for name in self.layout.numbers),
        ):
            if name in self.arrays and self.arrays[name].shape != (expected,):
                found = self.arrays[name].shape
                raise SourceError(
                    f"{self.path}: {name} has shape {found}, expected ({expected},); write the file again"
                )
        kind = "column" if values.ndim == 2 else "channel"
        names = self.arrays.get("names", np.array([f"{kind}_{number}" for number in range(width)]))
        first_ns = self._time_ns(0, min(self.rows, RATE_ROWS))
        self.start_ns = None if first_ns is None else int(first_ns[0])
        short = [self.layout.short(str(name)) for name in names]
        self.schema = table_schema(self.path, short, [""] * width, rate_of(first_ns), self.layout)
        if values.ndim > 2:
            kind = "image" if values.ndim == 4 else "waveform"
            self.schema = replace(self.schema, kind=kind, shape=values.shape[1:], sample_rate_hz=None)
        if self.start_ns is not None and self.says:
            begin = str(np.datetime64(self.start_ns // 10**6, "ms")).replace("T", " ")
            self.messages.append(f"{self.path}: {self.says}, from {begin} on")

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[Batch]:
        labels = None if self.described else self._truth()
        step = max(1, min(BATCH_ROWS, BATCH_NUMBERS // prod(size or 1 for size in self.schema.shape)))
        for start in range(0, self.rows, step):
            stop = min(start + step, self.rows)
            if self.described:
                yield self._whole[start:stop]
                continue
            truth = None if labels is None else labels[start:stop]
            time_ns, weight = self._time_ns(start, stop), self._weight(start, stop)
            batch = table_batch(self.schema, self._values()[start:stop], time_ns, truth, start, weight)
            known = {name: self.arrays[name][start:stop] for name in self.layout.numbers if name in self.arrays}
            yield replace(batch, meta={**batch.meta, **known}) if known else batch

    def _as_described(self) -> None:
        """Take everything as the file says it is. Raises SourceError where its arrays do not fit each other."""
        arrays = self.arrays
        self.schema = schema_from_text(str(arrays[SCHEMA]), self.path)
        own = {name: arrays.get(name) for name in OWN}
        own["truth"] = arrays.get(label_column(self.layout, arrays, "y"))
        self.rows = len(arrays["X"])
        position = np.arange(self.rows)
        meta = {name.removeprefix(META): array for name, array in arrays.items() if name.startswith(META)}
        try:
            self._whole = Batch(self.schema, arrays["X"], meta={"position": position} | meta, **own)
        except SchemaError as error:
            raise SourceError(f"{self.path}: {error}; write the file again") from error
        self.start_ns = int(arrays["time_ns"][0]) if "time_ns" in arrays and self.rows else None

    def _values(self) -> Array:
        """All rows, or images (n, channel, row, column); a .npy is mapped anew for each batch, so that pages already
        read are given back."""
        values = self.arrays[self.table] if self.arrays else mapped_rows(self.path)
        return samples_of(values, self.axes)

    def _truth(self) -> Array | None:
        """Labels as whole numbers. Raises SourceError for any that is none."""
        labels = self.arrays.get(self.labels)
        if labels is None:
            return None
        if labels.dtype.kind not in "biuf":
            raise SourceError(f"{self.path}: {self.labels} holds {labels.dtype}, not labels 0 and 1; write numbers")
        whole = np.isfinite(labels) & (labels == np.floor(labels))
        if not whole.all():
            row = int(np.argmin(whole))
            raise SourceError(
                f"{self.path}: {self.labels} of row {row} is {labels[row]:g}; labels are whole numbers, 0 for good and "
                "1 for anomalous"
            )
        return labels.astype(np.int64)

    def _weight(self, start: int, stop: int) -> Array | None:
        name = self.layout.weight
        return weights_of(self.arrays[name][start:stop], f"{self.path}: {name}", start) if name in self.arrays else None

    def _fields(self) -> dict[str, Array]:
        """The fields of a structured array as columns; nothing for any other array, which is mapped as it is."""
        raw = mapped_rows(self.path)
        kinds: Mapping[str, Any] = raw.dtype.fields or {}
        if not kinds or raw.ndim != 1:
            return {}
        return self._joined({name: raw[name] for name in kinds if is_column(raw[name], len(raw))}, list(kinds))

    def _joined(self, columns: dict[str, Array], names: list[str]) -> dict[str, Array]:
        """Arrays of one number a row as one table, with labels and weights beside it."""
        if self.labels not in columns and "truth" in columns and columns["truth"].dtype.kind in "iu":
            self.labels = "truth"
        own = {name: columns.pop(name) for name in (self.labels, self.layout.weight) if name in columns}
        joined = as_table(columns, self.known, self.layout.times)
        if joined.table is None:
            return {}
        self.joined = joined.names
        self.messages += [f"{self.path}: {said}" for said in joined.notes]
        others = [name for name in names if name not in {*columns, *own}]
        self.messages += [f"{self.path}: not read, as they are no numbers of a row: {listed(others)}"] if others else []
        self.messages += [ask_for_weights(self.path, "a channel")] if WEIGHT in joined.names else []
        self.times, self.says = joined.times or self.times, joined.says
        return {TABLE: joined.table, "names": np.array(joined.names), **joined.stamps, **own}

    def _unpacked(self) -> dict[str, Array]:
        try:
            with self.path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                if SCHEMA in file.files:
                    return {name: file[name] for name in file.files}
                if WEIGHT in file.files and self.layout.weight != WEIGHT:
                    self.messages.append(ask_for_weights(self.path, "not read"))
                own = {self.labels, self.layout.weight, "names", *self.layout.numbers}
                if TABLE not in file.files and not self.layout.blocks:
                    held = {name: file[name] for name in file.files}
                    columns = {name: array for name, array in held.items() if is_column(array)}
                    several = sum(not TIME.fullmatch(name) for name in columns if name not in own) > 1
                    if (
                        several
                        and len({len(array) for array in columns.values()}) == 1
                        and not any(array.ndim > 1 for array in held.values())
                    ):
                        return self._joined(columns, file.files)
                self.table = self._named(file, own)
                beside = {n for n in file.files if n not in own and n != self.table and TIME.fullmatch(n)}
                read = {n: file[n] for n in file.files if n in {self.table, *own, *beside}}
                self._find_times({n: read.pop(n) for n in beside}, read)
                self._say_left_out(file.files, read)
                return read
        except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            reason = "pickled objects" if "pickle" in str(error) else "not a complete .npz file"
            raise SourceError(f"{self.path}: {reason}; save plain arrays with numpy.savez again") from error

    def _named(self, file: Any, own: set[str]) -> str:
        """The array of samples. Raises SourceError where it cannot be said which that is."""
        asked = [block.dataset for block in self.layout.blocks if block.dataset in file.files]
        if len(self.layout.blocks) == 1 and not asked:
            name = self.layout.blocks[0].dataset
            raise SourceError(f"{self.path}: no array {name!r}; the file holds {listed(file.files)}")
        if asked or TABLE in file.files:
            return asked[0] if asked else TABLE
        shapes = {name: file[name].shape for name in file.files if name not in own and file[name].dtype.kind in "fiub"}
        tables = [name for name, shape in shapes.items() if len(shape) > 1]
        signals = [name for name, shape in shapes.items() if len(shape) == 1 and not TIME.fullmatch(name)]
        if len(tables) == 1 or (not tables and len(signals) == 1):
            found = (tables or signals)[0]
            self.messages.append(f"{self.path}: there is no array {TABLE}, so {found} was read")
            return found
        raise SourceError(
            f"{self.path}: no array {TABLE}; the file holds {listed(file.files)}; name one by --array NAME"
        )

    def _find_times(self, beside: dict[str, Array], read: dict[str, Array]) -> None:
        """Keep the times, where an array beside the samples is recognised as such."""
        rows = len(read[self.table])
        fits = {name: array for name, array in beside.items() if array.shape == (rows,) and array.dtype.kind in "iuf"}
        found = recognise(fits)
        if "time_ns" in beside:
            found = found._replace(times=Times("time_ns"), says="")
        if found.times is not None:
            self.times, self.says = found.times, found.says
            read[self.times.dataset] = beside[self.times.dataset]

    def _say_left_out(self, names: list[str], read: dict[str, Array]) -> None:
        others = [name for name in names if name not in read and name != WEIGHT]
        if others:
            self.messages.append(f"{self.path}: read {self.table}; left out: {listed(others)}")

    def _time_ns(self, start: int, stop: int) -> TimesNs | None:
        if self.layout.times is not None and self.layout.times.sample_rate_hz is not None:
            return times_at_rate(self.layout.times, start, stop)
        name = self.times.dataset
        if name not in self.arrays:
            return None
        return times_in_ns(self.arrays[name][start:stop], self.times.unit, f"{self.path}: {name}")


def mapped_rows(path: Path) -> Array:
    """The array in a .npy file, memory-mapped. Raises SourceError where the file is damaged or holds objects."""
    with path.open("rb") as file:
        if file.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
            raise SourceError(f"{path}: is not a .npy file; check the name")
    try:
        _refuse_impossible(path)
        return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    except (ValueError, OSError, EOFError) as error:
        reason = "holds pickled objects" if "object" in str(error).lower() else "is not a complete .npy file"
        raise SourceError(f"{path}: {reason} ({in_short(error)}); save plain arrays again") from error


def _refuse_impossible(path: Path) -> None:
    """Raise ValueError for a shape or type that NumPy divides by, which ends the process."""
    with path.open("rb") as file:
        read = (
            np.lib.format.read_array_header_1_0
            if np.lib.format.read_magic(file) == (1, 0)
            else (np.lib.format.read_array_header_2_0)
        )
        shape, _, kind = read(file)
    if not kind.itemsize or any(length < 0 for length in shape):
        raise ValueError(f"its header says {kind.str} of the shape {shape}")
