"""Histograms of the UHI standard, however they are written: by name in JSON or HDF5, dense or sparse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import boost_histogram as bh
import numpy as np
from boost_histogram.serialization import from_uhi, remove_writer_info

from lynkeus.core.errors import LynkeusError
from lynkeus.sources.formats.hdf.uhi import WHOLE, fields_of, histograms_in
from lynkeus.sources.formats.hdf.views import datasets_of
from lynkeus.sources.formats.hdf5 import opened
from lynkeus.sources.formats.tables import existing_file

MOST_BINS = 20_000_000  # of one histogram, flow bins included: more is damage
BOOKKEEPING = 20  # entries below which a tree or a table is not the events of a run
HDF5 = (".h5", ".hdf5")
Held: TypeAlias = "bh.Histogram | Exception | str"  # a histogram, what reading it raised, or the type of what is none


def in_json(path: Path) -> dict[str, Held]:
    """Return what a JSON file holds, a histogram or several by name in folders of objects. Raises ValueError, KeyError,
    TypeError or AttributeError where the file is not JSON of objects."""
    content = json.loads(existing_file(path).read_text(encoding="utf-8"))
    if "axes" in content:
        content = {str(content.get("metadata", {}).get("name", WHOLE)): content}
    return {
        name: _tried(partial(histogram_of, own)) if isinstance(own, dict) else type(own).__name__
        for name, own in _each(content, "")
    }


def in_hdf5(path: Path) -> dict[str, Held]:
    """Return the histograms of an HDF5 file by their paths; none where it holds something else."""
    with opened(path) as file:
        found = histograms_in(file)
        return {name: _tried(partial(_of_group, group)) for name, group in found.items()}


def has_histograms(path: Path) -> bool:
    """Return whether an HDF5 file holds histograms and no other numbers of events. Raises SourceError where it is
    damaged."""
    with opened(path) as file:
        found = histograms_in(file)
        return bool(found) and all(data.size < BOOKKEEPING for data in datasets_of(file).values())


def in_words(histogram: bh.Histogram) -> str:
    """Return what a histogram is: of counts, weighted, or a profile of means."""
    if histogram.kind == bh.Kind.MEAN:
        return "profile"
    return "weighted histogram" if histogram.storage_type is bh.storage.Weight else "histogram"


def _tried(read: Callable[[], bh.Histogram]) -> Held:
    try:
        return read()
    except LynkeusError:  # that a limit of time is over
        raise
    except Exception as error:  # of boost-histogram or h5py, whatever is wrong
        return error


def _of_group(group: Any) -> bh.Histogram:
    return histogram_of(fields_of(group))


def histogram_of(fields: Mapping[str, Any]) -> bh.Histogram:
    """Return the histogram of the fields of the standard, all of its bins filled. Raises ValueError where they do not
    fit together, and whatever boost-histogram raises.

    What a writer says beside the standard counts bins of its own, and is not needed: the edges are there.
    """
    return from_uhi(remove_writer_info(dense(fields), library=None))


def dense(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a histogram of the UHI standard with all bins in its storage, those that a sparse one leaves out as 0.

    Raises ValueError where storage and axes do not fit, before anything of the size that the axes claim is made.
    """
    storage = dict(fields["storage"])
    shape = [_bins_of(axis) for axis in fields["axes"]]
    bins = int(np.prod([float(own) for own in shape]))
    if not 0 < bins <= MOST_BINS:
        raise ValueError(f"the axes have {bins} bins together, where up to {MOST_BINS} are read")
    if "index" in storage:
        return {**fields, "storage": _whole(storage, shape)}
    for name, values in storage.items():
        if isinstance(values, list | tuple | np.ndarray) and np.size(values) != bins:
            raise ValueError(f"the storage has {np.size(values)} {name} for {bins} bins")
    return dict(fields)


def _whole(storage: dict[str, Any], shape: list[int]) -> dict[str, Any]:
    """Return a sparse storage as a dense one."""
    index = tuple(np.asarray(axis, np.int64) for axis in storage.pop("index"))
    if len(index) != len(shape):
        raise ValueError(f"the sparse storage has {len(index)} indices for {len(shape)} axes")
    for name, values in storage.items():
        if isinstance(values, list | tuple | np.ndarray):
            whole = np.zeros(shape, int if storage.get("type") == "int" else float)
            whole[index] = values
            storage[name] = whole
    return storage


def _bins_of(axis: Mapping[str, Any]) -> int:
    """Return how many bins an axis has in a storage, flow bins among them."""
    kind = axis["type"]
    if kind == "boolean":
        return 2
    own = {"regular": lambda: axis["bins"], "variable": lambda: len(axis["edges"]) - 1}
    bins = own[kind]() if kind in own else len(axis["categories"])
    flows = [bool(axis.get("underflow", False)), bool(axis.get("overflow", axis.get("flow", False)))]
    return int(bins) + sum(flows)


def _each(content: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    """Yield what may be a histogram by name, folder by folder: an object of objects that is none itself is one."""
    for name, own in content.items():
        is_folder = isinstance(own, dict) and own and all(isinstance(part, dict) for part in own.values())
        if is_folder and not {"axes", "storage"} & set(own):
            yield from _each(own, f"{above}{name}/")
        else:
            yield above + name, own
