import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from lynkeus.core import SourceError, concatenate
from lynkeus.sources import open_source
from lynkeus.sources.formats.hdf5 import Hdf5Source
from lynkeus.sources.formats.layout import Block, Layout, Times, read_layout


def test_orbits_become_a_table_of_both_planes(orbits: Path):
    source = Hdf5Source(orbits, read_layout("xfel_orbits"))
    batches = list(source)
    read = concatenate(batches)
    assert [len(batch) for batch in batches] == [6000, 100]
    assert source.schema.names[1] == "BPME.2241.SA1/x"
    assert source.schema.names[4] == "BPME.2241.SA1/y"
    assert source.schema.units == ("mm",)
    assert source.schema.instrument == "xfel_orbits"
    assert source.schema.sample_rate_hz == pytest.approx(10.0)
    assert read.values.dtype == np.float32
    with h5py.File(orbits) as file:
        np.testing.assert_array_equal(read.values, np.hstack([file["orbit/x"][:], file["orbit/y"][:]]))
        np.testing.assert_array_equal(read.time_ns, file["orbit/time_ns"][:])
    np.testing.assert_array_equal(read.meta["position"], np.arange(6100))


def test_one_table_is_read_without_a_layout(tmp_path: Path):
    path = tmp_path / "plain.hdf5"
    with h5py.File(path, "w") as file:
        file["run/data"] = np.arange(20.0).reshape(10, 2)
        file["run/time_ns"] = np.arange(10) * 1000
        file["run/truth"] = np.arange(10) % 2
        file["run/data"].attrs["unit"] = "V"
    (batch,) = Hdf5Source(path)
    assert batch.schema.names == ("data/0", "data/1")
    assert batch.schema.units == ("V",)
    assert batch.values.dtype == np.float64
    assert batch.truth.tolist() == [0, 1] * 5
    assert batch.time_ns[-1] == 9000


