"""Columns of numbers from the branches of a tree: one number an event, leaves of a structure, and lists.

A list of each event (the momenta of its jets) says how many there are, what the first is, which in most files is the
largest or that of the leading object, and what their sum is: `Jet_pt.count`, `Jet_pt.first`, `Jet_pt.sum`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.files.damaged import in_short
from lynkeus.sources.formats.root_files import chosen_tree, open_root

NUMBER = re.compile(
    r"(std::)?(u?int\d*(_t)?|float|double|bool|char|Double32_t|Float16_t|(unsigned )?(char|short|int|long))|"
    r"(U?(Char|Short|Int|Long|Long64)|Bool|Float|Double)_t"
)
TEXT = re.compile(r"char\*|(std::)?string|TString")
LIST = re.compile(r"(std::)?vector<(?P<item>[^<>]*)>|ROOT::(VecOps::)?RVec<(?P<other>[^<>]*)>|(?P<leaf>\w[\w: ]*)\[\]")
FIXED = re.compile(r"(?P<item>[\w: ]+)\[(?P<size>\d+)\]|std::array<(?P<other>[^<>,]+),\s*(?P<length>\d+)>")
FEW = 8  # numbers of a fixed list that are columns of their own
PARTS = ("count", "first", "sum")


class Branches(NamedTuple):
    """Names of branches by what becomes of them: `plain` columns, `lists` to what is taken of each, `structures` of
    leaves, `fixed` lists to their length; `left_out`: type and why of the others."""

    plain: list[str]
    lists: dict[str, tuple[str, ...]]
    structures: list[str]
    fixed: dict[str, int]
    left_out: dict[str, str]

    @property
    def read(self) -> list[str]:
        """Return the names of the branches that are read."""
        return [*self.plain, *self.lists, *self.structures, *self.fixed]


class RootItem(NamedTuple):
    """One thing in a ROOT file: its `name` with folders, its `role` tree, histogram, other or damaged, the `cls` that
    ROOT gives it (why it cannot be read, where it is damaged), its `entries` (None: not known), of a tree the types of
    its `branches`, and which of them are `read`: none of a tree that is not the one of the events."""

    name: str
    role: str
    cls: str
    entries: int | None = None
    branches: Mapping[str, str] = MappingProxyType({})
    read: frozenset[str] = frozenset()


def root_items(path: Path, tree: str = "") -> list[RootItem]:
    """Return what a ROOT file holds, in its order; events are read from the tree of that name, else the largest.

    Raises SourceError where it is damaged, SettingsError without uproot.
    """
    found = []
    with open_root(path) as content:
        chosen = chosen_tree(path, content, tree)[0] if content.trees else ""
        for name, read in content.trees.items():
            own = read()
            types = {branch: str(own[branch].typename) for branch in _names(own)}
            used = frozenset(branches_of(own).read) if name == chosen else frozenset[str]()
            found.append(RootItem(name, "tree", type(own).__name__, int(own.num_entries), types, used))
        for name, read in content.histograms.items():
            try:
                plot = read()
                entries = float(plot.member("fEntries"))
            except SourceError:
                raise
            except Exception as error:  # of uproot, whatever is damaged: the others are told all the same
                found.append(RootItem(name, "damaged", in_short(error)))
                continue
            known = int(entries) if np.isfinite(entries) else None
            found.append(RootItem(name, "histogram", str(plot.classname), known))
        found += [RootItem(name, "other", cls) for name, cls in content.others.items()]
        found += [RootItem(name, "damaged", why) for name, why in content.damaged.items()]
    return found


def branches_of(tree: Any) -> Branches:
    """Return what becomes of the branches of a tree. Of lists that belong together by their names (`Jet_pt`, `Jet_eta`)
    the first one is counted."""
    found = Branches([], {}, [], {}, {})
    counted: set[str] = set()
    for name in _names(tree):
        kind = str(tree[name].typename)
        fixed = FIXED.fullmatch(kind)
        length = int(fixed["size"] or fixed["length"]) if fixed else 0
        if NUMBER.fullmatch(kind) or TEXT.fullmatch(kind):
            found.plain.append(name)
        elif item := _item_of(kind):
            family = re.split(r"[_.]", name, maxsplit=1)[0] if re.search(r"[_.]", name) else name
            known = not NUMBER.fullmatch(item)
            if known:
                found.left_out[name] = f"{kind}: a list of what is no number"
                continue
            found.lists[name] = PARTS if family not in counted else PARTS[1:]
            counted.add(family)
        elif fixed and length <= FEW and NUMBER.fullmatch(fixed["item"] or fixed["other"]):
            found.fixed[name] = length
        elif kind.startswith("struct {") and "[" not in kind:
            found.structures.append(name)
        else:
            found.left_out[name] = f"{kind}: is no number of an event, nor a list of numbers"
    return found


def pieces_of_tree(tree: Any, branches: Branches, rows: int) -> Iterator[dict[str, Array]]:
    """Yield pieces of at most `rows` events: a column (n,) for each name."""
    names = branches.read
    if not tree.num_entries:
        lists = {f"{name}.{part}": np.empty(0) for name, parts in branches.lists.items() for part in parts}
        yield {name: np.empty(0) for name in branches.plain} | lists
        return
    if not branches.lists:
        for piece in tree.iterate(names, step_size=rows, library="np"):
            yield _flat(piece, branches)
        return
    plain = [name for name in names if name not in branches.lists]
    for first in range(0, int(tree.num_entries), rows):
        last = min(first + rows, int(tree.num_entries))
        piece = tree.arrays(plain, entry_start=first, entry_stop=last, library="np") if plain else {}
        lists = tree.arrays(list(branches.lists), entry_start=first, entry_stop=last, library="ak")
        yield _flat(piece, branches) | _of_lists(lists, branches.lists)


def _flat(piece: Mapping[str, Array], branches: Branches) -> dict[str, Array]:
    found: dict[str, Array] = {name: np.asarray(piece[name]) for name in branches.plain}
    for name in branches.structures:
        leaves = np.asarray(piece[name])
        found |= {f"{name}.{leaf}": leaves[leaf] for leaf in leaves.dtype.names or ()}
    for name, size in branches.fixed.items():
        values = np.stack(list(piece[name])) if np.asarray(piece[name]).dtype == object else np.asarray(piece[name])
        found |= {f"{name}[{k}]": values[:, k] for k in range(size)}
    return found


def _of_lists(lists: Any, parts: Mapping[str, tuple[str, ...]]) -> dict[str, Array]:
    import awkward as ak

    found: dict[str, Array] = {}
    for name, wanted in parts.items():
        own = lists[name]
        if "count" in wanted:
            found[f"{name}.count"] = np.asarray(ak.num(own, axis=1))
        found[f"{name}.first"] = np.asarray(ak.fill_none(ak.firsts(own, axis=1), np.nan), float)
        found[f"{name}.sum"] = np.asarray(ak.sum(own, axis=1), float)
    return found


def _item_of(kind: str) -> str:
    """Return the type of the numbers of a list, '' for what is none."""
    found = LIST.fullmatch(kind)
    return (found["item"] or found["other"] or found["leaf"] or "").strip() if found else ""


def _names(tree: Any) -> list[str]:
    """Return the names of the branches, of the leaves of those that are split."""
    found = []
    for name in tree.keys(recursive=True):
        branch = tree[name]
        if not len(getattr(branch, "branches", ())):
            found.append(name)
    return found
