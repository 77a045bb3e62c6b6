"""The texts of an HDF5 file, tried before they are read: where their heap is damaged, the library may loop for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from lynkeus.core.errors import SourceError
from lynkeus.files.damaged import try_in_child

HEAP = b"GCOL"  # with which each of these heaps begins
MEMORY = 10**9  # bytes that the texts of a file may take, beside some times its size
LOOKED_THROUGH = 16_000_000  # bytes
MOST_TRIED = 100
# Why the texts of a file cannot be read, "" where they can; a file that was written since is another one.
_tried: dict[tuple[int, ...], str] = {}


def try_texts(path: Path) -> None:
    """Raise SourceError where the texts of variable length in the file cannot be read in time.

    They lie in heaps of their own, the one place where damage was seen to hang the HDF5 library (1 in 750 damaged
    files); numbers give errors. A child process tries, as code in C cannot be stopped from within; a small file without
    such a heap needs none.
    """
    known = path.stat()
    same = (known.st_dev, known.st_ino, known.st_mtime_ns, known.st_size)
    if same not in _tried:
        while len(_tried) >= MOST_TRIED:
            del _tried[next(iter(_tried))]
        _tried[same] = _why_not(path, known.st_size)
    if _tried[same]:
        raise SourceError(_tried[same])


def _why_not(path: Path, size: int) -> str:
    try:
        if size > LOOKED_THROUGH or HEAP in path.read_bytes():
            try_in_child(path, lambda: _read_texts(path), MEMORY + 8 * size)
    except SourceError as error:
        return str(error)
    return ""


def _read_texts(path: Path) -> None:
    with h5py.File(path, "r") as file:
        _of(file)
        file.visititems(lambda _, item: _of(item))


def _of(item: Any) -> None:
    for name in item.attrs:
        item.attrs.get(name)
    if isinstance(item, h5py.Dataset) and h5py.check_string_dtype(item.dtype) is not None:
        item[()]
