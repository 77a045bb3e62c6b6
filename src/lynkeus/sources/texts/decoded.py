"""Text of a file, whichever way it is encoded, also where its lines were encoded in two ways."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path

from lynkeus.core.errors import SourceError

LEGACY = "cp1252"


def decoded(path: Path) -> tuple[str, list[str]]:
    """Return the text of a file and what is to be said of its encoding. Raises SourceError where it is no text."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace"), ["read as UTF-16"]
    if b"\x00" in raw[:4096]:
        raise SourceError(f"{path}: holds no text (bytes of zero); check the path")
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        pass
    lines, others = [], 0
    for line in raw.removeprefix(codecs.BOM_UTF8).split(b"\n"):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            lines.append(line.decode(LEGACY, "replace"))
            others += 1
    return "\n".join(lines), [f"{others} of {len(lines)} lines are not UTF-8, and are read as Windows-1252"]
