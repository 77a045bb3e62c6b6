"""PadTable: what `lynkeus score` wrote of pads by a model of pad_spectrum, as columns; which run and model it is of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core import Array, SourceError
from lynkeus.files.damaged import one_line

NEEDED = ("sector", "row", "pad", "class", "good", "gain", "gain_error")
ABOUT = b"lynkeus_pads"  # in the metadata: {"model": folder, "data": file, "layout": ...}
KEY = 1 << 20


@dataclass(frozen=True)
class PadTable:
    """A table of pads: `columns` (n,) by name, `about`: the model and the spectra that it is of, where it says so."""

    path: Path
    columns: dict[str, Array]
    about: dict[str, Any]

    def __len__(self) -> int:
        return len(self.columns["sector"])

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    @property
    def keys(self) -> Array:
        """Return (n,) one number for each pad."""
        sector, row, pad = (self.columns[name].astype(np.int64) for name in ("sector", "row", "pad"))
        found: Array = (sector * KEY + row) * KEY + pad
        return found

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the classes that pads have, the good one first, then by how many."""
        found, counts = np.unique(self.columns["class"], return_counts=True)
        good = set(np.unique(self.columns["class"][self.columns["good"]]).tolist())
        order = sorted(zip(found.tolist(), counts.tolist(), strict=True), key=lambda one: (one[0] not in good, -one[1]))
        return tuple(name for name, _ in order)

    @property
    def probabilities(self) -> tuple[str, ...]:
        """Return the columns of the probabilities of the classes."""
        return tuple(name for name in self.columns if name.startswith("probability_") and not name.endswith("_p_value"))

    def hash(self) -> str:
        """Return the SHA-256 of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def read_pad_table(path: Path) -> PadTable:
    """Read a table of pads. Raises SourceError where it is none."""
    if not path.is_file():
        raise SourceError(f"{path}: no such file; check the path")
    with one_line(path):
        table = pq.read_table(path)
    missing = [name for name in NEEDED if name not in table.column_names]
    if missing:
        raise SourceError(f"{path}: has no column {missing[0]!r}: it is no table of pads; write one by lynkeus score "
                          "MODEL SPECTRA with a model of pad_spectrum")  # fmt: skip
    if not len(table):
        raise SourceError(f"{path}: holds no pads")
    said = (table.schema.metadata or {}).get(ABOUT)
    return PadTable(
        path, {name: _plain(table.column(name)) for name in table.column_names}, json.loads(said) if said else {}
    )


def _plain(column: Any) -> Array:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(["" if word is None else word for word in column.to_pylist()])
    return np.asarray(column)
