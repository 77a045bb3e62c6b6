"""ROOT files, read by uproot: the trees and histograms of a file, whatever their names hold, and what is neither."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.files.damaged import in_short
from lynkeus.sources.formats.tables import existing_file, listed

TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple", "ROOT::Experimental::RNTuple")
PROFILE = re.compile(r"TProfile(2D)?")
HISTOGRAM = re.compile(rf"TH[12][CSIFDLK]|{PROFILE.pattern}")
LISTS = ("TList", "TObjArray", "THashList")
EFFICIENCY = {"passed": "fPassedHistogram", "total": "fTotalHistogram"}
UNNAMED = re.compile(r"untitled(_\d+)?|")  # what writers call a histogram that nobody named
NOTHING_TO_READ = re.compile(r"TDirectory.*|TStyle")
LARGE = 1_000_000  # version from which a header holds numbers of eight bytes


@dataclass(frozen=True)
class RootContent:
    """What a file holds by name, without cycle: `trees` and `histograms` (profiles among them) as functions that read
    one, `others`: classes of what is neither, `damaged`: what cannot be opened, and why."""

    trees: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    histograms: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def open_root(path: Path) -> Iterator[RootContent]:
    """What is in a file, as long as it is open; a list or a folder in it that is damaged costs what it holds. Raises
    SourceError where the file is damaged or still being written, which may show only when something in it is read,
    SettingsError without uproot."""
    try:
        import uproot
    except ImportError as error:
        raise SettingsError(f"{path}: ROOT files need uproot; pip install 'lynkeus[hep]'") from error
    try:
        with uproot.open(existing_file(path)) as file:
            damaged = dict[str, str]()
            content = _content(dict(_keys(file, "", damaged)), damaged)
            if damaged and is_cut_short(path):
                raise ValueError(f"it ends before {listed(list(damaged))}")
            yield content
    except SourceError:
        raise
    except Exception as error:  # of uproot, whatever is damaged
        why = str(error).splitlines()[0].rstrip(".,") if str(error) else type(error).__name__
        if is_cut_short(path):
            mend = f"is not a complete ROOT file ({why}); is it still being written? wait for it, or copy it again"
        elif path.read_bytes()[:4] != b"root":
            mend = f"is not a ROOT file ({why}); give one, or take it out"
        else:
            mend = (
                f"cannot be read by uproot ({type(error).__name__}: {why}); it may be damaged: copy or write it again"
            )
        raise SourceError(f"{path}: {mend}") from error


def chosen_tree(path: Path, content: RootContent, name: str = "") -> tuple[str, Any, str]:
    """Return name and tree of that name, else the one of most entries, and what is to be said where there are others.

    Raises SourceError where there is none, or none of that name.
    """
    if not content.trees:
        more = f"; it holds {in_words(content.others)}" if content.others else ""
        plots = f" beside its {len(content.histograms)} histograms" if content.histograms else ""
        raise SourceError(f"{path}: holds no tree of events{plots}{more}; write one, or give runs of histograms")
    if name:
        if name not in content.trees:
            raise SourceError(f"{path}: holds no tree {name!r}; there are {listed(list(content.trees))}")
        return name, content.trees[name](), ""
    trees = {own: read() for own, read in content.trees.items()}
    best = max(trees, key=lambda own: int(trees[own].num_entries))
    others = ", ".join(f"{own} ({int(tree.num_entries)} entries)" for own, tree in trees.items() if own != best)
    said = f"events are read from the tree {best} ({int(trees[best].num_entries)} entries), not from {others}: --tree"
    return best, trees[best], f"{said} NAME chooses another" if others else ""


def in_words(others: Mapping[str, str]) -> str:
    """Return what a file holds beside trees and histograms: "2 TProfile (a, b), 1 TGraph (c)"."""
    classes: dict[str, list[str]] = {}
    for name, cls in others.items():
        classes.setdefault(cls, []).append(name)
    return ", ".join(f"{len(names)} {cls} ({listed(names)})" for cls, names in classes.items())


def _content(keys: Mapping[str, Any], damaged: dict[str, str]) -> RootContent:
    content = RootContent({}, {}, {}, damaged)
    for name, key in keys.items():
        cls = key.fClassName
        if cls in TREES:
            content.trees[name] = key.get  # type: ignore[index]
        elif HISTOGRAM.fullmatch(cls):
            content.histograms[name] = key.get  # type: ignore[index]
        elif cls in LISTS or cls == "TEfficiency":
            with _each(damaged, name):
                _unpack(content, name, key.get())
        elif not NOTHING_TO_READ.fullmatch(cls):
            content.others[name] = cls  # type: ignore[index]
    return content


def _unpack(content: RootContent, name: str, thing: Any) -> None:
    """Add what a list of objects, or an efficiency, holds, under its name."""
    if thing.classname == "TEfficiency":
        for part, member in EFFICIENCY.items():
            histogram = thing.member(member)
            if not HISTOGRAM.fullmatch(str(histogram.classname)):
                content.others[name] = f"TEfficiency of {histogram.classname}"  # type: ignore[index]
                return
            content.histograms[f"{name}/{part}"] = lambda own=histogram: own  # type: ignore[index]
        return
    for number, item in enumerate(thing):
        cls = str(getattr(item, "classname", type(item).__name__))
        own = f"{name}/{_own_name(item, number)}"
        if cls in LISTS or cls == "TEfficiency":
            _unpack(content, own, item)
        elif HISTOGRAM.fullmatch(cls):
            content.histograms[own] = lambda held=item: held  # type: ignore[index]
        elif not NOTHING_TO_READ.fullmatch(cls):
            content.others[own] = cls  # type: ignore[index]


def _own_name(item: Any, number: int) -> str:
    """Return the name of an object in a list; of one that nobody named its title, else its number."""
    members = getattr(item, "all_members", {})
    name, title = str(members.get("fName") or ""), str(members.get("fTitle") or "")
    if UNNAMED.fullmatch(name):
        return title or str(number)
    return name


def _keys(folder: Any, above: str, damaged: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Folder by folder, as a name may hold a colon, at which uproot would cut a path."""
    for name in folder.keys(recursive=False, cycle=False):
        found: list[tuple[str, Any]] = []
        with _each(damaged, above + name):
            key = folder.key(name)
            is_folder = str(key.fClassName).startswith("TDirectory")
            found = list(_keys(key.get(), f"{above}{name}/", damaged)) if is_folder else [(above + name, key)]
        yield from found


@contextlib.contextmanager
def _each(damaged: dict[str, str], name: str) -> Iterator[None]:
    """Keep what uproot raises of one thing in a file under its name; that a limit of time is over passes."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        damaged[name] = in_short(error)


def is_cut_short(path: Path) -> bool:
    """Return whether a file ends before its header says, as one that is still being written or copied does."""
    with path.open("rb") as file:
        head = file.read(20)
    if head[:4] != b"root" or len(head) < 20:
        return head[: len(b"root")] == b"root"[: len(head)]
    version = int.from_bytes(head[4:8], "big")
    end = int.from_bytes(head[12 : 20 if version >= LARGE else 16], "big")
    return path.stat().st_size < end
