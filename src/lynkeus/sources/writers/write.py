"""write_source: any Source to the file or the folder that a user names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lynkeus.core.batch import Schema
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.core.protocols import Source
from lynkeus.files.whole import beside, disk_errors, whole_folder
from lynkeus.sources.pads.writer import PADS
from lynkeus.sources.writers.clouds import (
    write_cloud_hdf5,
    write_cloud_npz,
    write_cloud_parquet,
    write_cloud_root,
)
from lynkeus.sources.writers.files import write_hdf5, write_npz, write_parquet
from lynkeus.sources.writers.folders import write_images, write_runs
from lynkeus.sources.writers.tasks import write_tasks
from lynkeus.sources.writers.texts import write_text_csv, write_text_lines
from lynkeus.transforms.pads.spectra import is_of_pads

JETS = "packed clouds"
SPECTRA = "spectra of pads"
MAPS = "maps"
COLOURS = ("grey", "red", "green", "blue", "alpha")
FILES: dict[str, Callable[[Source, Path], int]] = {
    ".parquet": write_parquet, ".h5": write_hdf5, ".hdf5": write_hdf5, ".npz": write_npz,
}  # fmt: skip
CLOUDS: dict[str, Callable[[Source, Path], int]] = {
    ".parquet": write_cloud_parquet, ".h5": write_cloud_hdf5, ".hdf5": write_cloud_hdf5, ".npz": write_cloud_npz,
    ".root": write_cloud_root,
}  # fmt: skip
TASKS: dict[str, Callable[[Source, Path], int]] = {".json": write_tasks}
TEXTS: dict[str, Callable[[Source, Path], int]] = {".jsonl": write_text_lines, ".csv": write_text_csv}
FOLDERS: dict[str, Callable[[Source, Path], int]] = {"cloud": write_runs, "image": write_images}
CALLED = {
    "cloud": "runs", JETS: "jets", MAPS: "maps", "image": "images", "table": "rows", "waveform": "waveforms",
    "histogram": "histograms", "hit": "hits", SPECTRA: "pads", "counts": "tasks", "text": "texts",
}  # fmt: skip


def write_source(source: Source, path: Path) -> int:
    """Write a source whole or not at all, and return how many samples it had; it is read again without a layout.

    Raises SettingsError or SourceError as `check_output`, and where the source has no sample or cannot be written.
    """
    check_output(source.schema, path)
    kind = kind_of(source.schema)
    write = FOLDERS.get(kind) or _files(kind)[path.suffix.lower()]
    whole = whole_folder if kind in FOLDERS else beside
    with disk_errors(path), whole(path) as partial:
        rows = write(source, partial)
        if not rows:
            raise SourceError(f"{path}: there is no sample to write; ask for more")
    return rows


def check_output(schema: Schema, path: Path) -> None:
    """Raise SettingsError where samples of this kind are not written to such a place, SourceError where something is
    in the way."""
    kind = kind_of(schema)
    ending, called = path.suffix.lower(), CALLED.get(kind)
    if called is None:
        raise SettingsError(f"{path}: samples of the kind {kind} cannot be written")
    if kind in FOLDERS:
        if ending in FILES:
            raise SettingsError(f"{path}: {called} are written into a folder; give -o a name without {path.suffix}")
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            what = "the folder is not empty" if path.is_dir() else "is a file"
            raise SourceError(f"{path}: {what}; remove it or choose another -o")
        return
    endings = [name for name in _files(kind) if kind in ("table", "hit", JETS, SPECTRA) or name != ".parquet"]
    if ending not in endings:
        raise SettingsError(f"{path}: {called} are written to {', '.join(endings)}; give -o a name that ends so")
    if path.is_dir():
        raise SourceError(f"{path}: is a folder; choose another -o")


def kind_of(schema: Schema) -> str:
    """Return the kind of samples as they are written: "packed clouds" are those of any number of particles, of which
    a file holds many, other clouds are whole runs; "maps" are images of something that is no light, which no picture
    holds."""
    if schema.kind == "image" and schema.names and not set(schema.names) & set(COLOURS):
        return MAPS
    if is_of_pads(schema):
        return SPECTRA
    packed = schema.kind == "cloud" and schema.shape == (None, None)
    return JETS if packed else schema.kind


def _files(kind: str) -> dict[str, Callable[[Source, Path], int]]:
    return {JETS: CLOUDS, SPECTRA: PADS, "counts": TASKS, "text": TEXTS}.get(kind, FILES)
