"""open_source: from what a user types (a path, a pattern, a URL) to a Source."""

from __future__ import annotations

import glob
import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lynkeus.core import plugins
from lynkeus.core.batch import Schema
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.core.protocols import Source
from lynkeus.core.typed import typed
from lynkeus.files.damaged import one_line
from lynkeus.sources.bundles.bundle import is_bundle
from lynkeus.sources.formats.files import Files
from lynkeus.sources.formats.hdf.trains import RunOfTrains
from lynkeus.sources.formats.hdf5_texts import try_texts
from lynkeus.sources.formats.layout import Layout, read_layout
from lynkeus.sources.formats.samples import SampleFile, is_described
from lynkeus.sources.hits.open import open_hits
from lynkeus.sources.images.bundle import ImageBundle, is_image_bundle
from lynkeus.sources.images.files import ENDINGS, find_images, images_with_meta
from lynkeus.sources.images.frames import ENDINGS as FRAMES
from lynkeus.sources.images.frames import FrameSource, pictures_in
from lynkeus.sources.tasks.table import TaskTable, open_tasks
from lynkeus.sources.texts.records import is_database
from lynkeus.sources.texts.source import TEXT, TextSource
from lynkeus.sources.wrappers.finite import Finite
from lynkeus.sources.wrappers.guarded import Guarded
from lynkeus.sources.wrappers.matched import matched
from lynkeus.sources.wrappers.spread import Spread
from lynkeus.sources.wrappers.time_order import Ordered
from lynkeus.transforms.counts import TASKS

FORMATS = {
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".npy": "numpy",
    ".npz": "numpy",
}
FORMATS_ASKED_FOR = {".txt": "csv", ".dat": "csv", ".asc": "csv"}  # where they are named: a folder may hold notes


def open_source(
    data: str | Path,
    layout: str | Path | Layout | None = None,
    meta: str | Path | None = None,
    expected: Schema | None = None,
    pictures: bool = False,
    hits: bool = False,
    text: str | None = None,
) -> Source:
    """Open a file, a bundle, a folder or pattern of files (read in time order), images, or a URL (`sim://orbit?seed=1`).

    `layout`: name of a shipped layout, a TOML file, or a Layout. Files come with Inf as NaN and times in order; what
    that cost is in the source's `messages`. A folder of images (any depth), a pattern of them or one image gives an
    ImageSource, to which `meta` is the table of what is known of each; so does an HDF5 file of pictures, and where
    `pictures` are meant any array (n, row, column). `hits`: files of hits are meant. `expected`: the schema that a
    model reads; its channels are found, others are left out. `text`: the column of texts, where texts are meant ("": it
    is found). Files and folders of `lynkeus generate` need neither. Raises SourceError or SettingsError: what, where,
    what to do; also where a folder holds both images and tables, unless `meta` says that images are meant.
    """
    if text is not None or (expected is not None and expected.kind == TEXT):
        return TextSource(data, text or "", expected.names[0] if expected else "")
    if is_database(str(data)):
        return TaskTable(data)
    if "://" in str(data):
        return _open_url(str(data), layout, expected)
    with one_line(data):
        path = Path(data).expanduser()
        read = read_layout(layout)
        if read.trains is not None:
            return Ordered(Finite(matched(RunOfTrains(path, read.trains, read.instrument), expected)))
        if hits or (expected is not None and expected.kind == "hit"):
            return Finite(open_hits(path, read, expected))
        if read.events is not None:
            from lynkeus.sources.events.source import EventSource

            return Finite(EventSource(path, read, expected))
        if tasks := open_tasks(str(data), expected is not None and expected.kind == TASKS.kind):
            return tasks
        special = None if meta or pictures else _pads(path, read, expected) or _clouds(path, read, expected)
        if special is not None:
            return special
        if path.is_file() and path.suffix.lower() in FRAMES:
            array = pictures_in(path, read, pictures)
            if array and (pictures or FORMATS[path.suffix.lower()] == "hdf5"):
                return FrameSource(path, array, meta)
        found = _open_files(path, read, meta, expected)
        return found if found.schema.kind != "hit" else Finite(open_hits(path, read, expected))


def _pads(path: Path, layout: Layout, expected: Schema | None) -> Source | None:
    """Return the spectra of pads that a file holds; None where it holds none, or another kind is expected."""
    from lynkeus.sources.pads.source import open_pads

    return open_pads(path, layout, expected)


def _clouds(path: Path, layout: Layout, expected: Schema | None) -> Source | None:
    """Return the clouds that files hold, such as jets; None where they hold none, or another kind is expected."""
    from lynkeus.sources.clouds.open import open_clouds

    found = open_clouds(path, layout, expected)
    return None if found is None else Finite(found)


def _open_files(path: Path, layout: Layout, meta: str | Path | None, expected: Schema | None) -> Source:
    if is_image_bundle(path):
        return ImageBundle(path)
    if not is_bundle(path) and (meta or images_with_meta(path) or _holds_images(path)):
        if replace(layout, truth="") != Layout():
            raise SettingsError(f"{path}: images need no --layout; leave it out")
        return plugins.load("sources", "images")(path, meta, use="good")
    return Ordered(Finite(Spread(_open_path(path, layout, expected))))


