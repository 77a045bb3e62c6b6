"""The rows of a CSV file as a stream of UTF-8: unpacked, without comments, without a last line that is not complete."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator

from lynkeus.sources.formats.text.dialect import COMMENTS, Dialect
from lynkeus.sources.formats.text.packed import Unpacked

CHUNK_BYTES = 1 << 20
COMMENT_LINE = re.compile(rf"^[ \t]*[{COMMENTS}][^\n]*\n".encode(), re.MULTILINE)
BLANKS = re.compile(rb"[ \t]+")


class Lines(io.RawIOBase):
    """What Arrow reads instead of the file. `cut` says whether its last line was left out."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self.dialect = dialect
        self.cut = False
        self._file = Unpacked(dialect.path)
        self._chunks = self._clean()
        self._held = b""

    def readable(self) -> bool:
        """Return True: it is read only."""
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, all that is left where it is negative; none at the end."""
        while size < 0 or len(self._held) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._held += chunk
        cut = len(self._held) if size < 0 else size
        found, self._held = self._held[:cut], self._held[cut:]
        return found

    def _clean(self) -> Iterator[bytes]:
        """Whole lines, chunk by chunk."""
        skip, rest = self.dialect.skip, b""
        for chunk in self._decoded():
            whole, _, rest = (rest + chunk).rpartition(b"\n")
            if not whole:
                continue
            whole += b"\n"
            while skip and whole:
                whole, skip = whole[whole.find(b"\n") + 1 :], skip - 1
            yield self._plain(whole)
        if rest.strip() and not skip:
            if rest.lstrip()[:1].decode("utf-8", "replace") in COMMENTS:
                return
            if self.dialect.complete(rest.decode("utf-8", "replace")):
                yield self._plain(rest + b"\n")
            else:
                self.cut = True

    def _plain(self, lines: bytes) -> bytes:
        if any(mark.encode() in lines for mark in COMMENTS):
            lines = COMMENT_LINE.sub(b"", lines)
        if self.dialect.separator == " ":
            lines = b"\n".join(BLANKS.sub(b" ", line.strip()) for line in lines.split(b"\n"))
        return lines

    def _decoded(self) -> Iterator[bytes]:
        """UTF-8, whatever the file is in; lines end as on Unix."""
        decoder = codecs.getincrementaldecoder(self.dialect.encoding)("replace")
        plain, first = self.dialect.encoding == "utf-8-sig", True
        while True:
            chunk = self._file.read(CHUNK_BYTES)
            if not chunk:
                self.cut = self._file.cut
                return
            if plain:
                chunk = chunk.removeprefix(codecs.BOM_UTF8) if first else chunk
            else:
                chunk = decoder.decode(chunk).encode()
            first = False
            if b"\r" in chunk and b"\n" not in chunk:
                chunk = chunk.replace(b"\r", b"\n")
            yield chunk
