"""View: a dataset of an HDF5 file as rows of channels, whether it is turned, a field of a table, or bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from lynkeus.core.batch import Array
from lynkeus.sources.formats.hdf.uhi import SCHEMA

NUMBERS = "fiub"


@dataclass(frozen=True)
class View:
    """Rows of a `dataset`; `field`: one of a compound table; `turned`: it is (channels, rows); `bits`: the lowest ones
    of whole numbers, a column each."""

    dataset: h5py.Dataset
    field: str = ""
    turned: bool = False
    bits: int = 0

    @property
    def name(self) -> str:
        """Path in the file."""
        return f"{self.dataset.name}/{self.field}" if self.field else str(self.dataset.name)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its numbers."""
        return self.dataset.dtype[self.field] if self.field else self.dataset.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, and columns where there are several."""
        shape = tuple(self.dataset.shape)
        shape = shape[::-1] if self.turned else shape
        return (shape[0], self.bits) if self.bits else shape

    @property
    def width(self) -> int:
        """How many columns."""
        return 1 if len(self.shape) == 1 else self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self, start: int, stop: int) -> Array:
        """Return the rows [start, stop), (n,) or (n, columns); true and false as 1 and 0."""
        data = self.dataset.fields(self.field) if self.field else self.dataset
        raw: Array = np.asarray(data[:, start:stop].T if self.turned else data[start:stop])
        if self.bits:
            raw = raw.astype(np.uint64).reshape(len(raw), 1) >> np.arange(self.bits, dtype=np.uint64) & np.uint64(1)
        return raw.astype(np.float32) if raw.dtype == bool or self.bits else raw

    def all(self) -> Array:
        """Return all rows."""
        return self.rows(0, len(self))


def datasets_of(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return all datasets by their paths, but for the parts of histograms of the UHI standard."""
    found: dict[str, h5py.Dataset] = {}
    histograms = list[str]()

    def take(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset):
            histograms.extend([f"{name}/"] if SCHEMA in item.attrs else [])  # a group comes before what is in it
        elif not any(name.startswith(own) for own in histograms):
            found[name] = item

    if SCHEMA not in file.attrs:
        file.visititems(take)
    return found


def is_numbers(dtype: np.dtype[Any]) -> bool:
    """Return whether these are numbers, or true and false."""
    return dtype.kind in NUMBERS


def kind_of(data: h5py.Dataset) -> str:
    """Return the type of what a dataset holds, in words where it is no number."""
    if h5py.check_string_dtype(data.dtype) is not None:
        return "text"
    if h5py.check_vlen_dtype(data.dtype) is not None:
        return "lists"
    if data.dtype.kind == "O":
        return "references"
    return "opaque" if data.dtype.kind == "V" and not data.dtype.names else str(data.dtype)


def fields_of(data: h5py.Dataset) -> list[str]:
    """Return the fields of a compound table that hold one number a row."""
    kinds = data.dtype.fields or {}
    return [name for name, (kind, *_) in kinds.items() if is_numbers(kind) and not kind.shape]


def of_compound(file: h5py.File, name: str) -> View | None:
    """Return a field of a compound table by its path; None where there is none."""
    above, _, last = name.strip("/").rpartition("/")
    table = file.get(above) if above else None
    if isinstance(table, h5py.Dataset) and last in (table.dtype.names or ()):
        return View(table, last)
    return None
