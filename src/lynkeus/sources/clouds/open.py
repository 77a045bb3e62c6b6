"""open_clouds: which files hold clouds, and how they are read; None for all that does not."""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core.batch import Schema
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.files.damaged import in_time, one_line
from lynkeus.sources.clouds.columns import LIST
from lynkeus.sources.clouds.files.cloud_file import CloudFile
from lynkeus.sources.clouds.labels import find_labels, labels_by_file
from lynkeus.sources.clouds.plain import Plain
from lynkeus.sources.clouds.recipe import Recipe
from lynkeus.sources.clouds.source import CloudSource
from lynkeus.sources.formats.described import SCHEMA
from lynkeus.sources.formats.layout import Layout

PARQUET, ARROW, ROOT, HDF5, NPZ = (".parquet",), (".feather", ".arrow"), (".root",), (".h5", ".hdf5"), (".npz",)
ENDINGS = (*PARQUET, *ARROW, *ROOT, *HDF5, *NPZ)
PARTICLE = "part_"


def open_clouds(path: Path, layout: Layout, expected: Schema | None) -> CloudSource | None:
    """Return the clouds of a file, a folder or a pattern of files; None where the first of them holds none.

    What is read to learn from (no schema is `expected`) comes mixed, what a model reads in the order of its files.
    Raises SourceError naming file and column for what is damaged or missing.
    """
    paths = paths_of(path)
    described = layout.weaver is not None or layout.clouds is not None
    asked = described or (expected is not None and expected.kind == "cloud")
    if described and not paths:
        raise SourceError(f"{path}: no file of {', '.join(ENDINGS)}, as the layout {layout.name} reads; check the path")
    if not paths or (expected is not None and not asked) or layout.blocks or layout.pulses:
        return None
    if not asked and not holds_clouds(paths[0]):
        if path.is_file() and path.suffix.lower() in ROOT:
            raise _no_clouds(path)
        return None
    tree = str((layout.weaver or {}).get("treename") or (layout.clouds or {}).get("tree") or "")
    files = [file_of(own, tree) for own in paths]
    return CloudSource(files, recipe_of(files, layout, expected), mix=expected is None)


def _no_clouds(path: Path) -> SourceError:
    """Return what to do with a ROOT file that has no lists `part_*`."""
    names = file_of(path).types
    fits = {"pfnano_jets": "JetPFCands_jetIdx", "nanoaod_jets": "Jet_pt", "nanoaod_fatjets": "FatJet_pt"}
    found = [f"--layout {name}" for name, branch in fits.items() if branch in names]
    how = " or ".join(found) or "say by --layout FILE.toml what a sample is"
    return SourceError(
        f"{path}: holds no lists called part_*; samples of events: {how}; runs of events, a file each: --run-per-file"
    )


def recipe_of(files: list[CloudFile], layout: Layout, expected: Schema | None) -> Recipe:
    """Return how these files are read; where a configuration of weaver leaves something to the data, it is learned."""
    if layout.weaver is not None:
        from lynkeus.sources.clouds.weaver.configuration import configuration
        from lynkeus.sources.clouds.weaver.learn import learn
        from lynkeus.sources.clouds.weaver.recipe import WeaverRecipe

        for option, given in (("--labels", layout.truth), ("--weights", layout.weight)):
            if given:
                raise SettingsError(f"{option} {given}: {layout.name} says what labels and weights are; leave it out")
        own = WeaverRecipe(files, configuration(layout.weaver, layout.name or "layout"), layout, expected is None)
        if expected is None:
            learn(own, files)
        else:
            own.classes = expected.classes or own.classes
        return own
    by_file: Mapping[Path, str] = {}
    if layout.clouds is not None:
        from lynkeus.sources.clouds.linked.layout import linked
        from lynkeus.sources.clouds.linked.recipe import LinkedRecipe

        events = linked(layout.clouds, layout.name or "layout")
        if events.sample:
            return LinkedRecipe(files, events, layout, expected)
        if expected is None:
            by_file = labels_by_file([file.path for file in files], events.files, events.label)
    truth, weight = layout.truth, layout.weight
    if expected is not None:  # what is scored may have no labels, and counts alike
        truth = truth if any(truth in file.types for file in files) else ""
        weight = weight if all(weight in file.types for file in files) else ""
    return Plain(files, find_labels(files, truth, by_file), expected, weight)


def paths_of(path: Path) -> list[Path]:
    """Return the files that may hold clouds, in the order of their names: of one file, a folder or a pattern."""
    if path.is_file():
        found = [path]
    elif path.is_dir():
        found = [own for own in path.iterdir() if own.is_file()]
    else:
        found = [own for own in map(Path, glob.glob(str(path), recursive=True)) if own.is_file()]
    return sorted(own for own in found if own.suffix.lower() in ENDINGS)


def holds_clouds(path: Path) -> bool:
    """Return whether a file says by its names or arrays that it holds clouds; False also where it is damaged."""
    try:
        with in_time(path):
            return _holds_clouds(path)
    except Exception:  # of any library, whatever is damaged: who reads other files says what is wrong
        return False


def _holds_clouds(path: Path) -> bool:
    ending = path.suffix.lower()
    if ending in PARQUET:
        fields = [field for field in pq.read_schema(path) if pa.types.is_nested(field.type)]
        return any(field.name.startswith(PARTICLE) or field.name == "part" for field in fields)
    if ending in ARROW:
        return True
    if ending in HDF5:
        from lynkeus.sources.clouds.files.padded import cloud_in
        from lynkeus.sources.clouds.files.pandas_table import places_in

        with h5py.File(path, "r") as file:
            if SCHEMA in file:
                return False
            if places_in(file):
                return True
        return cloud_in(path) is not None
    if ending in NPZ:
        from lynkeus.sources.clouds.files.padded import cloud_in
        from lynkeus.sources.clouds.files.streamed import headers_of

        return SCHEMA not in headers_of(path) and cloud_in(path) is not None
    return any(name.startswith(PARTICLE) and kind == LIST for name, kind in file_of(path).types.items())


def file_of(path: Path, tree: str = "") -> CloudFile:
    """Return the reader of a file, by its ending and what it holds. Raises SourceError for one that holds no clouds."""
    opened = _reader(path, tree)
    with one_line(path), in_time(path):
        return opened(path)


def _reader(path: Path, tree: str) -> Callable[[Path], CloudFile]:
    from lynkeus.sources.clouds.files.arrow import FeatherClouds, ParquetClouds

    ending = path.suffix.lower()
    if ending in PARQUET:
        return ParquetClouds
    if ending in ARROW:
        return FeatherClouds
    if ending in ROOT:
        from lynkeus.sources.clouds.files.root import RootClouds

        return lambda own: RootClouds(own, tree)
    from lynkeus.sources.clouds.files.padded import PaddedClouds
    from lynkeus.sources.clouds.files.pandas_table import TopJets, places_in

    if ending in HDF5:
        with one_line(path), h5py.File(path, "r") as file:
            if places_in(file):
                return TopJets
    if ending in (*HDF5, *NPZ):
        return PaddedClouds
    raise SourceError(f"{path}: the ending {path.suffix!r} is not known; clouds are read from {', '.join(ENDINGS)}")
