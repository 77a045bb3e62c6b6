"""look: what is in a file, a folder or a pattern, how it would be read, and which option reads it otherwise."""

from __future__ import annotations

import glob
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.errors import LynkeusError, SourceError
from lynkeus.files.damaged import one_line
from lynkeus.sources.formats.layout import Layout, read_layout, shipped_layouts
from lynkeus.sources.images.files import find_images, images_with_meta
from lynkeus.sources.look.clouds import look_at_clouds
from lynkeus.sources.look.entries import CHANNEL, Describe, Look
from lynkeus.sources.look.plots import JSON, of_json
from lynkeus.sources.open import FORMATS, format_of, open_source

DESCRIBES = {
    "csv": "lynkeus.sources.look.tables:of_csv",
    "parquet": "lynkeus.sources.look.tables:of_parquet",
    "hdf5": "lynkeus.sources.look.arrays:of_hdf5",
    "numpy": "lynkeus.sources.look.arrays:of_numpy",
    "root": "lynkeus.sources.look.root:of_root",
}
RUNS = {".root": "root", ".feather": "", ".arrow": "", ".json": ""}  # read as runs, clouds or tasks only
PER_FILE = "trees are events of a run, histograms its plots: lynkeus fit FOLDER --run-per-file"


def look(data: str, layout: str | Path | Layout | None = None) -> Look:
    """Look at what a user names. Raises SourceError where there is nothing, or where it cannot even be listed."""
    if "://" in data:
        return Look(data, lines=_summary(open_source(data)))
    path = Path(data).expanduser()
    files = _files(path)
    if not files:
        raise SourceError(f"{data}: no such file or folder, or nothing in it that can be read; check the path")
    first = files[0]
    kind = format_of(first) or RUNS.get(first.suffix.lower(), "")
    what = f"{first}" if len(files) == 1 else f"{data}: {_counted(files)}; the first is {first}"
    found = Look(what)
    clouds = look_at_clouds(path, layout)
    if clouds is not None:
        found.entries, lines = clouds
        found.lines += lines
        found.options += [] if layout else ["other features, selections or classes: --layout"]
        return found
    if first.suffix.lower() == JSON and (plots := list(of_json(first))):
        found.entries, found.options = plots, [PER_FILE]
        return found
    reader, refused = (None, "") if kind == "root" else _opened(first, layout)
    if kind:
        with one_line(first):
            known = None if reader is not None and reader.schema.kind == "hit" else _innermost(reader)
            found.entries = list(_describe(kind)(first, known))
    if kind == "root":
        found.options += _refused(first)
        found.options.append(PER_FILE)
    if refused and layout is None:
        found.options += [f"--layout {name} reads it" for name in shipped_layouts() if not _opened(first, name)[1]]
    if refused:
        found.lines.append(f"as it is, it would not be read: {refused}")
    elif reader is not None:
        found.lines += _summary(reader)
    found.options += _options(kind, found, read_layout(layout))
    return found


def _refused(path: Path) -> list[str]:
    """Return why a ROOT file is not read as samples, and what would read it."""
    try:
        open_source(path)
    except LynkeusError as error:
        return [f"as samples it would not be read: {error}"]
    return []


def _files(path: Path) -> list[Path]:
    if path.is_file() or (path.is_dir() and (images_with_meta(path) or find_images(path)[1])):
        return [path]  # a folder of images is read as one, by what is known of each
    inside = path.iterdir() if path.is_dir() else map(Path, glob.glob(str(path), recursive=True))
    known = (*FORMATS, *RUNS, ".gz")
    found = sorted(item for item in inside if item.is_file() and item.suffix.lower() in known)
    return found or ([path] if path.is_dir() else [])


def _counted(files: list[Path]) -> str:
    counts = Counter(file.suffix.lower() for file in files)
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.items())


def _opened(path: Path, layout: str | Path | Layout | None) -> tuple[Any, str]:
    try:
        return open_source(path, layout), ""
    except LynkeusError as error:
        return None, str(error)


def _innermost(source: Any) -> Any:
    while hasattr(source, "source"):
        source = source.source
    return source


def _describe(kind: str) -> Describe:
    module, _, name = DESCRIBES[kind].partition(":")
    found: Describe = getattr(__import__(module, fromlist=[name]), name)
    return found


def _summary(source: Any) -> list[str]:
    """Kind, size, rate and first time, and all that the reader has to say."""
    schema = source.schema
    size = " x ".join("any" if length is None else str(length) for length in schema.shape)
    try:
        count = f"{len(source)} "
    except TypeError:
        count = ""
    what = {"table": "rows of", "waveform": "waveforms of", "image": "images of"}.get(schema.kind, f"{schema.kind}s of")
    of = f"{size} channels" if schema.kind == "table" else f"{size} ({', '.join(_axes(schema.kind))})"
    rate = f", at {schema.sample_rate_hz:g} Hz" if schema.sample_rate_hz else ""
    start_ns = getattr(_innermost(source), "start_ns", None)
    if getattr(_innermost(source), "is_live", False):
        times = "; times are those of the devices"
    elif start_ns is None:
        times = "; no times were found: scores have p-values, but no rates"
    else:
        times = f", from {str(np.datetime64(start_ns // 10**6, 'ms')).replace('T', ' ')} UTC on"
    return [f"read as {count}{what} {of}{rate}{times}", *getattr(source, "messages", ())]


def _axes(kind: str) -> tuple[str, ...]:
    from lynkeus.core.batch import KINDS

    return KINDS[kind]


def _options(kind: str, found: Look, layout: Layout) -> list[str]:
    """Which options read it otherwise."""
    said = []
    others = [entry.name for entry in found.entries if entry.role not in ("", CHANNEL, "samples") and kind != "root"]
    if kind in ("csv", "parquet") and others and not layout.blocks:
        said.append('other columns, or fewer: a layout with [[blocks]] dataset = "COLUMN" for each; --layout FILE.toml')
    if kind == "hdf5" and not layout.blocks:
        said.append('other datasets: a layout with [[blocks]] dataset = "NAME" for each, or --array NAME for one alone')
    if kind == "numpy" and any(entry.role == "not read" for entry in found.entries):
        said.append("another array: --array NAME")
    if kind == "numpy" and any(entry.shape.count(",") == 2 and entry.shape[-2] != "," for entry in found.entries):
        said.append("what the axes of each sample are: --axes channel,time, --axes time,channel or --axes row,column")
    if kind in ("csv", "parquet", "hdf5"):
        said.append('other times: [times] dataset = "NAME", unit = "s" (ms, us, ns) in a layout')
    return said
