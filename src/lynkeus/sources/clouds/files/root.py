"""ROOT files of clouds: branches of one number, or of a list of numbers, of each entry of a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.errors import SourceError
from lynkeus.sources.clouds.columns import LIST, NUMBER, TEXT, Column, Jagged, Table
from lynkeus.sources.clouds.files.cloud_file import Stretch, even_stretches
from lynkeus.sources.formats.root_branches import LIST as LIST_TYPE
from lynkeus.sources.formats.root_branches import NUMBER as NUMBER_TYPE
from lynkeus.sources.formats.root_branches import TEXT as TEXT_TYPE
from lynkeus.sources.formats.root_files import RootContent, chosen_tree, open_root

EVENTS = "Events"  # the tree of NanoAOD, beside which there are small ones
LEAST_ROWS = 4000  # of a stretch: baskets at its ends are read twice


class RootClouds:
    """A tree of a ROOT file: that of the name `tree`, else one with lists called `part_*`, else Events or the largest.

    Raises SourceError where the file is damaged, cut short or still being written, or holds no tree.
    """

    def __init__(self, path: Path, tree: str = "") -> None:
        self.path = path
        self.class_names: Mapping[str, tuple[str, ...]] = {}
        with open_root(path) as content:
            self.tree, found, said = chosen_tree(path, content, tree or _with_particles(content))
            self.messages = [f"{path}: {said}".replace("--tree NAME", "tree = in a layout")] if said else []
            self.rows = int(found.num_entries)
            self.types: Mapping[str, str] = types_of(found)

    def stretches(self, count: int) -> list[Stretch]:
        """Return stretches of any entries."""
        return even_stretches(self.rows, count, LEAST_ROWS)

    def tables(self, names: Sequence[str], stretch: Stretch, rows: int) -> Iterator[Table]:
        """Yield the branches of a stretch; see CloudFile."""
        with open_root(self.path) as content:
            tree = content.trees[self.tree]()
            wanted = list(dict.fromkeys(names))
            pieces = tree.iterate(
                filter_name=wanted, step_size=rows, entry_start=stretch.first, entry_stop=stretch.last, library="ak"
            )
            for piece in pieces:
                missing = sorted(set(wanted) - set(piece.fields))
                if missing:
                    raise SourceError(f"{self.path}: the branch {missing[0]} cannot be read; it may be damaged")
                yield {name: self._column(piece[name], name) for name in wanted}

    def _column(self, array: Any, name: str) -> Column:
        import awkward as ak

        if self.types[name] == TEXT:
            return np.array(ak.to_list(array), dtype=str)
        if array.ndim == 1:
            return np.asarray(ak.to_numpy(array))
        return jagged_of(array)


def jagged_of(array: Any) -> Jagged:
    """Return an awkward array of lists of numbers."""
    import awkward as ak

    return Jagged.of_lengths(np.asarray(ak.to_numpy(ak.flatten(array, axis=1))), np.asarray(ak.num(array, axis=1)))


def types_of(tree: Any) -> dict[str, str]:
    """Return the kind of each branch, or its type where it is neither a number, a word nor a list of numbers."""
    return {name: _kind(str(tree[name].typename)) for name in _branches(tree)}


def _branches(tree: Any) -> list[str]:
    return [name for name in tree.keys(recursive=False) if not len(getattr(tree[name], "branches", ()))]


def _kind(name: str) -> str:
    if NUMBER_TYPE.fullmatch(name):
        return NUMBER
    if TEXT_TYPE.fullmatch(name):
        return TEXT
    found = LIST_TYPE.fullmatch(name)
    item = (found["item"] or found["other"] or found["leaf"] or "").strip() if found else ""
    return LIST if NUMBER_TYPE.fullmatch(item) else name


def _with_particles(content: RootContent) -> str:
    """Return the name of the first tree with lists called `part_*`, else Events; '' where there is no choice."""
    if len(content.trees) < 2:
        return ""
    for name, read in content.trees.items():
        if any(branch.startswith("part_") and kind == LIST for branch, kind in types_of(read()).items()):
            return name
    return EVENTS if EVENTS in content.trees else ""
