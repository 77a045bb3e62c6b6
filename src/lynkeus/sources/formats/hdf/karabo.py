"""Run files of the European XFEL: CONTROL has a row for each train, INSTRUMENT as many as came, padded with zeros.

The format: https://extra-data.readthedocs.io/en/latest/data_format.html (INDEX, first and count of each source).
"""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.hdf.index import Axis, Index, exact
from lynkeus.sources.formats.hdf.views import View, datasets_of, is_numbers

TRAINS, STAMPS = "INDEX/trainId", "INDEX/timestamp"
WIDEST = 64  # columns of a dataset that is read without a layout


def is_karabo(file: h5py.File) -> bool:
    """Return whether a file has trains."""
    return isinstance(file.get(TRAINS), h5py.Dataset) and ("CONTROL" in file or "INSTRUMENT" in file)


def blocks_of(file: h5py.File) -> tuple[dict[str, str], list[str]]:
    """Return the datasets with a number or a few for each train, with a name for each, and those that are left out."""
    trains, found, left_out = _trains(file), {}, []
    for path, data in datasets_of(file).items():
        kind, _, name = path.partition("/")
        last = path.rpartition("/")[2]
        if kind not in ("CONTROL", "INSTRUMENT") or last in ("trainId", "timestamp") or not is_numbers(data.dtype):
            continue
        axis = axis_of_trains(file, View(data), trains)
        if axis is None or data.ndim not in (1, 2) or (data.ndim == 2 and data.shape[1] > WIDEST):
            left_out.append(name)
        else:
            found[path] = name.removesuffix("/value")
    return found, left_out


def by_train(file: h5py.File, views: Sequence[View], where: object) -> Index:
    """Return the rows of datasets joined by train. Raises SourceError for one of which it cannot be said which row
    belongs to which train."""
    trains, rows = _trains(file), []
    ids = np.unique(trains[trains > 0])
    for view in views:
        axis = axis_of_trains(file, view, trains)
        if axis is None:
            raise SourceError(
                f"{where}: {view.name} has {len(view)} rows for {len(ids)} trains, more than one for some of them; "
                "leave it out of the layout, or write one row per train"
            )
        rows.append(exact(axis, ids))
    missed = sum(int((row < 0).sum()) for row in rows)
    return Index(ids, tuple(rows), f"{len(rows)} datasets were joined by train, {missed} entries are missing")


def stamps(file: h5py.File, index: Index, name: str) -> Array | None:
    """Return the time of each train, from a dataset with a row for each; None where there is none."""
    data = file.get(name or STAMPS)
    trains = _trains(file)
    if not isinstance(data, h5py.Dataset) or data.ndim != 1 or len(data) < len(trains):
        return None
    _, first = np.unique(trains, return_index=True)
    known = first[trains[first] > 0]
    return np.asarray(data[: len(trains)])[known]


def _trains(file: h5py.File) -> Array:
    return np.asarray(file[TRAINS][:]).astype(np.int64)


def axis_of_trains(file: h5py.File, view: View, trains: Array) -> Axis | None:
    """The trains of the rows that hold data; None where a train has several rows, or where nothing says it."""
    path = view.dataset.name.strip("/").partition("/")[2]
    index = _index_of(file, path)
    if index is not None:
        first, count = index
        known = min(len(first), len(trains))
        first, count = first[:known].astype(np.int64), count[:known].astype(np.int64)
        if count.max(initial=0) > 1:
            return None
        has = (count == 1) & (trains[:known] > 0) & (first < len(view))
        return Axis(view.name, *_unique(trains[:known][has], first[has]))
    group = view.dataset.parent
    own = group.get("trainId")
    if isinstance(own, h5py.Dataset) and own.shape == (len(view),):
        ids = np.asarray(own[:]).astype(np.int64)
        rows = np.flatnonzero(ids > 0)
        return Axis(view.name, ids[rows], rows) if len(np.unique(ids[rows])) == len(rows) else None
    if len(view) < len(trains):
        return None
    rows = np.flatnonzero(trains > 0)
    return Axis(view.name, *_unique(trains[rows], rows))


def _unique(ids: Array, rows: Array) -> tuple[Array, Array]:
    found, first = np.unique(ids, return_index=True)
    return found, rows[first]


def _index_of(file: h5py.File, path: str) -> tuple[Array, Array] | None:
    """`first` and `count` of the source that a dataset belongs to, the longest name that fits."""
    above = path
    while above:
        group = file.get(f"INDEX/{above}")
        if isinstance(group, h5py.Group) and "first" in group:
            first = np.asarray(group["first"][:])
            if "count" in group:
                return first, np.asarray(group["count"][:])
            if "last" in group:  # as it was written until 2017
                some = np.asarray(group["status"][:]) if "status" in group else np.ones(len(first))
                return first, (np.asarray(group["last"][:]) - first + 1) * (some > 0)
        above = above.rpartition("/")[0]
    return None