def _holds_images(path: Path) -> bool:
    """Raises SourceError where there are tables as well: which are meant?"""
    _, images = find_images(path)
    if not images:
        return False
    tables = _tables(path)
    if tables:
        raise SourceError(
            f"{path}: holds images ({images[0]}, {len(images)} in all) and tables ({tables[0].name}, {len(tables)} in "
            f"all); name one kind by a pattern such as '*{Path(images[0]).suffix}', or give the table by --meta"
        )
    return True


def _tables(path: Path) -> list[Path]:
    found = path.iterdir() if path.is_dir() else map(Path, glob.glob(str(path), recursive=True))
    endings = (*FORMATS, ".csv.gz", ".tsv.gz")
    return sorted(item for item in found if item.name.lower().endswith(endings) and item.is_file())


def _open_path(path: Path, layout: Layout, expected: Schema | None) -> Source:
    if path.is_file():
        return _guarded(path, layout, expected)
    if is_bundle(path):
        return Guarded(plugins.load("sources", "bundle")(path), path)
    if path.is_dir():
        found = _tables(path)
        if not found:
            readable = ", ".join((*FORMATS, *ENDINGS))
            raise SourceError(f"{path}: the folder is not a bundle and holds no file of {readable}")
    else:
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file())
        if not found:
            kind = "no file matches this pattern" if glob.has_magic(str(path)) else "no such file or folder"
            raise SourceError(f"{path}: {kind}; check the path")
    return Files([_guarded(item, layout, expected) for item in found])


def _guarded(path: Path, layout: Layout, expected: Schema | None) -> Guarded:
    """Return the reader of one file, behind the boundary that turns whatever it throws into one line."""
    with one_line(path):
        if format_of(path) == "hdf5":
            try_texts(path)
        return Guarded(_reader(path, layout, expected), path)


def _reader(path: Path, layout: Layout, expected: Schema | None) -> Any:
    name = format_of(path)
    if not name:
        raise SourceError(
            f"{path}: the ending {path.suffix!r} is not known; readable are {', '.join(FORMATS)}, images and bundles"
        )
    if name == "hdf5" and is_described(path, layout):
        return SampleFile(path, layout)
    if layout.pulses and name != "hdf5":
        raise SourceError(f"{path}: the layout {layout.name} describes pulses in HDF5 files; give another --layout")
    if layout.pulses:
        return plugins.load("sources", "pulses")(path, layout)
    reader = plugins.load("sources", name)
    if "expected" not in inspect.signature(reader).parameters:
        return matched(reader(path, layout), expected)
    return matched(reader(path, layout, expected), expected)


def format_of(path: Path) -> str:
    """Return the reader for a file by its ending, packed or not; '' where there is none."""
    name = path.name.lower().removesuffix(".gz")
    found = FORMATS.get(Path(name).suffix, FORMATS_ASKED_FOR.get(Path(name).suffix, ""))
    return found if name == path.name.lower() or found == "csv" else ""


def _open_url(url: str, layout: str | Path | Layout | None, expected: Schema | None) -> Source:
    """`sim://NAME?option=value`, or `NAME://...` of a source plug-in, which is given the URL."""
    parts = urlsplit(url.replace("[", "%5B").replace("]", "%5D"))  # of a pattern, not of an address
    if parts.scheme != "sim":
        stream = plugins.load("sources", parts.scheme)
        return stream(url, expected) if "expected" in inspect.signature(stream).parameters else stream(url)
    if layout is not None:
        raise SettingsError(f"{url}: a simulator needs no --layout; leave it out")
    simulator = plugins.load("simulators", parts.netloc)
    options = {name: value_of(text) for name, text in parse_qsl(parts.query, keep_blank_values=True)}
    try:
        inspect.signature(simulator).bind(**options)
    except TypeError as error:
        known = ", ".join(inspect.signature(simulator).parameters)
        raise SettingsError(f"{url}: {error}; options are {known}") from error
    given = inspect.signature(simulator).parameters
    return simulator(**{name: _as_said(url, given[name], value) for name, value in options.items()})


def _as_said(url: str, option: inspect.Parameter, value: Any) -> Any:
    """Return the value of an option of a simulator. Raises SettingsError for one that is not of the type that its
    signature says, or a seed that there is not: deep in a simulator nobody would know which option it was."""
    try:
        found = typed(option.name, option.annotation, value)
    except SettingsError as error:
        raise SettingsError(f"{url}: {error}") from error
    if option.name == "seed" and option.annotation in ("int", int) and found < 0:
        raise SettingsError(f"{url}: seed must be a whole number from 0, got {value}")
    return found


def value_of(text: str) -> Any:
    """Return what a user typed as a number, as true or false, or as it is."""
    for kind in () if "_" in text else (int, float):  # Python's 1_000 is a name here, such as that of a mass point
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
