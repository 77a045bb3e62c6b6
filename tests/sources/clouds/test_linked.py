"""A layout of one's own for events: samples, what belongs to them, conditions for classes, and what is wrong in it."""

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import SettingsError, SourceError, concatenate
from lynkeus.sources import Layout, open_source, read_layout

LAYOUT = """
[clouds]
tree = "Events"
sample = "Jet"
select = "Jet_pt > 15"

[clouds.classes]
b = "Jet_flavour == 5"
light = "Jet_flavour == 0"

[clouds.observers]
jet_pt = "Jet_pt"
rho = ["rho_new", "rho"]
gone = "Jet_gone"

[clouds.variables]
Cand_px = "Cand_pt * np.cos(Cand_phi)"

[[clouds.groups]]
name = "particles"
links = "JetCand"
sample = "JetCand_jetIdx"
of = { Cand = "JetCand_candIdx" }
select = "Cand_pt > 1"
order = ["-Cand_pt"]
length = 3

[clouds.groups.features]
px = "Cand_px"
pt_rel = "Cand_pt / Jet_pt"
log_pt_rel = "np.log(pt_rel)"
deta = "Cand_eta - Jet_eta"

[[clouds.groups]]
name = "near"
near = "SV"
radius = 0.5

[clouds.groups.features]
mass = "SV_mass"

[[clouds.groups]]
name = "jet"

[clouds.groups.features]
pt = "Jet_pt"
rho = "rho"
count = "n_particles"
"""
EVENTS = {
    "nJet": [2, 0, 1],
    "Jet_pt": [[30.0, 10.0], [], [50.0]],
    "Jet_eta": [[0.0, 1.0], [], [-1.0]],
    "Jet_phi": [[3.1, 0.0], [], [0.0]],
    "Jet_flavour": [[5, 0], [], [4]],
    "Cand_pt": [[5.0, 2.0, 9.0, 0.5, 7.0, 3.0], [1.0], [4.0]],
    "Cand_eta": [[0.1] * 6, [0.0], [-1.1]],
    "Cand_phi": [[0.0] * 6, [0.0], [0.5]],
    "JetCand_jetIdx": [[0, 0, 0, 0, 1, 0, 7], [], [0, 0]],
    "JetCand_candIdx": [[0, 1, 2, 3, 4, 5, 0], [], [0, 9]],
    "SV_eta": [[0.2, 0.0], [0.0], []],
    "SV_phi": [[-3.1, 1.0], [0.0], []],
    "SV_mass": [[1.5, 2.5], [3.5], []],
    "rho": [11.0, 12.0, 13.0],
}


def write_events(path: Path, events: dict) -> Path:
    ak, uproot = pytest.importorskip("awkward"), pytest.importorskip("uproot")
    with uproot.recreate(path) as file:
        held = {name: ak.Array(column) for name, column in events.items()}
        for name in ("Jet_pt", "Jet_eta", "Jet_phi", "SV_eta", "SV_phi", "SV_mass", "Cand_pt", "Cand_eta", "Cand_phi"):
            if name in held:
                held[name] = ak.values_astype(held[name], "float32")
        for name in ("Jet_flavour", "JetCand_jetIdx", "JetCand_candIdx"):
            if name in held:
                held[name] = ak.values_astype(held[name], "int32")
        file["Events"] = held
    return path


