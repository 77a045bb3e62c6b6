"""Jets as files: lists in Parquet and ROOT, padded in HDF5 and npz, with labels and what is known of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.core import Batch, Group, Packed, Schema, SettingsError, SourceError, concatenate
from lynkeus.sources import InMemory, open_source
from lynkeus.sources.writers.write import write_source

NAMES = ("particles/part_px", "particles/part_charge", "vertices/sv_mass")
WORDS = ["top", "", "qcd", "top"]


@pytest.fixture
def jets() -> Batch:
    """Four jets of 2, 0, 3 and 1 particles, two of which have a vertex; the class of one is not known."""
    particles = np.arange(12, dtype=np.float32).reshape(6, 2)
    groups = {
        "particles": Group.of_lengths(particles, np.array([2, 0, 3, 1])),
        "vertices": Group.of_lengths(np.array([[1.5], [2.5]], np.float32), np.array([1, 0, 0, 1])),
    }
    schema = Schema("cloud", NAMES, (), (None, None), classes=("qcd", "top"))
    meta = {"jet_pt": np.array([9.0, 8, 7, 6]), "where": np.array(["a", "b", "a", "a"])}
    return Batch(schema, Packed(groups), truth=np.array([1, -1, 0, 1]), weight=np.array([1.0, 2, 1, 1]), meta=meta)


class Halves(InMemory):
    """The same samples as two batches, the wider one last or first."""

    def __iter__(self):
        (whole,) = super().__iter__()
        yield whole[:2]
        yield whole[2:]


def test_parquet_has_a_column_of_lists_for_each_feature(jets: Batch, tmp_path: Path) -> None:
    assert write_source(Halves(jets), tmp_path / "a.parquet") == 4
    table = pq.read_table(tmp_path / "a.parquet").to_pydict()
    assert table["part_px"] == [[0, 2], [], [4, 6, 8], [10]]
    assert table["part_charge"] == [[1, 3], [], [5, 7, 9], [11]]
    assert table["sv_mass"] == [[1.5], [], [], [2.5]]
    assert table["label"] == WORDS
    assert table["jet_pt"] == [9, 8, 7, 6]
    assert table["weight"] == [1, 2, 1, 1]
    assert table["where"] == ["a", "b", "a", "a"]


@pytest.mark.parametrize("ending", [".h5", ".npz"])
def test_arrays_are_padded_and_have_a_mask(jets: Batch, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    assert write_source(Halves(jets), path) == 4
    if ending == ".h5":
        with h5py.File(path) as file:
            held = {name: data.asstr()[:] if data.dtype == object else data[:] for name, data in file.items()}
    else:
        held = dict(np.load(path))
    np.testing.assert_array_equal(held["mask"].sum(axis=1), [2, 0, 3, 1])
    assert held["particles"].shape == (4, 3, 2)
    np.testing.assert_array_equal(held["particles"][held["mask"].astype(bool)][:, 0], [0, 2, 4, 6, 8, 10])
    assert not held["particles"][~held["mask"].astype(bool)].any()
    assert held["names"].tolist() == ["part_px", "part_charge"]
    assert held["label"].tolist() == WORDS
    np.testing.assert_array_equal(held["vertices"][held["vertices_valid"].astype(bool)], [[1.5], [2.5]])


def test_a_tree_has_flags_for_classes(jets: Batch, tmp_path: Path) -> None:
    uproot = pytest.importorskip("uproot")
    assert write_source(Halves(jets), tmp_path / "a.root") == 4
    with uproot.open(tmp_path / "a.root") as file:
        held = {name: branch.array() for name, branch in file["tree"].items()}
    assert held["part_px"].tolist() == [[0, 2], [], [4, 6, 8], [10]]
    assert held["sv_mass"].tolist() == [[1.5], [], [], [2.5]]
    assert held["label_qcd"].tolist() == [0, 0, 1, 0]
    assert held["label_top"].tolist() == [1, 0, 0, 1]
    assert held["where"].tolist() == ["a", "b", "a", "a"]


@pytest.mark.parametrize("ending", [".parquet", ".root", ".h5", ".npz"])
def test_jets_of_the_simulator_are_read_again(tmp_path: Path, ending: str) -> None:
    if ending == ".root":
        pytest.importorskip("uproot")
    made = next(iter(open_source("sim://jets?classes=tau,light&pt=40-80&n=40")))
    path = tmp_path / f"a{ending}"
    write_source(InMemory(made), path)
    read = concatenate(list(open_source(path)))
    read = read[np.argsort(read.meta["position"])]
    assert list(read.values.groups) == ["particles", "vertices"]
    for name, group in read.values.groups.items():
        np.testing.assert_array_equal(group.values, made.values.groups[name].values)
    assert read.schema.difference(made.schema) == ""  # a model of one reads the other
    words = [np.array(jets.schema.classes)[jets.truth].tolist() for jets in (made, read)]
    assert words[0] == words[1]
    assert set(made.meta) <= set(read.meta)
    np.testing.assert_allclose(read.meta["jet_sdmass"], made.meta["jet_sdmass"])


def test_what_cannot_be_written_is_said(jets: Batch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"jets are written to \.parquet, \.h5, \.hdf5, \.npz, \.root"):
        write_source(InMemory(jets), tmp_path / "a.csv")
    with pytest.raises(SourceError, match="'part_px'"):
        write_source(InMemory(replace(jets, meta={"part_px": np.zeros(4)})), tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())
