"""look says of files of jets what each column is read as, and of others which layout fits."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.sources.look.look import look


@pytest.fixture
def jets(tmp_path) -> Path:
    lists = {f"part_{name}": [np.ones(k + 1, np.float32) for k in range(4)] for name in ("px", "py")}
    others = {
        "jet_pt": np.ones(4),
        "label": list("abab"),
        "other": [[1.0]] * 4,
        "when": pa.array([0] * 4, pa.timestamp("ns")),
    }
    path = tmp_path / "jets.parquet"
    pq.write_table(pa.table(lists | others), path)
    return path


def test_columns_of_jets(jets) -> None:
    found = look(str(jets))
    roles = {entry.name: entry.role for entry in found.entries}
    assert roles["part_px"] == "feature of particles"
    assert roles["jet_pt"] == "known of a sample"
    assert roles["label"] == "labels"
    assert roles["other"] == roles["when"] == "not read"
    assert {entry.name: entry.unit for entry in found.entries}["part_px"] == "GeV"
    said = "\n".join(found.lines)
    assert "read as 4 samples from 1 file, of particles with 2 features each, of the classes a, b" in said
    assert "when (timestamp[ns])" in said


def test_a_folder_and_a_layout(jets, tmp_path) -> None:
    layout = tmp_path / "mine.yaml"
    layout.write_text(
        "new_variables: {pt: 'np.hypot(part_px, part_py)', is_a: \"label == 'a'\", is_b: \"label == 'b'\"}\n"
        "inputs: {pf: {length: 3, vars: [pt]}}\nlabels: {type: simple, value: [is_a, is_b]}\n"
    )
    found = look(str(jets.parent), layout)
    roles = {entry.name: entry.role for entry in found.entries}
    assert roles["part_py"] == "read for pt"
    assert "jet_pt" not in roles
    assert any("read as 4 samples from 4 rows of 1 file, of pf with 1 feature each" in line for line in found.lines)
    assert "3 other columns not read" in found.lines


def test_samples_of_events_are_counted_not_the_events(tmp_path) -> None:
    uproot, ak = pytest.importorskip("uproot"), pytest.importorskip("awkward")
    pt = ak.Array([[30.0, 20.0, 5.0], [], [50.0], [60.0, 40.0]])
    with uproot.recreate(tmp_path / "events.root") as file:
        file["Events"] = {"Jet_pt": pt, "Jet_eta": 0 * pt, "MET_pt": np.ones(4)}
    layout = tmp_path / "jets.toml"
    layout.write_text(
        '[clouds]\nsample = "Jet"\nselect = "Jet_pt > 10"\n[[clouds.groups]]\nname = "jet"\n'
        '[clouds.groups.features]\npt = "Jet_pt"\neta = "Jet_eta"\n'
    )
    found = look(str(tmp_path / "events.root"), layout)
    assert any("read as 5 samples from 4 events of 1 file" in line for line in found.lines)
    assert "samples left out by the selection: 1" in found.lines
    assert {entry.name for entry in found.entries} == {"Jet_pt", "Jet_eta"}  # no counters, and not what is not read


def test_what_is_wrong_with_a_layout_is_said(jets, tmp_path) -> None:
    layout = tmp_path / "mine.yaml"
    layout.write_text("inputs: {pf: {length: 3, vars: [part_p]}}\nlabels: {type: simple, value: [a, b]}\n")
    assert any("has no branch part_p; nearest is part_p" in line for line in look(str(jets), layout).lines)


def test_a_tree_of_other_things_says_which_layout_fits(tmp_path) -> None:
    uproot = pytest.importorskip("uproot")
    path = tmp_path / "nano.root"
    with uproot.recreate(path) as file:
        file["Events"] = {"Jet_pt": pytest.importorskip("awkward").Array([[1.0], []])}
    assert any("--layout nanoaod_jets" in line for line in look(str(path)).options)
