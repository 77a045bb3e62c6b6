"""Arrays of .npz files read piece by piece: a member of the archive is unpacked as it is read, never as a whole."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError


class Header(NamedTuple):
    """Shape and type of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype


def headers_of(path: Path) -> dict[str, Header]:
    """Return shape and type of each array of an archive by name. Raises SourceError where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name.removesuffix(".npy"): _opened(archive, name)[1] for name in names}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        said = next(iter(str(error).splitlines()), "").rstrip(".")
        raise SourceError(f"{path}: is not a complete .npz file ({said}); save it again") from error


def pieces_of_array(path: Path, name: str, rows: int, first: int, last: int) -> Iterator[Array]:
    """Yield the rows from `first` up to `last` of an array, `rows` at a time; what is before them is skipped.

    Raises SourceError where it is damaged, or ordered by columns, which cannot be read in pieces.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member, header = _opened(archive, f"{name}.npy")
            size = prod(header.shape[1:]) * header.dtype.itemsize
            _skip(member, first * size)
            for start in range(first, last, rows):
                count = min(rows, last - start)
                raw = member.read(count * size)
                if len(raw) < count * size:
                    raise SourceError(f"{path}: {name} ends before row {start + count}; save it again")
                yield np.frombuffer(raw, header.dtype).reshape((count, *header.shape[1:]))
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        said = next(iter(str(error).splitlines()), "").rstrip(".")
        raise SourceError(f"{path}: {name} is damaged ({said}); save it again") from error


def _opened(archive: zipfile.ZipFile, name: str) -> tuple[IO[bytes], Header]:
    member = archive.open(name)
    version = np.lib.format.read_magic(member)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read(member)
    if dtype.hasobject:
        raise ValueError(f"{name} holds objects")
    if by_columns and len(shape) > 1:
        raise ValueError(f"{name} is ordered by columns: save numpy.ascontiguousarray of it")
    return member, Header(shape, dtype)


def _skip(member: IO[bytes], size: int) -> None:
    while size > 0:
        size -= len(member.read(min(size, 1 << 20))) or size
