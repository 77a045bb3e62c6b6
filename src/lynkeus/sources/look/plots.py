"""What JSON files of histograms hold, after the UHI standard. They are read as runs (--run-per-file)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boost_histogram as bh

from lynkeus.sources.look.entries import PLOT, UNREAD, Entry
from lynkeus.sources.runs.standard import in_json, in_words

JSON = ".json"


def of_json(path: Path) -> Iterator[Entry]:
    """Yield the histograms of a JSON file, and what is damaged beside them; nothing where it holds none at all."""
    try:
        held = in_json(path)
    except Exception:  # it is JSON of something else, or none: who reads that says so
        return
    if not any(isinstance(own, bh.Histogram) for own in held.values()):
        return
    for name, own in held.items():
        if isinstance(own, bh.Histogram):
            shape = str(tuple(len(axis) for axis in own.axes))
            yield Entry(name, in_words(own), shape, role=PLOT if own.ndim in (1, 2) else UNREAD)
        elif isinstance(own, Exception):
            yield Entry(name, "histogram, damaged", role=f"cannot be read: {type(own).__name__}")
        else:
            yield Entry(name, own, role=UNREAD)
