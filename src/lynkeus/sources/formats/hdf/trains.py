"""A run of the European XFEL: many files, each with some sources and some trains, read as one row per train.

The format: https://extra-data.readthedocs.io/en/latest/data_format.html; names as `get_dataframe` has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from lynkeus.core.batch import Array, Batch, Schema, TimesNs
from lynkeus.core.errors import SourceError
from lynkeus.files.damaged import one_line
from lynkeus.sources.formats.hdf import karabo
from lynkeus.sources.formats.hdf.views import View, datasets_of, is_numbers
from lynkeus.sources.formats.tables import listed

TRAIN_NS = 100_000_000  # trains come at 10 Hz
ROWS = 4096
KINDS = ("CONTROL", "INSTRUMENT")
DEVICE = 3  # parts of the name of a device of Karabo


class Piece(NamedTuple):
    """One dataset in one file: which `rows` it has for the trains `ids`."""

    file: Path
    path: str
    ids: Array
    rows: Array


class RunOfTrains:
    """One row per train of a folder of run files, or of one; `select`: patterns of sources, or of SOURCE/key.

    Datasets with one number for each train give a column, those with a few some; larger ones only where a pattern names
    the key. A train that a source does not have is NaN there, one that none has is said and not made up. Times are
    those of `INDEX/timestamp`, else 0.1 s for each train from when the first file was made. Raises SourceError for what
    is no run, and for patterns that match nothing.
    """

    def __init__(self, path: Path, select: tuple[str, ...] = ("*",), instrument: str = "") -> None:
        self.files = tuple(sorted(path.glob("*.h5"))) if path.is_dir() else (path,)
        if not self.files or not all(file.is_file() for file in self.files):
            raise SourceError(f"{path}: no HDF5 file of a run is there; check the path")
        self.path, self.select = path, select
        self.messages: list[str] = []
        self._pieces: dict[str, list[Piece]] = {}
        self._widths: dict[str, int] = {}
        self._sources: set[str] = set()
        self._left_out: dict[str, str] = {}
        self.ids = np.empty(0, np.int64)
        self.times = np.empty(0, np.int64)
        self._look()
        names = [
            column
            for name in sorted(self._pieces)
            for column in ([name] if not self._widths[name] else [f"{name}[{k}]" for k in range(self._widths[name])])
        ]
        self.schema = Schema("table", tuple(names), (), (len(names),), 10.0, instrument=instrument)

    def __len__(self) -> int:
        return len(self.ids)

    def _look(self) -> None:
        ids: list[Array] = []
        stamps: dict[int, int] = {}
        created: list[int] = []
        for path in self.files:
            with one_line(path), h5py.File(path, "r") as file:
                if not karabo.is_karabo(file):
                    raise SourceError(f"{path}: has no {karabo.TRAINS} and is no file of a run; take it out")
                trains = np.asarray(file[karabo.TRAINS][:]).astype(np.int64)
                ids.append(trains[trains > 0])
                stamps |= _stamps(file, trains)
                created.extend(_created(file))
                for name, dataset in datasets_of(file).items():
                    self._add(path, file, name, dataset)
        if not self._pieces:
            why = [f"{name} ({why})" for name, why in self._left_out.items()]
            there = listed(why or _nearest_first(self._sources, self.select), 4)
            raise SourceError(
                f"{self.path}: {', '.join(self.select)} matches no data with a number for each train; there are {there}"
            )
        self.ids = np.unique(np.concatenate(ids))
        if not len(self.ids):
            raise SourceError(f"{self.path}: the files hold no train")
        self.times = self._times(stamps, created)
        self._say()

    def _add(self, path: Path, file: h5py.File, name: str, dataset: h5py.Dataset) -> None:
        found = _source_and_key(file, name)
        if found is None or not is_numbers(dataset.dtype):
            return
        source, key = found
        self._sources.add(source)
        column = f"{source}/{key}"
        by_source = any(fnmatchcase(source, pattern) for pattern in self.select)
        by_name = any(fnmatchcase(column, pattern) for pattern in self.select if not fnmatchcase(source, pattern))
        if not by_source and not by_name:
            return
        width = dataset.shape[1] if dataset.ndim == 2 else 0
        axis = karabo.axis_of_trains(file, View(dataset), np.asarray(file[karabo.TRAINS][:]).astype(np.int64))
        why = ""
        if dataset.ndim > 2:
            why = "an array for each train"
        elif width > karabo.WIDEST and not by_name:
            why = f"{width} numbers for each train; name it by --select '{column}'"
        elif axis is None:
            why = "several entries for some trains"
        elif self._widths.get(column, width) != width:
            raise SourceError(f"{path}: {column} has {width} numbers a train, elsewhere {self._widths[column]}")
        if why or axis is None:
            self._left_out[column] = why
            return
        self._widths[column] = width
        self._pieces.setdefault(column, []).append(Piece(path, name, axis.ids, axis.row))

    def _times(self, stamps: dict[int, int], created: list[int]) -> TimesNs:
        first = int(self.ids[0])
        known = sorted(stamps)
        # From the first train of which the time is known; of old files only the date is known.
        base = stamps[known[0]] - (known[0] - first) * TRAIN_NS if known else min(created, default=0)
        times = base + (self.ids - first) * TRAIN_NS
        for row, number in enumerate(self.ids.tolist()):
            times[row] = stamps.get(number, times[row])
        if not known:
            since = "from when the first file was made" if created else "from 1970, since they have no date either"
            self.messages.append(f"the files have no times of trains; they are 0.1 s apart, {since}")
        return times.astype(np.int64)

    def _say(self) -> None:
        span = int(self.ids[-1] - self.ids[0]) + 1
        missing = span - len(self.ids)
        whole = f"{len(self.ids)} trains, {self.ids[0]} to {self.ids[-1]}, in {len(self.files)} files"
        lost = f"; {missing} trains between them are missing" if missing else ", none missing"
        self.messages.append(f"{whole}{lost}")
        lacking = {name: len(self.ids) - _trains_of(pieces) for name, pieces in self._pieces.items()}
        some = [f"{name} ({count})" for name, count in lacking.items() if count]
        if some:
            self.messages.append(f"trains that a source does not have are empty: {listed(some, 4)}")
        twice = {
            name: sum(len(one.ids) for one in pieces) - _trains_of(pieces) for name, pieces in self._pieces.items()
        }
        several = [f"{name} ({count})" for name, count in twice.items() if count]
        if several:
            self.messages.append(f"trains that are in several files are taken from the first: {listed(several, 4)}")
        if self._left_out:
            shown = [f"{name} ({why})" for name, why in self._left_out.items() if name not in self._pieces]
            self.messages.append(f"left out: {listed(shown, 4)}")

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.ids), ROWS):
            ids = self.ids[start : start + ROWS]
            columns = [self._read(name, ids) for name in sorted(self._pieces)]
            meta = {"train_id": ids, "position": np.arange(start, start + len(ids))}
            yield Batch(self.schema, np.hstack(columns), self.times[start : start + len(ids)], meta=meta)

    def _read(self, name: str, ids: Array) -> Array:
        """Return (n, columns) of one dataset for these trains."""
        found = np.full((len(ids), self._widths[name] or 1), np.nan)
        empty = np.ones(len(ids), bool)
        for piece in self._pieces[name]:
            at = np.searchsorted(piece.ids, ids)
            there = (at < len(piece.ids)) & empty
            there[there] = piece.ids[at[there]] == ids[there]
            if not there.any():
                continue
            rows = piece.rows[at[there]]
            with one_line(piece.file), h5py.File(piece.file, "r") as file:
                low, high = int(rows.min()), int(rows.max()) + 1
                part = np.asarray(file[piece.path][low:high], np.float64)
            found[there] = part.reshape(high - low, -1)[rows - low]
            empty &= ~there
        return found


def _nearest_first(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Return names in order, those first that have a word of a pattern."""
    words = [word for pattern in patterns for word in re.findall(r"\w{2,}", pattern.lower())]
    return sorted(names, key=lambda name: (not any(word in name.lower() for word in words), name))


