"""Histograms in HDF5 as the UHI standard has them (`uhi.io.hdf5`): a group each, which says `uhi_schema`.

Such a group holds `axes`, references to a group for each axis in order, whose attributes are its fields (edges and
categories are datasets), and `storage`, whose datasets are sums by bin. See https://uhi.readthedocs.io.
"""

from __future__ import annotations

from typing import Any

import h5py

from lynkeus.core.batch import Array

SCHEMA = "uhi_schema"
WHOLE = "histogram"  # what the histogram of a file that is one is called, unless it says so itself


def histograms_in(file: h5py.File) -> dict[str, h5py.Group]:
    """Return the groups that are histograms by their paths; a file that is one as a whole by the name that it gives
    itself."""
    found: dict[str, h5py.Group] = {}
    if SCHEMA in file.attrs:
        named = dict(file["metadata"].attrs) if "metadata" in file else {}
        return {str(_plain(named.get("name", WHOLE)) or WHOLE): file["/"]}

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and SCHEMA in item.attrs:
            found[name] = item

    file.visititems(look)
    return found


def described(group: h5py.Group) -> tuple[str, str, int]:
    """Return what a histogram is in words ("weighted histogram"), its bins on each axis, and how many axes it has; -1
    axes where it is damaged."""
    try:
        fields = fields_of(group)
        kind, axes = str(fields["storage"]["type"]), fields["axes"]
        bins = [_bins_of(axis) for axis in axes]
    except Exception as error:  # of h5py, whatever is wrong: the others are told all the same
        return f"histogram, damaged ({type(error).__name__})", "", -1
    what = "profile" if "mean" in kind else "weighted histogram" if kind == "weighted" else "histogram"
    return what, str(tuple(bins)), len(axes)


def _bins_of(axis: dict[str, Any]) -> int:
    if axis["type"] in ("regular", "boolean"):
        return int(axis.get("bins", 2))
    return len(axis["edges"]) - 1 if "edges" in axis else len(axis["categories"])


def fields_of(group: h5py.Group) -> dict[str, Any]:
    """Return the fields of a histogram as those of JSON: `axes`, `storage`, `metadata`. Raises whatever h5py raises
    where it is damaged."""
    axes = [_axis(group.file[reference]) for reference in group["axes"][()]]
    held = group["storage"]
    storage: dict[str, Any] = {"type": _plain(held.attrs["type"])} | {name: held[name][()] for name in held}
    return {"axes": axes, "storage": storage} | _more(group)


def _axis(group: h5py.Group) -> dict[str, Any]:
    axis = {name: _plain(value) for name, value in group.attrs.items()} | _more(group)
    if "edges" in group:
        axis["edges"] = group["edges"][()]
    if "categories" in group:
        axis["categories"] = [_plain(category) for category in group["categories"][()].ravel()]
    return axis


def _more(group: h5py.Group) -> dict[str, Any]:
    """What is known beside the bins: names and labels."""
    if "metadata" not in group:
        return {}
    return {"metadata": {name: _plain(value) for name, value in group["metadata"].attrs.items()}}


def _plain(value: Any) -> Any:
    """Return text as str and a NumPy number as Python's own."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    item: Array | Any = value
    return item.item() if hasattr(item, "item") and getattr(item, "ndim", 1) == 0 else item
