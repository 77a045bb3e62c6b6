"""Jets of a few particles in the names of JetClass, as columns, and files of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Columns = dict[str, Any]


def make_columns(jets: int, seed: int = 0, label: str = "", sizes: Any = None) -> Columns:
    """Columns of jets: lists of numbers as lists of arrays, `label` alternating where it is not given."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 30, jets) if sizes is None else np.asarray(sizes)
    columns: Columns = {
        f"part_{name}": [rng.normal(size=n).astype(np.float32) for n in sizes] for name in ("px", "py", "pz", "deta")
    }
    columns["part_energy"] = [
        np.sqrt(x**2 + y**2 + z**2)
        for x, y, z in zip(columns["part_px"], columns["part_py"], columns["part_pz"], strict=True)
    ]
    columns["sv_mass"] = [rng.exponential(size=k).astype(np.float32) for k in rng.integers(0, 3, jets)]
    columns["jet_pt"] = rng.uniform(500, 600, jets).astype(np.float32)
    columns["jet_nparticles"] = np.asarray(sizes, np.int64)
    columns["label"] = [label or ("qcd", "top")[k % 2] for k in range(jets)]
    return columns


def write_parquet(path: Path, columns: Columns, rows: int = 400) -> Path:
    """A Parquet file of row groups of so many jets."""
    pq.write_table(pa.table(columns), path, row_group_size=rows)
    return path


def write_root(path: Path, columns: Columns) -> Path:
    """A ROOT file with a tree of branches of lists."""
    ak, uproot = pytest.importorskip("awkward"), pytest.importorskip("uproot")
    held = {name: ak.Array(column) if isinstance(column, list) else column for name, column in columns.items()}
    with uproot.recreate(path) as file:
        file["tree"] = {name: column for name, column in held.items() if name != "label"}
    return path


@pytest.fixture(scope="session")
def jets() -> Columns:
    """1500 jets of two classes: more than one batch."""
    return make_columns(1500)


@pytest.fixture(scope="session")
def parquet(jets: Columns, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The jets as a Parquet file."""
    return write_parquet(tmp_path_factory.mktemp("clouds") / "jets.parquet", jets)


@pytest.fixture
def columns_of() -> Callable[..., Columns]:
    """`columns_of(jets, seed=0, label="", sizes=None)`."""
    return make_columns


@pytest.fixture
def to_parquet() -> Callable[..., Path]:
    """`to_parquet(path, columns, rows=400)`."""
    return write_parquet


@pytest.fixture
def to_root() -> Callable[..., Path]:
    """`to_root(path, columns)`."""
    return write_root