def _source_and_key(file: h5py.File, path: str) -> tuple[str, str] | None:
    """Split a path as EXtra-data does: CONTROL/SOURCE/a/b/value is SOURCE, a.b; INSTRUMENT/SOURCE:output/data/x is
    SOURCE:output, data.x. None for what is no datum of a source."""
    kind, _, rest = path.strip("/").partition("/")
    last = rest.rpartition("/")[2]
    if kind not in KINDS or last == "trainId" or (kind == "CONTROL" and last == "timestamp"):
        return None
    if kind == "INSTRUMENT":
        source, colon, after = rest.partition(":")
        output, _, key = after.partition("/")
        return (f"{source}{colon}{output}", key.replace("/", ".")) if colon and key else None
    parts = rest.split("/")
    for length in range(len(parts) - 1, 0, -1):
        group = file.get(f"INDEX/{'/'.join(parts[:length])}")
        if isinstance(group, h5py.Group) and "first" in group:
            return "/".join(parts[:length]), ".".join(parts[length:]).removesuffix(".value")
    # Without an index of its own it has a row for each train; a device is called DOMAIN/TYPE/MEMBER.
    length = min(DEVICE, len(parts) - 1)
    return ("/".join(parts[:length]), ".".join(parts[length:]).removesuffix(".value")) if length else None


def _stamps(file: h5py.File, trains: Array) -> dict[int, int]:
    data = file.get(karabo.STAMPS)
    if not isinstance(data, h5py.Dataset) or data.shape != trains.shape:
        return {}
    pairs = zip(trains.tolist(), np.asarray(data[:]).astype(np.int64).tolist(), strict=True)
    return {train: stamp for train, stamp in pairs if train > 0 and stamp > 0}


def _created(file: h5py.File) -> list[int]:
    data = file.get("METADATA/creationDate")
    if not isinstance(data, h5py.Dataset) or not data.size:
        return []
    text = np.ravel(data[()])[0]
    try:
        at = datetime.strptime(text.decode() if isinstance(text, bytes) else str(text), "%Y%m%dT%H%M%SZ")
    except (ValueError, UnicodeDecodeError):
        return []
    return [round(at.replace(tzinfo=UTC).timestamp()) * 1_000_000_000]


def _trains_of(pieces: list[Piece]) -> int:
    return len(np.unique(np.concatenate([piece.ids for piece in pieces])))