@pytest.fixture
def layout(tmp_path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(LAYOUT)
    return path


def read(path, layout):
    source = open_source(path, layout)
    batch = concatenate(list(source))
    return batch[np.lexsort([batch.meta["entry"], batch.meta["position"]])], source


def test_samples_with_what_belongs_to_them(tmp_path, layout) -> None:
    batch, source = read(write_events(tmp_path / "events.root", EVENTS), layout)
    assert batch.schema.names[:4] == tuple(f"particles/{name}" for name in ("px", "pt_rel", "log_pt_rel", "deta"))
    assert batch.meta["position"].tolist() == [0, 2]
    assert batch.meta["entry"].tolist() == [0, 0]
    assert batch.meta["rho"].tolist() == [11.0, 13.0]
    assert batch.truth.tolist() == [0, -1]
    particles = batch.packed.groups["particles"]
    assert particles.lengths.tolist() == [3, 1]
    np.testing.assert_allclose(particles.values[:, 1], [9 / 30, 5 / 30, 3 / 30, 4 / 50], rtol=1e-6)
    np.testing.assert_allclose(particles.values[:, 2], np.log(particles.values[:, 1]), rtol=1e-5)
    np.testing.assert_allclose(particles.values[3], [4 * np.cos(0.5), 0.08, np.log(0.08), -0.1], rtol=1e-4, atol=1e-6)
    assert batch.packed.groups["near"].values[:, 0].tolist() == [1.5]
    assert batch.packed.groups["near"].lengths.tolist() == [1, 0]
    np.testing.assert_array_equal(batch.packed.groups["jet"].values, [[30, 11, 4], [50, 13, 1]])
    messages = "\n".join(source.messages)
    assert "entries of JetCand that point at no Jet or Cand that is there, left out: 2" in messages
    assert "samples left out by the selection: 1" in messages
    assert "samples of none of the classes b, light: 1" in messages
    assert "gone is left out" in messages
    assert "has no branch Jet_gone" in messages


def test_a_model_remembers_the_layout_and_data_need_no_classes(tmp_path, layout) -> None:
    path = write_events(tmp_path / "events.root", EVENTS)
    first = open_source(path, layout)
    kept = Layout.from_dict(read_layout(layout).to_dict())
    data = write_events(tmp_path / "data.root", {k: v for k, v in EVENTS.items() if k != "Jet_flavour"})
    batch = concatenate(list(open_source(data, kept, expected=first.schema)))
    assert batch.truth is None
    assert batch.schema.names == first.schema.names
    assert batch.meta["entry"].tolist() == [0, 0]


def test_a_list_of_another_length_than_its_counter(tmp_path, layout) -> None:
    broken = EVENTS | {"Jet_eta": [[0.0, 1.0], [2.0], [-1.0]]}
    with pytest.raises(SourceError, match=r"events\.root: Jet_eta has 1 entries in event 1, where nJet says 0"):
        read(write_events(tmp_path / "events.root", broken), layout)


def test_a_branch_that_is_not_there(tmp_path, layout) -> None:
    broken = {k: v for k, v in EVENTS.items() if k != "JetCand_candIdx"} | {
        "JetCand_candidx": EVENTS["JetCand_candIdx"]
    }
    with pytest.raises(SourceError, match=r"has no branch JetCand_candIdx.*nearest is JetCand_candidx"):
        open_source(write_events(tmp_path / "events.root", broken), layout)


def test_nothing_that_is_selected_is_said(tmp_path, layout) -> None:
    layout.write_text(LAYOUT.replace("Jet_pt > 15", "Jet_pt > 1500"))
    with pytest.raises(SourceError, match=r"of 3 rows nothing is left \(samples left out by the selection: 3"):
        list(open_source(write_events(tmp_path / "events.root", EVENTS), layout))


def test_classes_by_the_names_of_files(tmp_path, columns_of, to_parquet) -> None:
    for name in ("qcd_1", "qcd_2", "ttbar_1"):
        columns = columns_of(20)
        del columns["label"]
        to_parquet(tmp_path / f"{name}.parquet", columns)
    layout = tmp_path / "files.toml"
    layout.write_text('[clouds.files]\n"qcd_*" = "qcd"\n"ttbar_*" = "top"\n')
    batch = concatenate(list(open_source(tmp_path, layout)))
    assert batch.schema.classes == ("qcd", "top")
    np.testing.assert_array_equal(batch.truth, np.array([0, 0, 1])[batch.meta["file"]])
    layout.write_text("[clouds]\nlabel = '^(?P<label>[a-z]+)_'\n")
    assert open_source(tmp_path, layout).schema.classes == ("qcd", "ttbar")
    layout.write_text('[clouds.files]\n"qcd_*" = "qcd"\n')
    with pytest.raises(SourceError, match=r"ttbar_1\.parquet: its name fits no class of the layout \(qcd_\*\)"):
        open_source(tmp_path, layout)


GROUP = "sample = 'Jet'\n[[clouds.groups]]\nname = 'a'\n"
BROKEN = {
    "sampel = 'Jet'": "clouds.sampel: no such field; nearest is sample",
    "sample = 'Jet'": "a sample needs groups",
    "sample = 3": "clouds.sample: must be text",
    "[[groups]]\nname = 'a'": "groups: no such field",
    "[[clouds.groups]]\nname = 'a'": "clouds.groups.a.features: is missing",
    "[[clouds.groups]]\nlinks = 'a'": "must be a table with a name",
    GROUP + "links = 'x'\nfeatures = { x = 'x' }": "give links with sample",
    GROUP + "length = 0\nfeatures = { x = 'x' }": "length: must be a whole number",
    GROUP + "features = { x = 'open(1)' }": "features.x: 'open(1)': open is no function",
    "select = 'a and b'": "write & and |",
    "files = 3": "clouds.files: must be a table",
}


@pytest.mark.parametrize(("text", "says"), BROKEN.items(), ids=range(len(BROKEN)))
def test_what_is_wrong_in_the_table_is_one_line(tmp_path, text, says) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text if text.startswith("[") else f"[clouds]\n{text}\n")
    with pytest.raises(SettingsError) as raised:
        read_layout(path)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
