"""Hits of any program: fit, score and export by the command line, and what is wrong with a file in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.tpc import hit_columns

from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.sources import open_source

pytestmark = pytest.mark.slow(0.5)
Run = Callable[..., Any]
QUICK = ("-s", "hit_filter", "--set", "method=trees", "--set", "trees=30", "--labels", "on_track")


@pytest.fixture(scope="module")
def columns() -> dict[str, np.ndarray]:
    return hit_columns(14, seed=5)


@pytest.fixture(scope="module")
def model(columns: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a model of these hits."""
    folder = tmp_path_factory.mktemp("model")
    np.savez(folder / "a.npz", **columns)
    settings = FitSettings("hit_filter", {"method": "trees", "trees": 30}, labels="on_track")
    fit(open_source(folder / "a.npz", hits=True), settings).save(folder / "M")
    return str(folder / "M")


def scores(name: str) -> dict[str, np.ndarray]:
    table = pq.read_table(name)
    return {column: np.array(table[column].to_pylist()) for column in table.column_names}


def flat(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The cells as a column each."""
    adc = columns["adc"]
    cells = {f"adc_{p}_{t}": adc[:, p, t] for p in range(adc.shape[1]) for t in range(adc.shape[2])}
    return {name: own for name, own in columns.items() if name != "adc"} | cells


def test_hits_are_fitted_and_scored_from_any_format(lynkeus: Run, columns: dict, tmp_path: Path) -> None:
    np.savez("train.npz", **columns)
    assert lynkeus("fit", "train.npz", *QUICK, "--set", "signal_loss=0.1", "-o", "M").code == 0
    adc = columns["adc"]
    lists = pa.FixedSizeListArray.from_arrays(
        pa.FixedSizeListArray.from_arrays(pa.array(adc.ravel()), adc.shape[2]), adc.shape[1]
    )
    pq.write_table(pa.table({n: lists if n == "adc" else pa.array(own) for n, own in columns.items()}), "a.parquet")
    with h5py.File("a.h5", "w") as file:
        for name, own in columns.items():
            file[f"hits/{name}"] = own
    np.savez("a.npz", **_without(columns, "on_track"))
    found = {}
    for name in ("a.parquet", "a.h5", "a.npz"):
        done = lynkeus("score", "M", name, "-o", "s.parquet")
        assert done.code == 0, done
        found[name] = scores("s.parquet")
        assert {"anomaly", "noise_probability", "remove", "event"} <= set(found[name])
        assert len(found[name]["remove"]) == len(columns["row"])
        assert found[name]["remove"].dtype == bool
    for name in ("a.h5", "a.npz"):
        np.testing.assert_allclose(found[name]["anomaly"], found["a.parquet"]["anomaly"], rtol=1e-6)


def test_cells_in_columns_and_labels_in_words_are_read(lynkeus: Run, tmp_path: Path) -> None:
    own = flat(hit_columns(14, seed=6))
    own["what"] = np.where(own.pop("on_track") > 0, "track", "noise")
    pq.write_table(pa.table(own), "a.parquet")
    done = lynkeus("fit", "a.parquet", *QUICK[:-1], "what", "-o", "M")
    assert done.code == 0, done
    assert "noise is noise, track is of a track" in done.err
    assert "is_signal" in done.err


def test_generated_hits_say_what_they_are(lynkeus: Run, tmp_path: Path) -> None:
    for name in ("a.npz", "a.h5", "a.parquet"):
        done = lynkeus("generate", "tpc_hits?rows=10&pads=40&tracks=4&events=2", "-o", name)
        assert done.code == 0, done
        assert done.err.strip().endswith("hits")
        look = lynkeus("look", name)
        assert look.code == 0, look
        assert "hits of" in look.out + look.err
    few = lynkeus("fit", "a.npz", "--labels", "on_track", "--set", "method=trees", "-o", "M")
    assert few.code == 2
    assert "hit_filter, which is recommended for hits" in few.err
    assert "give more" in few.err


def test_without_places_there_are_no_neighbours_and_that_is_said(lynkeus: Run, tmp_path: Path) -> None:
    own = hit_columns(14, seed=7)
    np.savez("a.npz", **{name: own[name] for name in ("adc", "charge", "width", "on_track")})
    done = lynkeus("fit", "a.npz", *QUICK, "-o", "M")
    assert done.code == 0, done
    assert "no neighbours of hits: there is no column row, pad, time" in done.err
    assert "a cut on charge and width removes" in done.err


def test_what_is_odd_is_said(lynkeus: Run, model: str, columns: dict, tmp_path: Path) -> None:
    own = columns
    twice = np.r_[np.arange(len(own["row"])), np.arange(30)]
    other = {name: column[twice] for name, column in own.items()}
    other["charge"] = other["charge"] * 10
    other["width"][:7] = np.inf
    np.savez("b.npz", **other)
    done = lynkeus("score", model, "b.npz", "-o", "s.parquet")
    assert done.code == 0, done
    assert "30 hits are there twice" in done.err
    assert "charge (" in done.err
    assert "are the units the same?" in done.err
    assert "7 infinite values are taken as missing" in done.err


def _without(columns: dict, *names: str) -> dict:
    return {name: own for name, own in columns.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda own: _without(own, "on_track"), "no labels 'on_track'"),
        (lambda own: own | {"on_track": np.ones(len(own["row"]), int)}, "none is labelled"),
        (lambda own: own | {"on_track": np.zeros(len(own["row"]), int)}, "all .* hits are labelled as noise"),
        (lambda own: own | {"on_track": np.where(own["row"] > 3, 1.0, np.nan)}, "have none .NaN."),
        (lambda own: own | {"on_track": own["row"] * 0.25}, "must be 0 and 1"),
        (lambda own: own | {"pad": own["pad"][:-5]}, "pad has .* entries"),
        (lambda own: {name: column[:150] for name, column in own.items()}, "give more"),
        (lambda own: {name: column[:0] for name, column in own.items()}, "holds no hits"),
    ],
)
def test_labels_that_say_nothing_are_one_line(
    lynkeus: Run, columns: dict, tmp_path: Path, change: Callable[[dict], dict], words: str
) -> None:
    np.savez("bad.npz", **change(dict(columns)))
    done = lynkeus("fit", "bad.npz", *QUICK, "-o", "M")
    assert not Path("M").exists()
    assert re.search(words, done.line), done.line


def test_damaged_files_and_other_data_are_one_line(lynkeus: Run, model: str, columns: dict, tmp_path: Path) -> None:
    own = columns
    np.savez("a.npz", **own)
    Path("cut.npz").write_bytes(Path("a.npz").read_bytes()[:20_000])
    Path("empty.npz").write_bytes(b"")
    np.savez("lacks.npz", **_without(own, "adc"))
    np.savez("places.npz", **_without(own, "event", "row"))
    Path("words.txt").write_text("hits")
    for name, words in (
        ("cut.npz", "cut.npz"), ("empty.npz", "empty"), ("lacks.npz", "has no adc"), ("places.npz", "has no row"),
        ("words.txt", "ending"), ("nothing.npz", "no such file"),
    ):  # fmt: skip
        assert words in lynkeus("score", model, name, "-o", "s.parquet").line
    assert "reads hit, not" in lynkeus("fit", "sim://cavity?cavities=1", *QUICK, "-o", "N").line
    assert "signal_loss" in lynkeus("fit", "a.npz", *QUICK, "--set", "signal_loss=7", "-o", "N").line
