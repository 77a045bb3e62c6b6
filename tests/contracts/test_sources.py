"""Laws that every Source keeps: the readers of the table of names, the wrappers, and an outsider's class."""

from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from lynkeus.core import Batch, Schema, Source, concatenate, plugins
from lynkeus.sources import (
    Accumulate,
    Exclude,
    Files,
    Finite,
    Inject,
    InMemory,
    Ordered,
    Replay,
    Select,
    Window,
    read_layout,
    write_bundle,
)
from lynkeus.sources.formats.samples import SampleFile
from lynkeus.sources.writers.write import write_source
from lynkeus.transforms.faults import Fault

ROWS, CHANNELS = 6500, 4


def _table() -> Batch:
    values = np.random.default_rng(0).normal(size=(ROWS, CHANNELS)).astype(np.float32)
    names = tuple(f"column_{number}" for number in range(CHANNELS))
    schema = Schema("table", names, (), (CHANNELS,), 10.0)
    return Batch(schema, values, 10**18 + np.arange(ROWS) * 10**8, meta={"position": np.arange(ROWS)})


def _columns() -> dict[str, np.ndarray]:
    table = _table()
    return {"time_ns": table.time_ns} | {name: table.values[:, k] for k, name in enumerate(table.schema.names)}


def _hdf5(folder: Path) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        file["values"], file["time_ns"] = _table().values, _table().time_ns
    return folder / "a.h5"


def _parquet(folder: Path) -> Path:
    pyarrow.parquet.write_table(pa.table(_columns()), folder / "a.parquet")
    return folder / "a.parquet"


def _csv(folder: Path) -> Path:
    pyarrow.csv.write_csv(pa.table(_columns()), folder / "a.csv")
    return folder / "a.csv"


def _numpy(folder: Path) -> Path:
    np.savez(folder / "a.npz", X=_table().values, time_ns=_table().time_ns)
    return folder / "a.npz"


def _bundle(folder: Path) -> Path:
    write_bundle(InMemory(_table()), folder / "bundle")
    return folder / "bundle"


def _pulses(folder: Path) -> Path:
    with h5py.File(folder / "pulses.h5", "w") as file:
        file["LLRF/C1.M1.A10.L3/data"] = np.random.default_rng(0).normal(size=(6, 40, 700)).astype(np.float32)
        file["EVENT_INFO/pid"] = np.arange(700)
    return folder / "pulses.h5"


def _described(folder: Path) -> Path:
    write_source(InMemory(_table()), folder / "described.h5")
    return folder / "described.h5"


SAMPLES = {"hdf5": _hdf5, "parquet": _parquet, "csv": _csv, "numpy": _numpy, "bundle": _bundle}


def _memory() -> InMemory:
    return InMemory(_table(), 700)


WRAPPERS = {
    "accumulate": lambda: Accumulate(_memory(), 3),
    "exclude": lambda: Exclude(_memory(), [(10**18 + 10**10, 10**18 + 2 * 10**10)]),
    "finite": lambda: Finite(_memory()),
    "in_memory": _memory,
    "inject": lambda: Inject(_memory(), [Fault("noisy", 10, 50, 1)], np.ones(CHANNELS), np.zeros(CHANNELS)),
    "ordered": lambda: Ordered(_memory()),
    "replay": lambda: Replay(_memory(), 0),
    "select": lambda: Select(_memory(), rows=(5, 900)),
    "window": lambda: Window(_memory(), 10),
    "window_overlapping": lambda: Window(_memory(), 10, 3),
}


OF_IMAGES = {"images"}  # see tests/sources/test_images
OURS = {name for name in plugins.BUILT_IN["sources"] if name not in OF_IMAGES}  # plug-ins bring tests of their own


@pytest.fixture(params=sorted((OURS & set(SAMPLES)) | {"pulses"} | set(WRAPPERS) | {"files", "samples"}))
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    if request.param in WRAPPERS:
        return WRAPPERS[request.param]()
    if request.param == "files":
        return Files([plugins.load("sources", "numpy")(_numpy(tmp_path))])
    if request.param == "samples":
        return SampleFile(_described(tmp_path))
    if request.param == "pulses":
        return plugins.load("sources", "pulses")(_pulses(tmp_path), read_layout("xfel_llrf"))
    return plugins.load("sources", request.param)(SAMPLES[request.param](tmp_path))


def test_a_source_keeps_its_laws(source: Source):
    assert isinstance(source, Source)
    assert isinstance(source.schema, Schema)
    batches = list(source)
    assert batches
    assert all(0 < len(batch) <= ROWS for batch in batches)
    for batch in batches:
        assert source.schema.difference(batch.schema) == ""
    read, again = concatenate(batches), concatenate(list(source))
    np.testing.assert_array_equal(read.values, again.values)
    np.testing.assert_array_equal(read.time_ns, again.time_ns)
    assert read.values.dtype.kind == "f"
    assert read.time_ns.dtype == np.int64
    assert (np.diff(read.time_ns) > 0).all()
    assert (np.diff(read.meta["position"]) > 0).all()
    if hasattr(source, "__len__"):
        assert len(source) == len(read)


def test_every_reader_gives_the_same_rows(tmp_path: Path):
    expected = _table()
    for name, write in SAMPLES.items():
        read = concatenate(list(plugins.load("sources", name)(write(tmp_path))))
        np.testing.assert_allclose(read.values, expected.values, rtol=1e-6)
        np.testing.assert_array_equal(read.time_ns, expected.time_ns)
        np.testing.assert_array_equal(read.meta["position"], expected.meta["position"])
        assert read.schema.sample_rate_hz == pytest.approx(10.0)


class _Outsider:
    """The least that a Source needs: no base class, no import of ours but the nouns."""

    schema = Schema("table", ("a",), ("V",), (1,))

    def __iter__(self):
        yield Batch(self.schema, np.zeros((4, 1)))
        yield Batch(self.schema, np.ones((3, 1)))


def test_an_outsiders_class_is_a_source_and_can_be_wrapped():
    assert isinstance(_Outsider(), Source)
    assert sum(len(batch) for batch in Window(Ordered(Finite(_Outsider())), 2)) == 3
    assert Window(_Outsider(), 2).messages == []
    with pytest.raises(TypeError):
        len(Window(_Outsider(), 2))
