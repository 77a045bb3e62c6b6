"""Gains as files that reconstruction reads: Parquet, CSV or a ROOT tree, with the period and the hashes they are of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from lynkeus.core import Array, SettingsError
from lynkeus.core.extras import needing
from lynkeus.files.whole import beside, disk_errors
from lynkeus.pads.table import PadTable

COLUMNS = ("chamber", "sector", "row", "pad", "card", "channel", "gain", "gain_error", "gain_source",
           "gain_by_correlation", "good", "class")  # fmt: skip
META = b"lynkeus_gains"


def write_gains(table: PadTable, path: Path, period: str) -> dict[str, str]:
    """Write the gains of a table by the ending of the file; return what they are of: `period`, the hash of the table,
    model and spectra. Raises SettingsError for another ending."""
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise SettingsError(f"{path}: gains are written to {', '.join(_WRITERS)}; give -o a name that ends so")
    about = {"period": period, "table": table.path.name, "table_sha256": table.hash()}
    about |= {name: str(table.about[name]) for name in ("model", "model_sha256", "data") if name in table.about}
    columns = {name: table[name] for name in COLUMNS if name in table.columns}
    with disk_errors(path), beside(path) as partial:
        write(columns, about, partial)
    return about


def _parquet(columns: dict[str, Array], about: dict[str, str], path: Path) -> None:
    table = pa.table({name: pa.array(column) for name, column in columns.items()})
    pq.write_table(table.replace_schema_metadata({META: json.dumps(about)}), path)


def _csv(columns: dict[str, Array], about: dict[str, str], path: Path) -> None:
    with path.open("wb") as file:
        file.writelines(f"# {name}: {value}\n".encode() for name, value in about.items())
        pc.write_csv(pa.table({name: pa.array(column) for name, column in columns.items()}), file)


def _root(columns: dict[str, Array], about: dict[str, str], path: Path) -> None:
    with needing("a ROOT file", "hep"):
        import uproot
    numbers = {name: column for name, column in columns.items() if column.dtype.kind in "biuf"}
    numbers["fitted"] = columns["gain_source"] == "fit"
    with uproot.recreate(path) as file:
        file["gains"] = {name: column.astype(np.int8) if column.dtype.kind == "b" else column
                         for name, column in numbers.items()}  # fmt: skip
        for name, value in about.items():
            file[name] = value  # a TObjString beside the tree


_WRITERS: dict[str, Callable[[dict[str, Array], dict[str, str], Path], None]] = {
    ".parquet": _parquet, ".csv": _csv, ".root": _root,
}  # fmt: skip
