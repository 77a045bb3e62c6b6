"""The texts of an HDF5 file, tried before they are read: where their heap is damaged, the library may loop for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from lynkeus.files.damaged import try_in_child


def try_texts(path: Path) -> None:
    """Raise SourceError where the texts of variable length in the file cannot be read in time.

    They lie in heaps of their own, the one place where damage was seen to hang the HDF5 library (1 in 750 damaged
    files); numbers give errors. A child process tries, as code in C cannot be stopped from within.
    """
    try_in_child(path, lambda: _read_texts(path))


def _read_texts(path: Path) -> None:
    with h5py.File(path, "r") as file:
        _of(file)
        file.visititems(lambda _, item: _of(item))


def _of(item: Any) -> None:
    for name in item.attrs:
        item.attrs.get(name)
    if isinstance(item, h5py.Dataset) and h5py.check_string_dtype(item.dtype) is not None:
        item[()]
