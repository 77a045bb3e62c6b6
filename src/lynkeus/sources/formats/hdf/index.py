"""Index: datasets whose rows belong to trains, or to times, of their own are joined by these, never row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import h5py
import numpy as np

from lynkeus.core.batch import Array
from lynkeus.sources.formats.hdf.views import View, datasets_of
from lynkeus.sources.formats.times.plausible import unit_by_value

IDS = ("index", "trainid", "train_id", "train", "pid", "pulse_id", "bunch_id", "macropulse", "id")
TIMES = ("time_ns", "time", "timestamp", "timestamps", "times", "t")
ALIKE = 0.5  # share of times that two datasets have in common; with less they are of different rates
SLOWER = 0.8  # of the rows of the fastest dataset: one with fewer is of another rate
OLDEST = 1.5  # steps of a slow dataset after which its last value is none any more


@dataclass(frozen=True)
class Axis:
    """What the rows of a dataset belong to: the dataset `name` beside it that says so, its sorted `ids`, and the row of
    each; `timed`: they are times."""

    name: str
    ids: Array
    row: Array
    timed: bool = False


@dataclass(frozen=True)
class Index:
    """The joined rows: `ids`, and for each dataset the row that it has for each of them, -1 where it has none. `says`:
    how they were joined."""

    ids: Array
    rows: tuple[Array, ...]
    says: str

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, number: int, view: View, start: int, stop: int) -> Array:
        """Return the joined rows [start, stop) of one dataset, (n, columns), NaN where it has none."""
        chosen = self.rows[number][start:stop]
        found = np.full((stop - start, view.width), np.nan, np.result_type(view.dtype, np.float32))
        there = chosen >= 0
        if there.any():
            low, high = int(chosen[there].min()), int(chosen[there].max()) + 1
            found[there] = view.rows(low, high).reshape(high - low, -1)[chosen[there] - low]
        return found


def axis_of(file: h5py.File, view: View) -> Axis | None:
    """Return what the rows of a dataset belong to, by a dataset beside it of the same length; None where none says."""
    above, _, own = view.dataset.name.strip("/").rpartition("/")
    group = file[above] if above else file
    beside = {name.lower(): name for name in group if isinstance(group[name], h5py.Dataset)}
    for names, timed in ((IDS, False), (TIMES, True)):
        for name in (*names, *(f"{own.lower()}_{name}" for name in names)):
            found = group[beside[name]] if name in beside else None
            if found is None or found.shape != (len(view),) or found.name == view.dataset.name:
                continue
            if found.dtype.kind in ("iu" if not timed else "iuf"):
                raw = found[:]
                return Axis(str(found.name), raw, np.arange(len(raw)), timed)
    return None


def joined(axes: Sequence[Axis]) -> Index | None:
    """Return the rows of datasets joined by what they belong to; None where all have the same, row by row."""
    if len({axis.name for axis in axes}) < 2 or all(np.array_equal(axis.ids, axes[0].ids) for axis in axes):
        return None
    axes = [_sorted(axis) for axis in axes]
    if not axes[0].timed or _alike(axes):
        ids = np.unique(np.concatenate([axis.ids for axis in axes]))
        rows = tuple(exact(axis, ids) for axis in axes)
        what = "times" if axes[0].timed else axes[0].name.rpartition("/")[2]
        missed = len(ids) * len(axes) - sum(int((row >= 0).sum()) for row in rows)
        return Index(ids, rows, f"{len(axes)} datasets were joined by their {what}, {missed} entries are missing")
    base = max(axes, key=lambda axis: len(axis.ids))
    slow = [len(axis.ids) < SLOWER * len(base.ids) for axis in axes]
    rows = tuple((_held if late else _nearest)(axis, base.ids) for axis, late in zip(axes, slow, strict=True))
    says = f"{len(axes)} datasets with times of their own were joined by the nearest time"
    if any(slow):
        says += f", {sum(slow)} of them slower: each row has their last value"
    return Index(base.ids, rows, says)


def times_of(file: h5py.File, index: Index, axes: Sequence[Axis], name: str) -> tuple[Array, str] | None:
    """Return a time for each joined row, from datasets called as `name` beside those that are joined, and their unit
    by value; None where not every row has one."""
    if axes[0].timed:
        return index.ids, unit_by_value(index.ids)
    last = name.strip("/").rpartition("/")[2]
    times: Array | None = None
    for axis in axes:
        above = axis.name.rpartition("/")[0]
        found = file.get(f"{above}/{last}")
        if not isinstance(found, h5py.Dataset) or found.shape != (len(axis.row),):
            continue
        raw = found[:]
        known = np.full(len(index), -1, np.int64)
        place = np.searchsorted(index.ids, axis.ids)
        fits = (place < len(index)) & (index.ids[np.minimum(place, len(index) - 1)] == axis.ids)
        known[place[fits]] = np.arange(len(raw))[fits]
        if times is None:
            times, missing = np.zeros(len(index), raw.dtype), np.ones(len(index), bool)
        fill = missing & (known >= 0)
        times[fill] = raw[known[fill]]
        missing &= ~fill
    return None if times is None or missing.any() else (times, unit_by_value(times))


def time_beside(file: h5py.File, axes: Sequence[Axis]) -> str:
    """Return the name of datasets of times beside those that are joined, '' where there are none."""
    for axis in axes:
        above = axis.name.rpartition("/")[0]
        group: Mapping[str, object] = file[above] if above else file
        for name in group:
            found = group[name]
            if name.lower() in TIMES and isinstance(found, h5py.Dataset) and found.shape == axis.row.shape:
                return name
    return ""


def groups_with_axes(file: h5py.File) -> list[str]:
    """Return datasets of numbers that have an index or times of their own in their groups, of two groups at least."""
    found = {}
    for name, data in datasets_of(file).items():
        last = name.rpartition("/")[2].lower()
        own = last not in (*IDS, *TIMES) and not last.endswith(tuple(f"_{time}" for time in (*IDS, *TIMES)))
        if own and data.ndim in (1, 2) and data.dtype.kind in "fiub" and (axis := axis_of(file, View(data))):
            found[name] = axis.name
    return list(found) if len(set(found.values())) > 1 else []


def _sorted(axis: Axis) -> Axis:
    order = np.argsort(axis.ids, kind="stable")
    ids, first = np.unique(axis.ids[order], return_index=True)
    return Axis(axis.name, ids, axis.row[order][first], axis.timed)


def _alike(axes: Sequence[Axis]) -> bool:
    base = max(axes, key=lambda axis: len(axis.ids)).ids
    return all(np.isin(axis.ids, base).mean() > ALIKE and len(axis.ids) > ALIKE * len(base) for axis in axes)


def exact(axis: Axis, ids: Array) -> Array:
    """Return the row of a dataset for each of these ids, -1 where it has none."""
    rows = np.full(len(ids), -1, np.int64)
    place = np.searchsorted(ids, axis.ids)
    place = np.minimum(place, len(ids) - 1)
    fits = ids[place] == axis.ids
    rows[place[fits]] = axis.row[fits]
    return rows


def _held(axis: Axis, times: Array) -> Array:
    """The last row at or before each time, -1 before the first one and where it is too old."""
    last = np.searchsorted(axis.ids, times, "right") - 1
    age = times - axis.ids[np.maximum(last, 0)]
    step = float(np.median(np.diff(axis.ids))) if len(axis.ids) > 1 else np.inf
    return np.where((last >= 0) & (age <= OLDEST * step), axis.row[np.maximum(last, 0)], -1)


def _nearest(axis: Axis, times: Array) -> Array:
    """The row nearest to each time, -1 where none is within half a step."""
    after = np.clip(np.searchsorted(axis.ids, times), 1, max(len(axis.ids) - 1, 1)) if len(axis.ids) > 1 else 0
    before = np.maximum(after - 1, 0)
    place = np.where(np.abs(axis.ids[after] - times) < np.abs(axis.ids[before] - times), after, before)
    step = float(np.median(np.diff(axis.ids))) if len(axis.ids) > 1 else np.inf
    return np.where(np.abs(axis.ids[place] - times) <= step / 2, axis.row[place], -1)


__all__ = ["Axis", "Index", "axis_of", "exact", "groups_with_axes", "joined", "time_beside", "times_of"]
