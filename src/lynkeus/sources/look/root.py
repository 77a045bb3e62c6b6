"""What ROOT files hold: trees with their branches, and histograms. They are read as runs (--run-per-file)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lynkeus.sources.formats.root_branches import root_items
from lynkeus.sources.look.entries import PLOT, UNREAD, Entry


def of_root(path: Path, reader: Any) -> Iterator[Entry]:
    """Yield the branches of each tree, the histograms with their class, and what is neither."""
    for item in root_items(path):
        for branch, held in item.branches.items():
            role = "column of events" if branch in item.read else UNREAD
            yield Entry(f"{item.name}/{branch}", held, f"({item.entries},)", role=role)
        if item.role == "damaged":
            yield Entry(item.name, "damaged", role=f"cannot be read: {item.cls}")
        elif item.role != "tree":
            yield Entry(item.name, item.cls, role=PLOT if item.role == "histogram" else UNREAD)
