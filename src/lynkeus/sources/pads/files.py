"""Readers of files of pads: arrays of an npz or HDF5 file, columns of a Parquet table, ROOT histograms and clusters."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.core.extras import needing
from lynkeus.sources.formats.described import SCHEMA
from lynkeus.sources.pads.accumulate import PadSpectra, clusters_of
from lynkeus.sources.pads.described import PLACES, PadLayout
from lynkeus.sources.pads.geometry import Geometry, key_of, numbered, read_geometry
from lynkeus.transforms.pads.spectra import IDENTITY

EDGES = b"edges"


class Read(NamedTuple):
    """Spectra (pads, bins), `edges`, and columns of pads by their usual names and by those of the file."""

    counts: Array
    edges: Array
    columns: dict[str, Array]


def read_pads(path: Path, layout: PadLayout, labels: str) -> Read:
    """Read a file of pads by its ending. Raises SourceError naming what is missing."""
    ending = path.suffix.lower()
    if ending == ".root":
        return _of_root(path, layout)
    if ending == ".parquet":
        return _of_parquet(path, layout, labels)
    return _of_arrays(path, _arrays(path), layout, labels)


def holds_pads(path: Path) -> bool:
    """Return whether the names of its arrays say that a file holds spectra of pads; False where it is damaged."""
    needed = {"counts", "edges", "pad"}
    try:
        if path.suffix.lower() == ".npz":
            with zipfile.ZipFile(path) as archive:
                return needed <= {name.removesuffix(".npy") for name in archive.namelist()}
        if path.suffix.lower() in (".h5", ".hdf5"):
            with h5py.File(path, "r") as file:
                return needed <= set(file) and SCHEMA not in file
        if path.suffix.lower() == ".parquet":
            own = pq.read_schema(path)
            return needed - {"edges"} <= set(own.names) and EDGES in (own.metadata or {})
    except Exception:  # of any library, whatever is damaged: who reads other files says what is wrong
        return False
    return False


def _arrays(path: Path) -> dict[str, Array]:
    if path.suffix.lower() == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    if path.suffix.lower() in (".h5", ".hdf5"):
        with h5py.File(path, "r") as file:
            arrays = {}
            for name, item in file.items():
                if isinstance(item, h5py.Dataset):
                    text = h5py.check_string_dtype(item.dtype) is not None
                    arrays[name] = np.asarray(item.asstr()[...]).astype(str) if text else item[...]
            return arrays
    raise SourceError(f"{path}: spectra of pads are read from .npz, .h5, .parquet and .root; write one of them")


def _of_arrays(path: Path, arrays: Mapping[str, Array], layout: PadLayout, labels: str) -> Read:
    for name in (layout.counts, layout.edges):
        if name not in arrays:
            raise SourceError(f"{path}: has no array {name!r}; there are: {', '.join(sorted(arrays))}; name it in the "
                              "table [pads] of a layout")  # fmt: skip
    counts = arrays[layout.counts]
    named = {getattr(layout, own): own for own in (*IDENTITY, *PLACES)}
    others = {name: one for name, one in arrays.items() if name not in (layout.counts, layout.edges) and one.ndim == 1}
    columns = {
        named.get(name, name): one
        for name, one in others.items()
        if name in named or len(one) == len(counts) or name in ("label", labels)
    }
    if labels and labels not in columns:
        raise SourceError(f"{path}: has no array {labels!r} of labels; there are: {', '.join(sorted(arrays))}")
    return Read(counts, arrays[layout.edges], _placed(path, columns, layout))


def _of_parquet(path: Path, layout: PadLayout, labels: str) -> Read:
    table = pq.read_table(path)
    if layout.counts not in table.column_names:
        raise SourceError(
            f"{path}: has no column {layout.counts!r} of lists; there are: {', '.join(table.column_names)}"
        )
    column = table.column(layout.counts).combine_chunks()
    if not pa.types.is_nested(column.type):
        raise SourceError(f"{path}: {layout.counts} is no column of lists, one number a bin; write them as lists")
    lengths = np.unique(np.asarray(column.value_lengths()))
    if len(lengths) > 1:
        raise SourceError(f"{path}: spectra have {lengths[0]} to {lengths[-1]} bins: another binning in some sectors; "
                          "rebin them")  # fmt: skip
    counts = np.asarray(column.flatten()).reshape(len(table), -1)
    said = (table.schema.metadata or {}).get(EDGES)
    if said is None and layout.edges in table.column_names:
        edges = np.array(table.column(layout.edges).to_pylist())
    elif said is not None:
        edges = np.array(json.loads(said))
    else:
        raise SourceError(f"{path}: says no bin edges: write a column {layout.edges!r} of lists, or JSON as metadata")
    named = {getattr(layout, own): own for own in (*IDENTITY, *PLACES)}
    others = [name for name in table.column_names if name not in (layout.counts, layout.edges)]
    columns = {named.get(name, name): _plain(table.column(name)) for name in others}
    if labels and labels not in columns:
        raise SourceError(f"{path}: has no column {labels!r} of labels; there are: {', '.join(others)}")
    return Read(counts, edges, _placed(path, columns, layout))


def _plain(column: Any) -> Array:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(["" if word is None else word for word in column.to_pylist()])
    return np.asarray(column)


def _placed(path: Path, columns: dict[str, Array], layout: PadLayout) -> dict[str, Array]:
    """Return columns with those of the geometry, where the layout names one."""
    if not layout.geometry:
        return columns
    geometry = read_geometry(Path(layout.geometry).expanduser())
    return {**columns, **geometry.of(path, columns)}


def _of_root(path: Path, layout: PadLayout) -> Read:
    if not (layout.th1 or layout.th2 or layout.tree):
        raise SourceError(f"{path}: say by --layout FILE.toml in its table [pads] which histograms (th1, th2) or which "
                          "tree hold the pads")  # fmt: skip
    with needing(f"{path}: a ROOT file", "hep"):
        import uproot
    with uproot.open(path) as file:
        if layout.tree:
            return _of_tree(path, file, layout)
        pattern = re.compile(layout.th1 or layout.th2)
        names = [(name.split(";")[0], kind) for name, kind in file.classnames(recursive=True).items()]
        kind = "TH1" if layout.th1 else "TH2"
        matches = [(name, found) for name, own in dict(names).items() if own.startswith(kind)
                   and (found := pattern.search(name))]  # fmt: skip
        if not matches:
            some = ", ".join(name for name, own in names if own.startswith("TH"))[:200] or "none"
            raise SourceError(f"{path}: no {kind} matches {pattern.pattern!r}; histograms that are there: {some}")
        read = _of_th1 if layout.th1 else _of_th2
        return read(path, file, matches, layout)


def _of_th1(path: Path, file: Any, matches: list[tuple[str, re.Match[str]]], layout: PadLayout) -> Read:
    counts, edges = [], None
    columns: dict[str, list[int]] = {name: [] for name in IDENTITY}
    for name, found in matches:
        own, axis = file[name].to_numpy()
        if edges is not None and not np.array_equal(edges, axis):
            raise SourceError(f"{path}: {name} has other bin edges than {matches[0][0]}: rebin it, or leave it out")
        edges = axis
        counts.append(own)
        for key, values in columns.items():
            values.append(_number(path, name, found.groupdict().get(key, "0")))
    made = {key: np.array(values, np.int64) for key, values in columns.items()}
    return Read(np.array(counts), np.asarray(edges), _placed(path, made, layout))


def _of_th2(path: Path, file: Any, matches: list[tuple[str, re.Match[str]]], layout: PadLayout) -> Read:
    geometry = read_geometry(Path(layout.geometry).expanduser())
    counts, parts, edges = [], list[dict[str, Array]](), None
    for name, found in matches:
        own, pads, axis = file[name].to_numpy()
        if edges is not None and not np.array_equal(edges, axis):
            raise SourceError(f"{path}: {name} has other bin edges than {matches[0][0]}: rebin it, or leave it out")
        edges = axis
        sector = _number(path, name, found["sector"])
        parts.append(numbered(path, name, geometry, sector, len(pads) - 1))
        counts.append(own)
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return Read(np.concatenate(counts), np.asarray(edges), columns)


def _number(path: Path, name: str, text: str | None) -> int:
    if text is None or not text.isdecimal():
        raise SourceError(f"{path}: {name}: the pattern of the layout finds {text!r} where a number should be; mend it")
    return int(text)


def _of_tree(path: Path, file: Any, layout: PadLayout) -> Read:
    if layout.tree not in [name.split(";")[0] for name in file.keys(recursive=True)]:
        raise SourceError(f"{path}: has no tree {layout.tree!r}; there are: {', '.join(file.keys())}")
    spectra = PadSpectra(np.linspace(layout.low, layout.high, layout.bins + 1))
    for part in clusters_of(path, file[layout.tree], layout):
        spectra.add(*part)
    counts, columns = spectra.pads()
    placed = _placed(path, columns, layout)
    if layout.geometry:
        counts, placed = _with_silent(counts, placed, read_geometry(Path(layout.geometry).expanduser()))
    return Read(counts, spectra.edges, placed)


def _with_silent(counts: Array, columns: dict[str, Array], geometry: Geometry) -> tuple[Array, dict[str, Array]]:
    """Return counts and columns with the pads of the geometry that have no cluster: dead ones have none, either."""
    silent = ~np.isin(geometry.keys, key_of(columns))
    more = {name: np.concatenate([own, geometry.columns[name][silent]]) for name, own in columns.items()}
    return np.concatenate([counts, np.zeros((int(silent.sum()), counts.shape[1]), counts.dtype)]), more
