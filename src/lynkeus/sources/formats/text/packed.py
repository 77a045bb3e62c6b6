"""Unpacked: the bytes of a file, packed by gzip or not, as far as they are there."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Self

MAGIC = b"\x1f\x8b"
GZIP = 31  # of zlib: with the header and the checksum of gzip
STEP_BYTES = 1 << 18


class Unpacked:
    """A file to read from; of one that is packed and ends too early, `cut` is True and all until there is read.

    Raises OSError where what is packed is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.cut = False
        self._file = path.open("rb")
        packed = self._file.read(2) == MAGIC
        self._file.seek(0)
        self._unpack = zlib.decompressobj(GZIP) if packed else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, size: int) -> bytes:
        """Return at least one byte, and about as many as that; none at the end."""
        if self._unpack is None:
            return self._file.read(size)
        found = b""
        while not found:
            raw = self._unpack.unused_data or self._file.read(STEP_BYTES)
            if self._unpack.eof:
                if not raw.startswith(MAGIC):
                    return b""
                self._unpack = zlib.decompressobj(GZIP)  # files that were joined one after the other
            if not raw:
                self.cut = True
                return b""
            try:
                found = self._unpack.decompress(raw)
            except zlib.error as error:
                raise OSError(f"what is packed in it is damaged: {error}") from error
        return found
