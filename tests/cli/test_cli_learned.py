"""Tables, pulses, labels, verdicts and networks from the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.fitting.fitted import Fitted
from lynkeus.metrics.rates import auroc
from lynkeus.monitor.store import Store

Run = Callable[..., Any]
COLUMNS = 8
pytestmark = pytest.mark.slow(0.4)  # each
SHORT = ("--set", "training.epochs=8")
LONGER = ("--set", "training.epochs=40")


def table(path: Path, rows: int, seed: int, **arrays: np.ndarray) -> Path:
    """Correlated columns; every twentieth row breaks the correlation and is labelled 1."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 2)) @ np.random.default_rng(0).normal(size=(2, COLUMNS))
    values += 0.1 * rng.normal(size=values.shape)
    y = (np.arange(rows) % 20 == 7).astype(int)
    values[y == 1] = rng.permuted(values[y == 1], axis=0)
    np.savez(path, **({"X": values, "y": y} | arrays))
    return path


def scores(path: Path) -> dict[str, np.ndarray]:
    return {name: np.array(column) for name, column in pq.read_table(path).to_pydict().items()}


@pytest.mark.parametrize("scorer", ["table", "autoencoder", "flow"])
def test_a_table_gives_one_row_per_sample_in_order(
    lynkeus: Run, tmp_path: Path, scorer: str, agree: Callable[..., None]
) -> None:
    train = table(tmp_path / "train.npz", 600, 1)
    test = table(tmp_path / "test.npz", 300, 2)
    more = LONGER if scorer != "table" else ()
    done = lynkeus("fit", train, "-s", scorer, "-o", "MODEL", "--labels", "y", *more)
    assert (done.code, "30 samples are known to be anomalous" in done.err) == (0, True)
    assert lynkeus("score", "MODEL", test, "-o", "s.parquet").code == 0
    found = scores(tmp_path / "s.parquet")
    np.testing.assert_array_equal(found["row"], np.arange(300))
    assert auroc(found["truth"], found["anomaly"]) > 0.9
    assert (found["anomaly_p_value"][found["truth"] == 1] < 0.05).mean() > 0.5
    bare = table(tmp_path / "bare.npz", 300, 2)
    np.savez(bare, X=np.load(test)["X"])
    assert lynkeus("score", "MODEL", bare, "-o", "b.parquet").code == 0
    agree(scores(tmp_path / "b.parquet")["anomaly"], found["anomaly"], single=scorer != "table")
    assert (tmp_path / "MODEL" / "training.svg").is_file() == (scorer != "table")
    assert not (tmp_path / "MODEL.checkpoints").exists()


def test_labels_teach_the_scorers_that_use_them(lynkeus: Run, tmp_path: Path) -> None:
    train, test = table(tmp_path / "train.npz", 1000, 1), table(tmp_path / "test.npz", 400, 2)
    for scorer in ("deep_sad", "classifier"):
        assert lynkeus("fit", train, "-s", scorer, "-o", scorer, "--labels", "y", *SHORT).code == 0
        assert lynkeus("score", scorer, test, "-o", "s.parquet").code == 0
        found = scores(tmp_path / "s.parquet")
        assert auroc(found["truth"], found["anomaly"]) > 0.75
        assert ("fault" in found) == (scorer == "classifier")
    assert "none is labelled: give --labels NAME" in lynkeus("fit", train, "-s", "deep_sad", "-o", "M").line


