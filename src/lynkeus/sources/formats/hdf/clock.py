"""Clock: the times of the rows of an HDF5 file, from a dataset of times, a moment to count from, or a fixed rate."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa

from lynkeus.core.batch import Array, TimesNs
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.hdf.views import View, datasets_of, of_compound
from lynkeus.sources.formats.layout import Times
from lynkeus.sources.formats.tables import listed, times_at_rate, times_in_ns
from lynkeus.sources.formats.times.epochs import CLOCKS
from lynkeus.sources.formats.times.plausible import YEAR_S, since_when, unit_by_value
from lynkeus.sources.formats.times.recognise import TIME, recognise, writing
from lynkeus.sources.formats.times.text import Writing, joined, text_times, writing_of

HEAD_ROWS = 5000
SINCE = re.compile(r"(\w+)\s+since\s+(.+)")
UNITS = {"s": "s", "sec": "s", "second": "s", "seconds": "s", "ms": "ms", "milliseconds": "ms", "us": "us", "µs": "us",
         "microseconds": "us", "ns": "ns", "nanoseconds": "ns"}  # fmt: skip


@dataclass(frozen=True)
class Clock:
    """`times` as in a layout; `base_ns`: the moment that they count from; `fixed`: all of them, where rows were joined;
    `says`: what they were taken for; `writing`: how they are written, where they are text."""

    path: Path
    times: Times
    base_ns: int = 0
    fixed: Array | None = None
    says: str = ""
    writing: Writing | None = None

    def at(self, file: h5py.File, start: int, stop: int) -> TimesNs:
        """Return the times of the rows [start, stop). Raises SourceError for what is no time."""
        if not self.times.dataset:
            return times_at_rate(self.times, start, stop)
        where = f"{self.path}: {self.times.dataset}"
        if self.fixed is not None:
            raw = self.fixed[start:stop]
        else:
            view = column_at(file, self.times.dataset)
            assert view is not None
            raw = view.rows(start, stop).reshape(-1)
        if self.writing is not None:
            clock = column_at(file, self.times.clock) if self.times.clock else None
            entries = _as_text(raw)
            if clock is not None:
                entries = joined(entries, _as_text(clock.rows(start, stop).reshape(-1)))
            return text_times(entries, self.writing, where, start)
        time_ns = self.base_ns + times_in_ns(raw, self.times.unit, where)
        if self.times.nanos:
            nanos = column_at(file, self.times.nanos)
            time_ns = time_ns + (nanos.rows(start, stop).reshape(-1).astype(np.int64) if nanos else 0)
        return time_ns

    def messages(self, start_ns: int) -> list[str]:
        """Return what the times were taken for, and what is odd about them."""
        begin = str(np.datetime64(start_ns // 10**6, "ms")).replace("T", " ")
        said = [f"{self.path}: {self.says}, from {begin} on"] if self.says else []
        return said + (since_when(self.path, start_ns) if self.times.dataset else [])


def column_at(file: h5py.File, name: str) -> View | None:
    """Return a dataset, or a field of a table, as a column: (rows,), (1, rows) or (rows, 1); None where it is none."""
    found = file.get(name)
    if isinstance(found, h5py.Dataset):
        return View(found, turned=found.ndim == 2 and found.shape[0] == 1 and found.shape[1] != 1)
    return of_compound(file, name)


def clock_of(file: h5py.File, path: Path, times: Times | None, rows: int, used: list[str]) -> Clock | None:
    """Return the times that a layout names, or those that are recognised in a file of so many rows, apart from the
    `used` channels; None where there are none."""
    if times is not None:
        how = _writing_of(file, times)
        clock = Clock(path, times, writing=how)
        return clock if not times.dataset or how is not None else _since(file, clock)
    columns = _columns(file, rows, used)
    named = [name for name in columns if name.rpartition("/")[2] == "time_ns" and columns[name].dtype.kind in "iu"]
    if len(named) == 1:
        return Clock(path, Times(named[0]))
    for name, column in columns.items():
        view = column_at(file, name)
        if TIME.fullmatch(name) and view is not None and _start(view.dataset.attrs):
            unit = UNITS.get(_text(view.dataset.attrs.get("units", "s")).split(" ")[0], "s")
            if not unit_by_value(column):
                return _since(file, Clock(path, Times(name, unit)))
    texts = {name: _head_of_text(view) for name, view in _texts(file, rows).items()}
    found = recognise(columns | texts)
    return None if found.times is None else Clock(path, found.times, says=found.says, writing=found.writing)


def texts_left_out(file: h5py.File, path: Path, rows: int, clock: Clock | None) -> list[str]:
    """Say which texts of each row are not read."""
    names = [name for name in _texts(file, rows) if clock is None or name not in clock.times.columns]
    return [f"{path}: text left out: {listed(names)}"] if names else []


def not_since_1970(file: h5py.File, path: Path, rows: int, used: list[str]) -> list[str]:
    """Return what is to be said of datasets that rise as times do, but are not since 1970."""
    found = recognise(_columns(file, rows, used)).aside
    names = [name for name, why in found.items() if why.startswith("times")]
    if not names:
        return []
    return [
        f"{path}: {listed(names)} may be times, but not since 1970: give the dataset an attribute start, the moment "
        "that it counts from, or a layout with [times] sample_rate_hz"
    ]


def head_of(view: View) -> Array:
    """Return the first entries of a column, those that are numbers."""
    raw = view.rows(0, min(len(view), HEAD_ROWS)).reshape(-1)
    return raw[np.isfinite(raw)] if raw.dtype.kind == "f" else raw


def _columns(file: h5py.File, rows: int, used: list[str]) -> dict[str, Array]:
    taken = {name.strip("/") for name in used}
    found: dict[str, Array] = {}
    for name, data in datasets_of(file).items():
        flat = data.shape in ((rows,), (1, rows), (rows, 1))
        if flat and data.dtype.names and name not in taken:
            fields = {f"{name}/{field}": View(data, field) for field in data.dtype.names}
            numbers = {n: v for n, v in fields.items() if v.dtype.kind in "iuf" and n not in taken}
            found |= {n: head_of(v) for n, v in numbers.items()}
        elif flat and data.dtype.kind in "iuf" and name not in taken and (view := column_at(file, name)):
            found[name] = head_of(view)
    return found


def _texts(file: h5py.File, rows: int) -> dict[str, View]:
    """All columns of text."""
    found: dict[str, View] = {}
    for name, data in datasets_of(file).items():
        if data.shape == (rows,):
            views = {f"{name}/{field}": View(data, field) for field in data.dtype.names or ()}
            found |= {n: v for n, v in (views or {name: View(data)}).items() if h5py.check_string_dtype(v.dtype)}
    return found


def _head_of_text(view: View) -> list[str]:
    found: list[str] = _as_text(view.rows(0, min(len(view), HEAD_ROWS)).reshape(-1)).to_pylist()
    return found


def _as_text(raw: Array) -> pa.Array:
    entries = [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in raw.tolist()]
    return pa.array(entries, pa.string())


def _writing_of(file: h5py.File, times: Times) -> Writing | None:
    """How the dates of a layout are written, where they are text."""
    heads = {}
    for name in filter(None, (times.dataset, times.clock)):
        view = column_at(file, name)
        if view is not None and h5py.check_string_dtype(view.dtype):
            heads[name] = _head_of_text(view)
    return writing(heads, times)


def _since(file: h5py.File, clock: Clock) -> Clock:
    """With the moment that small numbers count from, where an attribute says it: `start`, `offset`, units since."""
    view = column_at(file, clock.times.dataset)
    if view is None or view.dtype.kind not in "iuf":
        return clock
    head = head_of(view)
    start = _start(view.dataset.attrs)
    own = CLOCKS[clock.times.unit]
    if not start or not len(head) or own.seconds(float(head.max())) > 10 * YEAR_S:
        return clock
    how = writing_of([start])
    if how is None:
        raise SourceError(
            f"{clock.path}: {view.name} counts from {start!r}, which is no date; write it as 2023-11-14T22:13:20"
        )
    base = int(text_times(pa.array([start], pa.string()), how, f"{clock.path}: {view.name}", 0)[0])
    return replace(clock, base_ns=base, says=f"times are counted from the moment that {view.name.strip('/')} names")


def _start(attrs: Any) -> str:
    since = SINCE.fullmatch(_text(attrs.get("units", "")).strip())
    return since[2] if since else _text(attrs.get("start", attrs.get("offset", "")))


def _text(value: Any) -> str:
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    return value.decode() if isinstance(value, bytes) else str(value)
