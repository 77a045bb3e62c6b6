"""open_hits: a file of hits, a folder or a pattern of them."""

from __future__ import annotations

import glob
from pathlib import Path

from lynkeus.core.batch import Schema
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.hits.columns import READERS
from lynkeus.sources.hits.source import HitSource


def open_hits(path: Path, layout: Layout, expected: Schema | None = None) -> HitSource:
    """Return the hits of a file, or of all files of a folder or pattern in the order of their names. Raises SourceError
    where there are none, SettingsError for what hits do not have."""
    for option, given in (("--axes", layout.axes), ("--array", layout.blocks), ("--weights", layout.weight)):
        if given:
            raise SettingsError(f"{option}: has no meaning for hits; leave it out")
    if path.is_dir():
        found = sorted(own for own in path.iterdir() if own.suffix.lower() in READERS)
    elif path.is_file():
        found = [path]
    else:
        found = sorted(own for own in map(Path, glob.glob(str(path), recursive=True)) if own.is_file())
    if not found:
        what = "holds no file of " + ", ".join(READERS) if path.is_dir() else "no such file or folder; check the path"
        raise SourceError(f"{path}: {what}")
    return HitSource(found, layout.truth, expected)
