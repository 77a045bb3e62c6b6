"""Lineage: where a model comes from: scorer and options, data, when, by which version."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import lynkeus
from lynkeus.core import Source
from lynkeus.sources import files_of, origin_of

SMALL_FILE = 1 << 30  # bytes; larger ones are not read a second time for their checksum


def lineage_of(source: Source, scorer: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a fit before anything is learned, as plain JSON types."""
    return {
        "scorer": scorer,
        "options": dict(options),
        "fitted_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "version": lynkeus.__version__,
        "data": origin_of(source) or _files(source) or str(getattr(source, "url", type(source).__name__)),
    }


def learned_from(lineage: Mapping[str, Any], paths: Iterable[Path]) -> list[str]:
    """Return a line for each of these files that a model of this lineage has learned from, by its content: the model is
    better there than elsewhere."""
    known = {item["sha256"]: item["bytes"] for item in lineage.get("data", ()) if isinstance(item, Mapping)}
    known.pop(None, None)
    found = []
    for path in paths:
        if path.is_file() and path.stat().st_size in known.values() and _digest(path) in known:
            found.append(
                f"{path}: {lineage.get('scorer', 'the model')} has learned from this file, and is better there than "
                "elsewhere; give other samples"
            )
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(source: Source) -> list[dict[str, Any]]:
    found = []
    for path in files_of(source):
        size = path.stat().st_size if path.is_file() else None
        digest = None
        if size is not None and size <= SMALL_FILE:
            digest = _digest(path)
        found.append({"path": str(path), "bytes": size, "sha256": digest})
    return found
