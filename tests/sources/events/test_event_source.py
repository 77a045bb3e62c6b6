"""Events as tables by a layout: every format, lists, weights, variations, processes, data, and mistakes in one line."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.core import LynkeusError, concatenate
from lynkeus.searches.events import read
from lynkeus.searches.plan.files import File
from lynkeus.searches.plan.plan import Samples
from lynkeus.sources import Layout, open_source

N = 400
LAYOUT = """
[events]
select = "met > 20"
weight = "w * 2"
[events.variables]
total = "pt + met"
[events.columns]
met = "met"
sum = "total"
[events.processes]
hard = "pt > 50"
soft = "pt <= 50"
[events.regions]
high = "met > 60"
[events.observers]
number = "number"
[events.weights]
pileup = { up = "w * 2.2", down = "w * 1.8" }
[events.shifted.jec]
up = { met = "met * 1.1" }
down = { met = "met * 0.9" }
"""


def columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {"met": rng.exponential(50, N), "pt": rng.exponential(50, N), "w": rng.uniform(0.5, 1.5, N),
            "number": np.arange(N)}  # fmt: skip


def layout(text: str = LAYOUT) -> Layout:
    return Layout.from_dict({"name": "events.toml", **tomllib.loads(text)})


def write(path: Path, held: dict[str, np.ndarray]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.table(held), path)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, column in held.items():
                file[f"tree/{name}"] = column
    elif path.suffix == ".npz":
        np.savez(path, **held)
    elif path.suffix == ".root":
        uproot = pytest.importorskip("uproot")
        with uproot.recreate(path) as file:
            file["Events"] = held
    else:
        rows = [",".join(held), *(",".join(map(repr, map(float, row))) for row in zip(*held.values(), strict=True))]
        path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".h5", ".npz", ".root"])
def test_every_format_gives_the_same_events(ending: str, tmp_path: Path) -> None:
    held = columns()
    kept = held["met"] > 20
    found = concatenate(list(open_source(write(tmp_path / f"a{ending}", held), layout())))
    assert found.schema.names == ("met", "sum")
    np.testing.assert_allclose(found.values[:, 1], (held["pt"] + held["met"])[kept], rtol=1e-6)
    np.testing.assert_allclose(found.weight, 2 * held["w"][kept], rtol=1e-6)
    assert (found.meta["process"] == np.where(held["pt"] > 50, "hard", "soft")[kept]).all()
    assert (found.meta["region"] == np.where(held["met"] > 60, "high", "")[kept]).all()
    np.testing.assert_allclose(found.meta["weight_pileup_up"], 2.2 * held["w"][kept], rtol=1e-6)
    np.testing.assert_allclose(found.meta["met_jec_down"], 0.9 * held["met"][kept], rtol=1e-6)
    np.testing.assert_array_equal(found.meta["number"].astype(int), held["number"][kept])


def test_what_data_lack_is_said(tmp_path: Path) -> None:
    held = {name: column for name, column in columns().items() if name != "w"}
    source = open_source(write(tmp_path / "data.parquet", held), layout())
    found = concatenate(list(source))
    assert found.weight is None
    assert "weight_pileup_up" not in found.meta
    said = " ".join(source.messages)  # type: ignore[attr-defined]
    assert "has no column w" in said
    assert "its events weigh 1" in said
    assert "left out by the selection" in said
    assert "weight_pileup_up" in said


def test_a_model_takes_the_columns_that_it_knows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns())
    schema = next(iter(open_source(path, layout()))).schema
    turned = Layout.from_dict(layout().to_dict())
    again = open_source(path, turned, expected=type(schema)("table", ("sum",), shape=(1,)))
    assert again.schema.names == ("sum",)


def test_a_file_without_layout_is_read_as_it_is(tmp_path: Path) -> None:
    held = columns() | {"process": np.where(np.arange(N) % 2, "a", "b"), "weight": np.linspace(-1, 1, N)}
    path = str(write(tmp_path / "a.parquet", held))
    found = read(File(path), Samples((File(path),), File(path)))
    assert len(found) == N
    assert (found.weight < 0).any()  # of a search they may be: sums are looked at
    assert set(found.columns["process"]) == {"a", "b"}


MISTAKES: dict[tuple[str, str], str] = {
    ('met = "met"', 'met = "mett"'): "has no column mett; nearest is met",
    ('met = "met"', 'met = "__import__(1)"'): "no function that may be called",
    ('weight = "w * 2"', ""): "is a variation without its nominal: give weight",
    ('[events.columns]\nmet = "met"\n', "[events.columns]\n"): "is a variation without its nominal",
    ('select = "met > 20"', 'select = "met > 1e9"'): "no event is selected",
    ('select = "met > 20"', 'selects = "met > 20"'): "no such field; nearest is select",
    ('total = "pt + met"', 'total = "total + met"'): "defined by each other",
    ('down = "w * 1.8"', 'dawn = "w * 1.8"'): "give up and down",
    ('weight = "w * 2"', 'weight = "np.log(w - 1)"'): "of selected event",
}


@pytest.mark.parametrize("change", MISTAKES)
def test_mistakes_are_one_line(change: tuple[str, str], tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", columns())
    assert change[0] in LAYOUT
    with pytest.raises(LynkeusError) as raised:
        list(open_source(path, layout(LAYOUT.replace(*change))))
    assert MISTAKES[change] in str(raised.value)
    assert "\n" not in str(raised.value)


DATA = os.environ.get("LYNKEUS_DATA")
HEP = Path(DATA or "/nowhere") / "hep"


@pytest.mark.slow
@pytest.mark.skipif(not HEP.is_dir(), reason="needs open files of CMS in LYNKEUS_DATA")
def test_lists_of_nanoaod(tmp_path: Path, lynkeus: Callable[..., Any]) -> None:
    pytest.importorskip("uproot")
    text = """
