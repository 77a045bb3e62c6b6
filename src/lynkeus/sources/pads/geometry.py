"""The geometry of a pad plane as a table: sector, row, pad, x, y in mm, and what else is known of each pad."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.csv as pc
import pyarrow.parquet as pq

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.transforms.pads.spectra import IDENTITY

ROWS = PADS = 1 << 16


@dataclass(frozen=True)
class Geometry:
    """`columns` of all pads, by rising `keys` of sector, row and pad."""

    path: Path
    keys: Array
    columns: Mapping[str, Array]

    def of(self, path: Path, pads: Mapping[str, Array]) -> dict[str, Array]:
        """Return the columns of these pads. Raises SourceError for pads that the geometry does not have."""
        missing = [name for name in IDENTITY if name not in pads]
        if missing:
            raise SourceError(f"{path}: has no {missing[0]} by which its pads are found in {self.path}; write it")
        key = key_of(pads)
        at = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        lost = self.keys[at] != key
        if lost.mean() > 0.5:
            raise SourceError(f"{path}: {int(lost.sum())} of {len(key)} pads are not in the geometry {self.path}: are "
                              "they of different chambers? Give the geometry of this one")  # fmt: skip
        if lost.any():
            first = ", ".join(f"{name} {pads[name][lost.argmax()]}" for name in IDENTITY)
            raise SourceError(f"{path}: {int(lost.sum())} pads are missing from the geometry {self.path}, the first "
                              f"{first}: complete it")  # fmt: skip
        return {name: column[at] for name, column in self.columns.items() if name not in IDENTITY}


def key_of(pads: Mapping[str, Array]) -> Array:
    """Return (n,) one number for each pad."""
    sector, row, pad = (np.asarray(pads[name], np.int64) for name in IDENTITY)
    return (sector * ROWS + row) * PADS + pad


def read_geometry(path: Path) -> Geometry:
    """Read a CSV or Parquet table of pads. Raises SourceError where it is none, or has a pad twice."""
    if not path.is_file():
        raise SourceError(f"{path}: no such file; check the geometry that the layout names")
    table = pq.read_table(path) if path.suffix.lower() == ".parquet" else pc.read_csv(path)
    columns = {name: _array(table.column(name)) for name in table.column_names}
    missing = [name for name in (*IDENTITY, "x", "y") if name not in columns]
    if missing:
        raise SourceError(f"{path}: has no column {missing[0]!r}; a geometry has {', '.join(IDENTITY)}, x, y")
    key = key_of(columns)
    order = np.argsort(key, kind="stable")
    twice = np.diff(key[order]) == 0
    if twice.any():
        at = order[int(twice.argmax())]
        raise SourceError(f"{path}: {', '.join(f'{name} {columns[name][at]}' for name in IDENTITY)} is there twice")
    return Geometry(path, key[order], {name: column[order] for name, column in columns.items()})


def numbered(path: Path, name: str, geometry: Geometry, sector: int, count: int) -> dict[str, Array]:
    """Return the columns of the pads of a sector in the order of the geometry, row by row.

    Raises SourceError where it has not so many there.
    """
    own = np.flatnonzero(geometry.columns["sector"] == sector)
    if len(own) != count:
        raise SourceError(
            f"{path}: {name} has {count} pads, sector {sector} of {geometry.path} has {len(own)}: are they of other "
            "chambers?"
        )
    return {key: column[own] for key, column in geometry.columns.items()}


def _array(column: object) -> Array:
    found = np.asarray(column)
    return found.astype(str) if found.dtype == object else found
