"""Kept: steps of a search on disk, by a hash of all that they hang on; a search that was stopped goes on there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.files.whole import write_whole
from lynkeus.searches.events import Events


def key_of(*parts: Any) -> str:
    """Return a short hash of plain types."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def digest_of(events: Events) -> str:
    """Return a hash of all that is known of the events of a sample."""
    found = hashlib.sha256()
    for name in sorted(events.columns):
        found.update(name.encode())
        column = events.columns[name]
        found.update(np.ascontiguousarray(column if column.dtype.kind != "O" else column.astype(str)).tobytes())
    found.update(np.ascontiguousarray(events.weight).tobytes())
    return found.hexdigest()[:16]


@cache
def code_of() -> str:
    """Return a hash of the code of this package: another one makes every step anew."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


class Kept:
    """Results of steps as JSON files in a folder. `used` and `made` count them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.used, self.made = folder, 0, 0

    def get(self, name: str, key: str, make: Callable[[], Any]) -> Any:
        """Return what is kept of a step, else make and keep it."""
        path = self.folder / f"{name}-{key}.json"
        try:
            found = json.loads(path.read_text("utf-8"))
            self.used += 1
            return found
        except (OSError, ValueError):  # not made yet, or cut short: it is made again
            pass
        found = make()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(found).encode())
        self.made += 1
        return json.loads(json.dumps(found))
