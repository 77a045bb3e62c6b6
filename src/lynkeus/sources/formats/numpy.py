"""NumpySource: a .npy (memory-mapped, for data larger than memory) or an .npz with X, y, names and time_ns."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np

from lynkeus.core.batch import Array, Batch, TimesNs
from lynkeus.core.errors import SchemaError, SourceError
from lynkeus.sources.formats.described import META, OWN, SCHEMA, label_column, schema_from_text
from lynkeus.sources.formats.layout import Layout
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

CHANNELS = (1, 3, 4)  # of images: grey, colour, colour with transparency
BATCH_NUMBERS = 50_000_000


class NumpySource:
    """A table, or images, from NumPy's own files; pickled objects are refused.

    .npy: rows (n, columns), or images (n, row, column), (n, channel, row, column) or (n, row, column, channel) with 1,
    3 or 4 channels. .npz: `X` likewise, and where they are there `y` (n,) labels, 1 = anomalous (another name: the
    layout's `truth`), `names` (columns or channels,), `time_ns` (n,), and weights (n,) where the layout names them
    (`weight`). An .npz that holds its own schema may hold waveforms as well, and meta. Raises SourceError for a file
    that is missing, damaged or of another kind.
    """

    def __init__(self, path: str | Path, layout: Layout | None = None) -> None:
        self.path = existing_file(path)
        self.files = (self.path,)
        self.layout = layout or Layout()
        self.labels = self.layout.truth or "y"
        self.messages: list[str] = []
        self.arrays = {} if self.path.suffix == ".npy" else self._unpacked()
        self.described = SCHEMA in self.arrays
        if self.described:
            self._as_described()
            return
        values = self._values()
        if values.ndim not in (2, 4) or values.dtype.kind not in "fiu":
            raise SourceError(f"{self.path}: holds {values.dtype} {values.shape}, not rows and columns of numbers")
        if not values.size:
            raise SourceError(f"{self.path}: holds no rows; nothing to read")
        self.rows, width = values.shape[:2]
        for name, expected in (
            (self.labels, self.rows),
            (self.layout.weight, self.rows),
            ("time_ns", self.rows),
            ("names", width),
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
            self.schema = replace(self.schema, kind="image", shape=values.shape[1:])

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
            yield table_batch(self.schema, self._values()[start:stop], time_ns, truth, start, weight)

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
        values = self.arrays["X"] if self.arrays else mapped_rows(self.path)
        if values.ndim == 3:
            return values[:, None]
        channels_last = values.ndim == 4 and values.shape[1] not in CHANNELS and values.shape[3] in CHANNELS
        return np.moveaxis(values, 3, 1) if channels_last else values

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

    def _unpacked(self) -> dict[str, Array]:
        try:
            with self.path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                if "X" not in file.files:
                    raise SourceError(f"{self.path}: no array X; the file holds {listed(file.files)}; save it as X=")
                if WEIGHT in file.files and self.layout.weight != WEIGHT and SCHEMA not in file.files:
                    self.messages.append(ask_for_weights(self.path, "not read"))
                names = ("X", self.labels, self.layout.weight, "names", "time_ns")
                return {name: file[name] for name in file.files if name in names or SCHEMA in file.files}
        except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            reason = "pickled objects" if "pickle" in str(error) else "not a complete .npz file"
            raise SourceError(f"{self.path}: {reason}; save plain arrays with numpy.savez again") from error

    def _time_ns(self, start: int, stop: int) -> TimesNs | None:
        if self.layout.times is not None and self.layout.times.sample_rate_hz is not None:
            return times_at_rate(self.layout.times, start, stop)
        if "time_ns" not in self.arrays:
            return None
        return times_in_ns(self.arrays["time_ns"][start:stop], "ns", f"{self.path}: time_ns")


def mapped_rows(path: Path) -> Array:
    """The array in a .npy file, memory-mapped. Raises SourceError where the file is damaged or holds objects."""
    with path.open("rb") as file:
        if file.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
            raise SourceError(f"{path}: is not a .npy file; check the name")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    except (ValueError, OSError, EOFError) as error:
        reason = "holds pickled objects" if "object" in str(error).lower() else "is not a complete .npy file"
        raise SourceError(f"{path}: {reason} ({str(error).splitlines()[0]}); save plain arrays again") from error
