"""ROOT files, read by uproot: the trees and the histograms of a file, whatever their names hold."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.sources.formats.tables import existing_file

TREES = ("TTree", "ROOT::RNTuple")
HISTOGRAM = re.compile(r"TH[12][CSIFDL]")
COLUMN = re.compile(r"(std::)?(u?int\d*(_t)?|float|double|bool|char\*|string)|TString")  # types of branches


class RootContent(NamedTuple):
    """What a file holds by name, without cycle: keys of uproot, to be read by `key.get()`."""

    trees: dict[str, Any]
    histograms: dict[str, Any]


@contextlib.contextmanager
def open_root(path: Path) -> Iterator[RootContent]:
    """What is in a file, as long as it is open. Raises SourceError where it is damaged or still being written, which
    may show only when something in it is read, SettingsError without uproot."""
    try:
        import uproot
    except ImportError as error:
        raise SettingsError(f"{path}: ROOT files need uproot; pip install 'lynkeus[hep]'") from error
    try:
        with uproot.open(existing_file(path)) as file:
            keys = dict(_keys(file, ""))
            trees = {name: key for name, key in keys.items() if key.fClassName in TREES}
            yield RootContent(trees, {n: key for n, key in keys.items() if HISTOGRAM.fullmatch(key.fClassName)})
    except SourceError:
        raise
    except Exception as error:  # of uproot, whatever is damaged
        why = str(error).splitlines()[0].rstrip(".,") if str(error) else type(error).__name__
        raise SourceError(
            f"{path}: is not a complete ROOT file ({why}); is it still being written? wait for it, or copy it again"
        ) from error


def columns_of(tree: Any) -> list[str]:
    """The branches that hold one number or one text an event."""
    return [name for name, branch in tree.items() if COLUMN.fullmatch(branch.typename)]


def _keys(folder: Any, above: str) -> Iterator[tuple[str, Any]]:
    """Folder by folder, as a name may hold a colon, at which uproot would cut a path."""
    for name in folder.keys(recursive=False, cycle=False):
        key = folder.key(name)
        if key.fClassName.startswith("TDirectory"):
            yield from _keys(key.get(), f"{above}{name}/")
        else:
            yield above + name, key