def test_any_layout_seconds_single_columns_and_a_fixed_rate(tmp_path: Path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["current"] = np.arange(4, dtype=np.int16)
        file["field"] = np.ones((4, 2), np.float32)
        file["labels"] = np.array([b"north", b"south"])
        file["when"] = np.array([0.0, 0.5, 1.0, 1.25]) + 1_600_000_000
    blocks = (Block("current", unit="A"), Block("field", "B", "T"))
    (batch,) = Hdf5Source(path, Layout(blocks=blocks, names="labels", times=Times("when", "s")))
    assert batch.schema.names == ("current", "north/B", "south/B")
    assert batch.schema.units == ("A", "T", "T")
    assert (batch.time_ns - 1_600_000_000 * 10**9).tolist() == [0, 500_000_000, 1_000_000_000, 1_250_000_000]
    (batch,) = Hdf5Source(path, Layout(blocks=blocks[:1], times=Times(sample_rate_hz=4.0, start_ns=7)))
    assert batch.time_ns.tolist() == [7, 250_000_007, 500_000_007, 750_000_007]


def test_two_tables_without_a_layout_are_listed(orbits: Path):
    with pytest.raises(SourceError, match=r"2 two-dimensional.*orbit/x \(6100, 3\).*--layout"):
        Hdf5Source(orbits)


def test_a_missing_dataset_is_named_with_what_there_is(orbits: Path):
    with h5py.File(orbits, "a") as file:
        del file["orbit/y"]
    with pytest.raises(SourceError, match=r"no dataset 'orbit/y' of layout xfel_orbits; the file holds .*orbit/x"):
        Hdf5Source(orbits, read_layout("xfel_orbits"))


@pytest.mark.parametrize(
    ("name", "replacement", "said"),
    [
        ("orbit/y", np.zeros((6099, 3)), "orbit/y has 6099 rows, /orbit/x has 6100"),
        ("orbit/y", np.zeros((6100, 3, 2)), "not rows of numbers"),
        ("orbit/bpm", np.array([b"a", b"b"]), "2 names for the 3 channels"),
        ("orbit/bpm", np.array([b"a", b"b", b"b"]), "names must be unique"),
        ("orbit/time_ns", np.zeros(10, int), r"shape \(10,\) for 6100 rows"),
        ("orbit/time_ns", np.full(6100, np.nan), "entry 0 is not a time"),
        ("orbit/time_ns", np.full(6100, b"now"), "times must be numbers"),
    ],
)
def test_datasets_that_do_not_fit_are_refused(orbits: Path, name: str, replacement: np.ndarray, said: str):
    with h5py.File(orbits, "a") as file:
        del file[name]
        file[name] = replacement
    with pytest.raises(SourceError, match=said) as caught:
        Hdf5Source(orbits, read_layout("xfel_orbits"))
    assert "\n" not in str(caught.value)


def test_bad_files_are_told_apart(orbits: Path, tmp_path: Path):
    layout = read_layout("xfel_orbits")
    empty, text, cut = tmp_path / "empty.h5", tmp_path / "text.h5", tmp_path / "cut.h5"
    empty.touch()
    text.write_text("hello\n" * 1000)
    whole = orbits.read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    for path, said in ((empty, r"empty \(0 bytes\)"), (text, "not an HDF5 file"), (cut, "truncated")):
        with pytest.raises(SourceError, match=said):
            Hdf5Source(path, layout)
    with pytest.raises(SourceError, match="no such file"):
        Hdf5Source(tmp_path / "absent.h5", layout)
    with pytest.raises(SourceError, match="is a folder"):
        Hdf5Source(tmp_path, layout)


def test_damage_in_the_middle_names_the_rows(orbits: Path):
    with h5py.File(orbits) as file:
        chunk = file["orbit/x"].id.get_chunk_info(6)
    content = bytearray(orbits.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    orbits.write_bytes(content)
    batches = iter(Hdf5Source(orbits, read_layout("xfel_orbits")))
    assert len(next(batches)) == 6000
    with pytest.raises(SourceError, match="rows 6000 to 6100 are damaged"):
        next(batches)


def test_no_rows_is_an_error(tmp_path: Path):
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file["x"] = np.zeros((0, 3))
    with pytest.raises(SourceError, match="holds no rows"):
        Hdf5Source(tmp_path / "none.h5")


def test_the_real_orbits():
    folder = os.environ.get("LYNKEUS_DATA")
    path = Path(folder or ".") / "xfel_orbits" / "orbits.h5"
    if not folder or not path.is_file():
        pytest.skip("LYNKEUS_DATA does not hold xfel_orbits/orbits.h5")
    source = open_source(path, "xfel_orbits")
    assert len(source) == sum(len(batch) for batch in source) == 71_997
    assert len(source.schema.names) == 206
    assert {"BPME.2241.SA1/x", "BPME.2369.SA1/y", "BPMH.2249.SA2/x"} <= set(source.schema.names)
    assert source.schema.sample_rate_hz == pytest.approx(10.0)
    assert source.messages == []
    assert source.missed == 0


def test_what_is_no_number_of_a_row_is_said(tmp_path: Path):
    path = tmp_path / "types.h5"
    with h5py.File(path, "w") as file:
        file["a"], file["b"] = np.arange(10.0), np.arange(10, dtype=">i2")
        file["waves"] = np.zeros(10, complex)
        file["names"] = np.array(["x"] * 10, dtype=h5py.string_dtype())
        file.create_dataset("lists", (10,), h5py.vlen_dtype(np.float32))
        file.create_dataset("parts", (10,), h5py.ref_dtype)
    source = Hdf5Source(path)
    assert source.schema.names == ("a", "b")
    said = "lists (lists), names (text), parts (references), waves (complex128)"
    assert f"not read, as they are no numbers of a row: {said}" in source.messages[0]


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("fixed", [True, False])
def test_times_that_are_text(fixed: bool, split: bool, tmp_path: Path) -> None:
    moments = np.datetime64("2026-03-05T12:00:00", "s") + np.arange(40)
    days = [str(one).replace("-", "/") for one in moments.astype("M8[D]")]
    clocks = [str(one)[11:] for one in moments]
    kind = "S" if fixed else h5py.string_dtype()
    columns = {"day": days, "clock": clocks} if split else {"when": [str(one) for one in moments]}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = np.random.default_rng(1).normal(size=(40, 3))
        file["shutter"] = np.array(["open", "shut"] * 20, "S")
        for name, entries in columns.items():
            file.create_dataset(name, data=np.array(entries, kind if fixed else object), dtype=None if fixed else kind)
    source = open_source(tmp_path / "a.h5")
    batch = concatenate(list(source))
    np.testing.assert_array_equal(batch.time_ns, moments.astype("M8[ns]").astype(np.int64))
    assert any(line.endswith("text left out: shutter") for line in source.messages)
    if not split:
        own = Layout(times=Times("when"), blocks=(Block("v"),))
        named = concatenate(list(open_source(tmp_path / "a.h5", own)))
        np.testing.assert_array_equal(named.time_ns, batch.time_ns)


def test_a_field_of_text_is_said_to_be_left_out(tmp_path: Path) -> None:
    table = np.zeros(50, [("t", "f8"), ("a", "f4"), ("tag", "S4")])
    table["t"], table["a"] = 1.7e9 + np.arange(50), np.random.default_rng(1).normal(size=50)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["log/table"] = table
    source = open_source(tmp_path / "a.h5")
    assert source.schema.names == ("a",)
    assert any(line.endswith("text left out: log/table/tag") for line in source.messages)