[events]
tree = "Events"
select = "ak.num(good, axis=1) >= 2"
[events.variables]
good = "Jet_pt[(Jet_pt > 30) & (abs(Jet_eta) < 2.4)]"
[events.columns]
ht = "ak.sum(good, axis=1)"
n_jet = "ak.num(good, axis=1)"
met = "MET_pt"
"""
    (tmp_path / "nano.toml").write_text(text, "utf-8")
    source = open_source(HEP / "nanoAOD_2015_CMS_Open_Data_ttbar.root", tmp_path / "nano.toml")
    found = concatenate(list(source))
    assert 20 < len(found) <= 200
    assert (found.values[:, 1] >= 2).all()
    assert (found.values[:, 0] > 60).all()


@pytest.mark.slow
@pytest.mark.skipif(not HEP.is_dir(), reason="needs the H -> tau tau table in LYNKEUS_DATA")
def test_a_classifier_of_the_higgs_table(tmp_path: Path, lynkeus: Callable[..., Any]) -> None:
    pytest.importorskip("torch")
    text = """
[events]
weight = "weights"
[events.columns]
m_vis = "DER_mass_vis"
met = "PRI_met"
ht = "PRI_had_pt + PRI_lep_pt"
[events.processes]
htautau = "labels == 1"
other = "labels == 0"
"""
    (tmp_path / "fair.toml").write_text(text, "utf-8")
    table = HEP / "FAIR_Universe_HiggsML_data.parquet"
    done = lynkeus("fit", table, "--layout", "fair.toml", "--labels", "process", "-s", "search_classifier",
                   "--set", "training.epochs=3", "-o", "MODEL")  # fmt: skip
    assert done.code == 0, done
    done = lynkeus("score", "MODEL", table, "-o", "scores.parquet")
    assert done.code == 0, done
    scores = pq.read_table("scores.parquet")
    assert scores.num_rows == 1000
    assert scores.schema.field("htautau").type == pa.float64()
