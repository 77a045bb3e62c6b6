"""Padded clouds: arrays (n, particle, feature) with a mask, and the public sets of quark/gluon and top jets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.sources.clouds.columns import LIST, NUMBER, TEXT, Jagged, Table, chosen
from lynkeus.sources.clouds.files.cloud_file import Stretch, even_stretches
from lynkeus.sources.clouds.files.streamed import headers_of, pieces_of_array
from lynkeus.sources.clouds.kinematics import of_pt_y_phi_pid
from lynkeus.sources.formats.hdf.views import datasets_of
from lynkeus.sources.formats.hdf5 import opened

MASKS = ("mask", "masks", "particle_mask", "part_mask")
NAMES = ("names", "features", "feature_names", "particle_features", "particleFeatureNames")
PDG = (0, 11, 13, 22, 130, 211, 310, 321, 2112, 2212)
QUARK_GLUON = ("gluon", "quark")
HEAD = 200  # jets by which the set of quark and gluon jets is recognised
LEAST_ROWS = 5000  # of a stretch of an archive: what is before it has to be unpacked, too


class Arrays(NamedTuple):
    """Arrays of a file by name: their shapes, and rows of one of them from `first` to `last`."""

    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str, int, int], Array]
    pieces: Callable[[str, int, int, int], Iterator[Array]]


class Padded(NamedTuple):
    """What belongs to an array (n, particle, feature): the array that is its mask, the names of its features."""

    mask: str
    features: tuple[str, ...]


class PaddedClouds:
    """Clouds of an array (n, particle, feature): what is real is said by a mask (n, particle), or by a transverse
    momentum above 0 in the set of quark and gluon jets (`X`: pt, y, phi, PDG number; `y`: 1 for quarks).

    Features are called `part_NAME` by an array of names, else `part_0`, `part_1`, ...; other arrays of one number or
    word a sample are what is known of it. Further groups, as this package writes them, have a mask NAME_valid and names
    NAME_names. Raises SourceError where a mask is of another shape.
    """

    def __init__(self, path: Path) -> None:
        found = cloud_in(path)
        if found is None:
            raise SourceError(f"{path}: holds no array (n, particle, feature) with a mask (n, particle); save both")
        self.path, (self.array, self.mask, self.features) = path, found
        self.arrays = arrays_of(path)
        shape = self.arrays.shapes[self.array]
        self.rows, self.quark_gluon = shape[0], not self.mask
        self.class_names: Mapping[str, tuple[str, ...]] = {"y": QUARK_GLUON} if self.quark_gluon else {}
        self.others = {
            name: own for name, own in self.arrays.shapes.items()
            if own == shape[:1] and name not in (self.array, self.mask)
        }  # fmt: skip
        self.groups = {} if self.quark_gluon else {self.array: Padded(self.mask, self.features), **further(self.arrays)}
        lists = [name for group in self.groups.values() for name in group.features]
        if self.quark_gluon:
            lists = list(of_pt_y_phi_pid(np.zeros((0, 4)), np.zeros(0, int)))
        head = {name: self.arrays.read(name, 0, 1) for name in self.others}
        types = {name: NUMBER if name.startswith("jet_") else LIST for name in lists}
        types |= {name: NUMBER if own.dtype.kind in "biuf" else TEXT for name, own in head.items()}
        self.types: Mapping[str, str] = types
        what = "pt, rapidity, azimuth and PDG number of particles" if self.quark_gluon else "padded particles"
        self.messages = [f"{path}: {self.array} {shape} is read as {what}; padding is left out"]

    def stretches(self, count: int) -> list[Stretch]:
        """Return stretches of any rows."""
        return even_stretches(self.rows, count, LEAST_ROWS)

    def tables(self, names: Sequence[str], stretch: Stretch, rows: int) -> Iterator[Table]:
        """Yield the columns of a stretch; see CloudFile."""
        wanted = {
            name: own for name, own in self.groups.items() if name == self.array or set(own.features) & set(names)
        }
        masks = [own.mask for own in wanted.values()]
        read = [self.array, *list(wanted)[1:], *masks, *(name for name in names if name in self.others)]
        for piece in zip(*(self.arrays.pieces(name, rows, *stretch) for name in read), strict=True):
            held = dict(zip(read, piece, strict=True))
            table = self._table(held)
            yield chosen({name: table[name] for name in names}, slice(None))

    def _table(self, held: Mapping[str, Array]) -> Table:
        others: Table = {name: _words(held[name]) for name in held if name in self.others}
        if self.quark_gluon:
            values = held[self.array]
            real = values[:, :, 0] > 0
            return of_pt_y_phi_pid(values[real], real.sum(axis=1)) | others
        for name, group in self.groups.items():
            if name in held:
                real = held[group.mask].astype(bool)
                own, lengths = held[name][real], real.sum(axis=1)
                others |= {name: Jagged.of_lengths(own[:, k], lengths) for k, name in enumerate(group.features)}
        return others


def cloud_in(path: Path) -> tuple[str, str, tuple[str, ...]] | None:
    """Return the array of particles, its mask ("": quark and gluon jets) and the names of the features, or None."""
    arrays = arrays_of(path)
    masks = {name: shape for name, shape in arrays.shapes.items() if _last(name) in MASKS and len(shape) == 2}
    for name, shape in arrays.shapes.items():
        if len(shape) != 3:
            continue
        for mask, own in masks.items():
            if own == shape[:2]:
                return name, mask, _features(arrays, shape[2])
    shape = arrays.shapes.get("X", ())
    if len(shape) == 3 and shape[2] == 4 and shape[0] and arrays.shapes.get("y") == shape[:1]:
        head = arrays.read("X", 0, min(HEAD, shape[0]))
        if head.dtype.kind == "f" and (head[:, :, 0] >= 0).all() and np.isin(np.abs(head[:, :, 3]), PDG).all():
            return ("X", "", ()) if head[:, :, 3].any() else None
    return None


def further(arrays: Arrays) -> dict[str, Padded]:
    """Return the groups that have a mask NAME_valid and names NAME_names, such as the vertices of jets."""
    found = {}
    for name, shape in arrays.shapes.items():
        mask, names = f"{name}_valid", f"{name}_names"
        named = len(shape) == 3 and arrays.shapes.get(names) == shape[2:]
        if named and arrays.shapes.get(mask) == shape[:2]:
            found[name] = Padded(mask, tuple(str(word) for word in _words(arrays.read(names, 0, shape[2]))))
    return found


def arrays_of(path: Path) -> Arrays:
    """Return the arrays of an .npz or HDF5 file. Raises SourceError where it is damaged."""
    if path.suffix.lower() == ".npz":
        shapes = {name: header.shape for name, header in headers_of(path).items()}

        def pieces(name: str, rows: int, first: int, last: int) -> Iterator[Array]:
            return pieces_of_array(path, name, rows, first, last)
    else:
        with opened(path) as file:
            shapes = {name: data.shape for name, data in datasets_of(file).items()}

        def pieces(name: str, rows: int, first: int, last: int) -> Iterator[Array]:
            with opened(path) as file:
                for start in range(first, last, rows):
                    yield file[name][start : min(start + rows, last)]

    def read(name: str, first: int, last: int) -> Array:
        return next(pieces(name, max(last - first, 1), first, last))

    return Arrays(shapes, read, pieces)


def _features(arrays: Arrays, count: int) -> tuple[str, ...]:
    for name, shape in arrays.shapes.items():
        if _last(name) in NAMES and shape == (count,):
            given = [str(word) for word in _words(arrays.read(name, 0, count))]
            if len(set(given)) == count:
                return tuple(word if word.startswith("part_") else f"part_{word}" for word in given)
    return tuple(f"part_{k}" for k in range(count))


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _words(values: Array) -> Array:
    if values.dtype.kind not in "SO":
        return values
    return np.array([word.decode() if isinstance(word, bytes) else str(word) for word in values.tolist()], dtype=str)
