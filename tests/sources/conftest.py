"""A small shift of orbits: times, values and names, and the file that the instrument would write."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from lynkeus.core import Batch, Schema

START_NS = 1_645_747_200_000_000_000
STEP_NS = 100_000_000
BPMS = ["BPME.2203.SA2", "BPME.2241.SA1", "BPMH.2249.SA2"]


def _table(rows: int, channels: int = 3, seed: int = 0) -> Batch:
    values = np.random.default_rng(seed).normal(size=(rows, channels)).astype(np.float32)
    names = tuple(f"c{number}" for number in range(channels))
    time_ns = START_NS + STEP_NS * np.arange(rows)
    schema = Schema("table", names, ("mm",), (channels,), 10.0)
    return Batch(schema, values, time_ns, meta={"position": np.arange(rows)})


@pytest.fixture(scope="session")
def make_table():
    """`make_table(rows, channels=3, seed=0)`: a 10 Hz table."""
    return _table


@pytest.fixture
def orbits(tmp_path: Path) -> Path:
    """An HDF5 file in the layout xfel_orbits: 6100 shots, so two batches."""
    path = tmp_path / "orbits.h5"
    rng = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        for plane in ("x", "y"):
            data = rng.normal(size=(6100, len(BPMS))).astype(np.float16)
            file.create_dataset(f"orbit/{plane}", data=data, chunks=(1000, len(BPMS)), compression="gzip")
        file["orbit/bpm"] = np.array([f"XFEL.DIAG/BPM/{name}" for name in BPMS], dtype=h5py.string_dtype())
        file["orbit/time_ns"] = START_NS + STEP_NS * np.arange(6100)
    return path
