"""The public set of top jets: an HDF5 file of pandas with columns E_0, PX_0, PY_0, PZ_0, E_1, ... and is_signal_new.

Read by h5py: pandas and PyTables, and the pickled objects that they write beside the numbers, are not touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.sources.clouds.columns import LIST, NUMBER, Table
from lynkeus.sources.clouds.files.cloud_file import Stretch, even_stretches
from lynkeus.sources.clouds.kinematics import particles_of
from lynkeus.sources.formats.hdf5 import opened

MOMENTA = ("E", "PX", "PY", "PZ")
SIGNAL = "is_signal_new"
PARTICLES = 200  # of a jet of the public set
OTHERS = ("truthE", "truthPX", "truthPY", "truthPZ")  # columns of the public set after the particles, then whole ones
WHOLE = ("ttv", SIGNAL)


class Place(NamedTuple):
    """Where a column is: a dataset, a field of it ("": none), and which of its columns."""

    dataset: str
    field: str
    column: int


class TopJets:
    """The jets of a table of pandas, of fixed format (`table/block0_items`) or as a PyTables table (`table/table`).

    Particles with energy 0 are padding. The class is `is_signal_new`: 0 qcd, 1 top. Raises SourceError where the
    columns of the momenta are not all there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.class_names: Mapping[str, tuple[str, ...]] = {SIGNAL: ("qcd", "top"), "label": ("qcd", "top")}
        with opened(path) as file:
            self.places = places_in(file)
            if not self.places:
                raise SourceError(f"{path}: holds no table of pandas with columns E_0, PX_0, ...; give another file")
            self.rows = len(file[next(iter(self.places.values())).dataset])
        self.count = sum(name.startswith("E_") for name in self.places)
        for kind in MOMENTA:
            lost = next((k for k in range(self.count) if f"{kind}_{k}" not in self.places), None)
            if lost is not None:
                raise SourceError(f"{path}: has no column {kind}_{lost}, though it has E_{lost}; write all momenta")
        self.others = [name for name in self.places if not re.fullmatch(r"(E|PX|PY|PZ)_\d+", name)]
        lists = particles_of(*(np.zeros(0),) * 4, np.zeros(0, int))
        types = {name: NUMBER if name.startswith("jet_") else LIST for name in lists}
        types |= dict.fromkeys(self.others, NUMBER) | ({"label": NUMBER} if SIGNAL in self.places else {})
        self.types: Mapping[str, str] = types
        self.messages = [f"{path}: a table of pandas with the momenta of {self.count} particles; padding is left out"]

    def stretches(self, count: int) -> list[Stretch]:
        """Return stretches of any rows."""
        return even_stretches(self.rows, count, 1000)

    def tables(self, names: Sequence[str], stretch: Stretch, rows: int) -> Iterator[Table]:
        """Yield the columns of a stretch; see CloudFile."""
        wanted = [name for name in names if name in self.others]
        datasets = {place.dataset for place in self.places.values()}
        with opened(self.path) as file:
            for first in range(stretch.first, stretch.last, rows):
                last = min(first + rows, stretch.last)
                read: dict[str, Array] = {name: file[name][first:last] for name in datasets}
                energy, px, py, pz = (self._all(read, kind) for kind in MOMENTA)
                real = energy > 0
                table = particles_of(px[real], py[real], pz[real], energy[real], real.sum(axis=1))
                table |= {name: _column(read, self.places[name]) for name in wanted}
                if "label" in names:
                    table["label"] = _column(read, self.places[SIGNAL])
                yield {name: table[name] for name in names}

    def _all(self, read: Mapping[str, Array], kind: str) -> Array:
        columns = [_column(read, self.places[f"{kind}_{k}"]) for k in range(self.count)]
        return np.stack(columns, axis=1).astype(float)


def places_in(file: h5py.File) -> dict[str, Place]:
    """Return where each column of the first table of jets is; empty where the file holds none."""
    for group in file.values():
        if not isinstance(group, h5py.Group):
            continue
        found = _fixed(group) or _table(group)
        if "E_0" in found:
            return found
    return {}


def _fixed(group: h5py.Group) -> dict[str, Place]:
    found = {}
    for name, items in group.items():
        block = re.fullmatch(r"(block\d+)_items", name)
        values = group.get(f"{block[1]}_values") if block else None
        if isinstance(values, h5py.Dataset) and values.ndim == 2:
            for column, word in enumerate(np.asarray(items).reshape(-1).tolist()):
                text = word.decode() if isinstance(word, bytes) else str(word)
                found[text] = Place(values.name, "", column)
    return found


def _table(group: h5py.Group) -> dict[str, Place]:
    """The names of the columns are pickled; those of the public set are known by how many there are."""
    table = group.get("table")
    kinds = getattr(getattr(table, "dtype", None), "names", None) or ()
    if "values_block_0" not in kinds:
        return {field: Place(table.name, field, -1) for field in kinds}
    width = {field: int(np.prod(table.dtype[field].shape, dtype=int)) for field in kinds}
    if (width["values_block_0"], width.get("values_block_1")) != (4 * PARTICLES + len(OTHERS), len(WHOLE)):
        return {}
    momenta = [f"{kind}_{k}" for k in range(PARTICLES) for kind in MOMENTA]
    found = {name: Place(table.name, "values_block_0", k) for k, name in enumerate([*momenta, *OTHERS])}
    return found | {name: Place(table.name, "values_block_1", k) for k, name in enumerate(WHOLE)}


def _column(read: Mapping[str, Array], place: Place) -> Array:
    values = read[place.dataset]
    if place.field:
        values = values[place.field]
    return values if place.column < 0 or values.ndim == 1 else values[:, place.column]
