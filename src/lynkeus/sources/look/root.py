"""What ROOT files hold: trees with their branches, and histograms. They are read as runs (--run-per-file)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lynkeus.sources.formats.root_files import columns_of, open_root
from lynkeus.sources.look.entries import Entry


def of_root(path: Path, reader: Any) -> Iterator[Entry]:
    """Yield the branches of each tree, and the histograms with their class."""
    with open_root(path) as content:
        for number, (name, key) in enumerate(content.trees.items()):
            tree = key.get()
            read = set(columns_of(tree)) if number == 0 else set()
            for branch, held in tree.items():
                role = "column of events" if branch in read else "not read"
                yield Entry(f"{name}/{branch}", str(held.typename), f"({tree.num_entries},)", role=role)
        for name, key in content.histograms.items():
            yield Entry(name, str(key.fClassName), role="plot of a run")