def test_classes_have_names_and_a_column(lynkeus: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(600) % 3
    values = rng.normal(size=(600, 4)) + 6 * np.eye(4)[y]
    path = tmp_path / "three.npz"
    np.savez(path, X=values, y=y)
    named = ("--set", "classes=loud,late", "--labels", "y", "--set", "training.epochs=20")
    assert lynkeus("fit", path, "-s", "classifier", "-o", "MODEL", *named).code == 0
    assert lynkeus("score", "MODEL", path, "-o", "s.parquet").code == 0
    found = scores(tmp_path / "s.parquet")
    assert {"anomaly", "loud", "late", "loud_p_value"} <= found.keys()
    assert (found["fault"] == np.array(["", "loud", "late"])[y]).mean() > 0.95
    too_many = lynkeus("fit", path, "-s", "classifier", "-o", "M", "--set", "classes=loud", "--labels", "y")
    assert "label 2 has no name" in too_many.line


@pytest.mark.slow(9)
def test_pulses_give_a_row_each_with_cavity_and_number(lynkeus: Run, tmp_path: Path) -> None:
    good, test = tmp_path / "good.h5", tmp_path / "test.h5"
    assert lynkeus("generate", "cavity?pulses=300&seed=3", "-o", good).code == 0
    assert lynkeus("generate", "cavity?pulses=40&cavities=2&seed=4&fault=quench&share=0.3", "-o", test).code == 0
    fit = ("fit", good)
    for scorer, more in (("cavity", ()), ("autoencoder", SHORT), ("pulse_sequence", ("--set", "training.epochs=2"))):
        assert lynkeus(*fit, "-s", scorer, "-o", scorer, *more).code == 0
        assert lynkeus("score", scorer, test, "-o", "s.parquet").code == 0
        found = scores(tmp_path / "s.parquet")
        assert len(found["anomaly"]) == 80
        assert list(dict.fromkeys(found["cavity"])) == sorted(set(found["cavity"]))
        assert (np.diff(found["pid"][:40]) > 0).all()
    assert lynkeus("score", "cavity", test, "-o", "c.parquet").code == 0
    assert "fault" in scores(tmp_path / "c.parquet")


def test_verdicts_on_alarms_become_labels(lynkeus: Run, orbits: Any) -> None:
    watch = ("watch", orbits.model, orbits.later, "--store", "sqlite:///w.db", "--name", "line")
    lynkeus(*watch)
    again = ("fit", orbits.later, "--layout", "xfel_orbits", "--window", 10, "-o", "M", "--verdicts", "sqlite:///w.db")
    assert "nobody said in sqlite:///w.db what is good" in lynkeus(*again, "-s", "deep_sad").line
    with contextlib.closing(Store("sqlite:///w.db")) as store:
        alarms = store.alarms("line")
        assert alarms
        for stored in alarms:
            store.add_verdict(stored.id, "real", "me")
    done = lynkeus(*again, "-s", "deep_sad", *SHORT)
    assert done.code == 0, done.err
    assert Fitted.load(Path("M")).lineage["known_anomalies"] >= 5


@pytest.mark.slow(5)
def test_auto_tries_the_cheap_ones_and_says_why(lynkeus: Run, tmp_path: Path) -> None:
    train = table(tmp_path / "train.npz", 400, 1)
    done = lynkeus("fit", train, "-s", "auto,autoencoder", "-o", "MODEL", "--labels", "y")
    assert done.code == 0, done.err
    assert "cavity: not tried (it reads waveform)" in done.err
    assert "autoencoder: finds" in done.err
    assert f"{Fitted.load(Path('MODEL')).name} is chosen: finds" in done.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("-s", "autoencoder", "--set", "latnt=3"),
            "autoencoder: got an unexpected keyword argument 'latnt'",
        ),
        (("-s", "discord", "--window", "ten"), "--window ten: must be a number of rows, 0 for single rows, or auto"),
        (("-s", "autoencoder", "--set", "latent"), "--set latent: must be NAME=VALUE"),
        (("-s", "autoencoder", "--set", "training.epoch=3"), "training.epoch: no such setting"),
        (("-s", "autoencoder", "--set", "network=bert"), "network must be auto or one of dense, "),
        (("-s", "autoencoder", "--set", "windows=x"), "windows must be one of raw, z"),
        (("-s", "autoencoder", "--device", "cuda"), "device cuda was asked for, but PyTorch finds no GPU here"),
        (("-s", "table", "--device", "cuda"), "table trains no network and needs no --device"),
        (("-s", "deep_sad", "--labels", "z"), "the data have no labels 'z'"),
        (("-s", "autoencoder", "--verdicts", "sqlite:///no.db"), "no such store"),
        (("-s", "autoencoder", "--set", "training.learning_rate=1e30"), "diverged in the first epoch"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(lynkeus: Run, tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    done = lynkeus("fit", table(tmp_path / "train.npz", 300, 1), "-o", "MODEL", *words)
    assert (done.code, says in done.line) == (2, True), done.err
    assert not (tmp_path / "MODEL").exists()


def test_missing_and_infinite_values_are_counted_and_named(lynkeus: Run, tmp_path: Path) -> None:
    train = table(tmp_path / "train.npz", 300, 1)
    values = np.load(train)["X"]
    values[5, 2], values[9, 1], values[11, 1] = np.nan, np.inf, np.inf
    np.savez(train, X=values)
    done = lynkeus("fit", train, "-s", "autoencoder", "-o", "MODEL", *SHORT)
    assert done.code == 0
    assert "2 infinite values are taken as missing (NaN), first in column_1\n" in done.err
    assert "1 values are missing (NaN), first in column_2\n" in done.err


def test_fewer_samples_than_columns_are_said(lynkeus: Run, tmp_path: Path) -> None:
    path = tmp_path / "wide.npz"
    np.savez(path, X=np.random.default_rng(0).normal(size=(30, 60)))
    done = lynkeus("fit", path, "-s", "table", "-o", "MODEL")
    assert (done.code, "only 30 samples for 60 columns" in done.err) == (0, True)


def test_a_slow_series_is_cut_by_its_own_period(lynkeus: Run, tmp_path: Path) -> None:
    rows = np.arange(4000)
    load = np.sin(2 * np.pi * rows / 48) + 0.05 * np.random.default_rng(0).normal(size=4000)
    load[3000:3048] = np.sin(2 * np.pi * rows[:48] / 24)
    lines = [f"{1_600_000_000_000_000_000 + row * 300 * 10**9},{value:.6f}" for row, value in enumerate(load)]
    (tmp_path / "cpu.csv").write_text("\n".join(["time_ns,load", *lines]))
    done = lynkeus("fit", "cpu.csv", "-s", "discord", "--window", "auto", "-o", "MODEL")
    assert (done.code, "windows of 96 rows every 12, by the period of the data" in done.err) == (0, True), done.err
    assert lynkeus("score", "MODEL", "cpu.csv", "-o", "s.parquet").code == 0
    found = scores(tmp_path / "s.parquet")
    oddest = (found["start_ns"][found["anomaly"].argmax()] - 1_600_000_000_000_000_000) / 300e9
    assert 2904 <= oddest <= 3048
