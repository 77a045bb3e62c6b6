"""Bad input: one clear line (what, where, what to do), exit code 2, nothing left lying about."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow.csv as pa_csv
import pytest

from lynkeus.monitor import database
from lynkeus.monitor.records import Monitor, Owner
from lynkeus.monitor.store import Store

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

Run = Callable[..., Any]
FIT = ("--layout", "xfel_orbits", "-s", "orbit", "--window", "10", "-o", "m")


def _cut(orbit: h5py.Group, rows: Any) -> None:
    for name in ("x", "y", "time_ns", "truth"):
        kept = orbit[name][:][rows]
        del orbit[name]
        orbit[name] = kept


def _rename(orbit: h5py.Group) -> None:
    orbit["bpm"][5] = "XFEL.DIAG/BPM/BPMX.1.SA1"


def _reorder(orbit: h5py.Group) -> None:
    names = orbit["bpm"][:]
    orbit["bpm"][:] = names[::-1]


def _backwards(orbit: h5py.Group) -> None:
    times = orbit["time_ns"][:]
    times[2000:] -= 10**11
    orbit["time_ns"][:] = times


def _without_y(orbit: h5py.Group) -> None:
    del orbit["y"]


def _no_rows(orbit: h5py.Group) -> None:
    _cut(orbit, slice(0, 0))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_rename, "fitted on another schema; names: 2 missing ['BPME.2272.SA1/x', 'BPME.2272.SA1/y'], 2 not known"),
        (_reorder, "the same 206 channels in another order"),
        (_backwards, "time goes backwards at row 2000, from 2022-02-25T00:15:19.900000000 to"),
        (_without_y, "no dataset 'orbit/y' of layout xfel_orbits; the file holds"),
        (_no_rows, "holds no rows"),
    ],
)
def test_files_that_are_not_as_they_should_be(
    lynkeus: Run, orbits: Any, later: Run, tmp_path: Path, change: Callable[[h5py.Group], None], says: str
) -> None:
    path = later(change)
    assert says in lynkeus("score", orbits.model, path, "-o", "s.parquet").line
    assert says in lynkeus("watch", orbits.model, path, "--store", "sqlite:///w.db").line
    assert not list(tmp_path.glob("*.parquet*"))
    if change is not _backwards:  # seen before anything was written
        assert not (tmp_path / "w.db").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"not HDF5 at all\n" * 99, "is not an HDF5 file"), (None, "is truncated")],
)
def test_files_that_cannot_be_read(lynkeus: Run, orbits: Any, tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "bad.h5"
    path.write_bytes(orbits.later.read_bytes()[:500_000] if content is None else content)
    for words in (("fit", path, *FIT), ("score", orbits.model, path, "-o", "s.parquet")):
        line = lynkeus(*words).line
        assert says in line
        assert str(path) in line
    assert [item.name for item in tmp_path.iterdir()] == ["bad.h5"]


def test_paths_and_names_that_do_not_exist(lynkeus: Run, orbits: Any, tmp_path: Path) -> None:
    lines = {
        ("fit", "gone.h5", *FIT): "gone.h5: no such file or folder; check the path",
        ("fit", "*.h5", *FIT): "*.h5: no file matches this pattern",
        (
            "fit",
            orbits.good,
            "-s",
            "orbti",
            "-o",
            "m",
            "--layout",
            "xfel_orbits",
        ): "no scorer called 'orbti'; there are: ",
        ("fit", orbits.good, "-s", "orbit", "-o", "m", "--layout", "xfel_orbit"): "xfel_orbits",
        ("fit", orbits.good, "-s", "orbit", "-o", "m", "--layout", "gone.toml"): "gone.toml",
        ("score", orbits.good, orbits.later, "-o", "s.parquet"): "is not a model folder",
        ("score", "gone", orbits.later, "-o", "s.parquet"): "gone is not a model folder",
        ("watch", orbits.model, orbits.later, "--site", "gone.toml"): "gone.toml",
        ("watch", orbits.model, orbits.later, "--logbook", "gone.csv"): "gone.csv: no such file",
        (
            "watch",
            orbits.model,
            orbits.later,
            "--store",
            "w.db",
        ): "is no store address; one looks like sqlite:///watch.db",
        ("watch", orbits.model, orbits.later, "--store", "sqlite:///no/such/w.db"): "cannot be opened",
        (
            "study",
            "run",
            "cheese",
            "-o",
            "out",
        ): "called 'cheese'; there are: anomaly_taxonomy, ",
    }
    for words, says in lines.items():
        assert says in lynkeus(*words).line, words
    assert not list(tmp_path.iterdir())


def test_options_that_make_no_sense(lynkeus: Run, orbits: Any, tmp_path: Path) -> None:
    for text, says in (
        ("often", "budget: 'often' is not like 1/h, 3/day or 1/week"),
        ("0/h", "must be positive"),
        ("-1/h", "must be positive"),
        ("nan/h", "must be positive"),
        ("1/year", "cannot be supported by 0.20 h of reference; ask for at least 0.005 per hour or fit on more data"),
    ):
        assert says in lynkeus("watch", orbits.model, orbits.later, f"--budget={text}").line
        assert says in lynkeus("commission", orbits.model, orbits.later, "-o", "r.html", f"--budget={text}").line
    assert "replay: the speed must be positive" in lynkeus("watch", orbits.model, orbits.later, "--replay=-2").line
    (tmp_path / "site.toml").write_text('budgte = "1/h"')
    assert (
        "site.toml: budgte: no such setting" in lynkeus("watch", orbits.model, orbits.later, "--site", "site.toml").line
    )
    assert [item.name for item in tmp_path.iterdir()] == ["site.toml"]


def test_options_that_mean_nothing_here_say_where_they_do(lynkeus: Run, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    np.savez(tmp_path / "a.npz", X=rows, y=np.zeros(60, int))
    said = lynkeus("fit", "a.npz", "-s", "mahalanobis", "--context", "MAG*", "-o", "m").line
    assert "--context: has no meaning for mahalanobis" in said
    assert said.endswith("those that take context: orbit")
    assert lynkeus("fit", "a.npz", "-s", "mahalanobis", "-o", "m").code == 0
    text = "column_0,column_1,column_2\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows)
    (tmp_path / "b.csv").write_text(text)
    assert "b.csv: is one of the files that are scored" in lynkeus("score", "m", "b.csv", "-o", "b.csv").line
    assert (tmp_path / "b.csv").read_text() == text
    assert "written as .parquet or .csv" in lynkeus("score", "m", "a.npz", "-o", "s.xlsx").line
    assert lynkeus("score", "m", "a.npz", "-o", "s.csv").code == 0
    assert pa_csv.read_csv(tmp_path / "s.csv").num_rows == 60
    assert "a.npz: the scorer binned_chi2 reads runs" in lynkeus("fit", "a.npz", "-s", "binned_chi2", "-o", "n").line
    said = lynkeus("commission", "m", "a.npz", "--labels", "nope", "-o", "r.html").line
    assert "--labels nope: a.npz has no labels of this name; it has X, y" in said
    (tmp_path / "empty.csv").touch()
    for command in (("look", "empty.csv"), ("fit", "empty.csv", "-o", "n")):
        assert "empty.csv: the file is empty" in lynkeus(*command).line


def test_fewer_rows_than_a_window(lynkeus: Run, orbits: Any, later: Run, tmp_path: Path) -> None:
    path = later(lambda orbit: _cut(orbit, slice(0, 7)))
    assert "only 0 samples" in lynkeus("fit", path, *FIT).line
    assert "longer than one window" in lynkeus("score", orbits.model, path, "-o", "s.parquet").line
    done = lynkeus("watch", orbits.model, path, "--store", "sqlite:///w.db")
    assert (done.code, "0 windows, 0 alarms" in done.err) == (0, True)
    assert {item.name for item in tmp_path.iterdir()} == {"changed.h5", "w.db"}


def test_too_few_windows_for_a_calibration(lynkeus: Run, later: Run, tmp_path: Path) -> None:
    path = later(lambda orbit: _cut(orbit, slice(0, 300)))
    assert (
        "only 30 samples (images, windows, or rows without --window); a fit needs at least 100"
        in lynkeus("fit", path, *FIT).line
    )
    assert [item.name for item in tmp_path.iterdir()] == ["changed.h5"]


@pytest.mark.parametrize(
    "target", ["model.json", "SHA256SUMS", "reference.safetensors", "scorer/weights.safetensors", "scorer/scorer.json"]
)
def test_a_flipped_byte_in_a_model(lynkeus: Run, orbits: Any, tmp_path: Path, target: str) -> None:
    model = tmp_path / "model"
    shutil.copytree(orbits.model, model)
    path = model / target
    content = bytearray(path.read_bytes())
    for at in np.random.default_rng(5).integers(len(content), size=4):
        content[at] ^= 0x10
        path.write_bytes(content)
        line = lynkeus("score", model, orbits.later, "-o", "s.parquet").line
        assert "fit it again" in line
        content[at] ^= 0x10
    path.unlink()
    assert "missing" in lynkeus("score", model, orbits.later, "-o", "s.parquet").line
    assert [item.name for item in tmp_path.iterdir()] == ["model"]


def test_outputs_that_cannot_be_written(lynkeus: Run, orbits: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "folder").mkdir()
    fit = ("fit", orbits.later, "--layout", "xfel_orbits", "-s", "three_sigma", "--window", "10", "-o")
    assert "notes.txt/m: the model cannot be written" in lynkeus(*fit, "notes.txt/m").line
    assert "notes.txt exists and is not a model folder" in lynkeus(*fit, "notes.txt").line
    assert "folder exists and is not a model folder" in lynkeus(*fit, "folder").line
    assert (
        "notes.txt is a file: give a folder" in lynkeus("score", orbits.model, orbits.later, "-o", "notes.txt/s").line
    )
    assert "folder is a folder" in lynkeus("score", orbits.model, orbits.later, "-o", "folder").line
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert {item.name for item in tmp_path.iterdir()} == {"notes.txt", "folder"}


def test_gaps_duplicates_and_infinities_are_told_and_survived(lynkeus: Run, orbits: Any, later: Run) -> None:
    def spoil(orbit: h5py.Group) -> None:
        orbit["x"][1500, 7] = np.inf
        rows = np.delete(np.arange(3600), slice(2000, 2100))
        _cut(orbit, np.sort(np.append(rows, [10, 11, 12])))

    done = lynkeus("watch", orbits.model, later(spoil), "--store", "sqlite:///w.db")
    assert done.code == 1
    assert "3 rows with the time of the row before were dropped\n" in done.err
    assert "100 samples were missed in 1 gaps, the longest 10.1 s\n" in done.err
    assert "1 infinite values are taken as missing (NaN), first in BPME.2284.SA1/x\n" in done.err
    store = Store("sqlite:///w.db")
    assert store.monitors()[0].missed == 100
    store.close()


def test_windows_without_values_have_rows_and_no_score(lynkeus: Run, orbits: Any, later: Run, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    def silence(orbit: h5py.Group) -> None:
        orbit["x"][1000:1100] = np.nan
        orbit["y"][1000:1100] = np.nan

    assert lynkeus("score", orbits.model, later(silence), "-o", "s.parquet").code == 0
    assert lynkeus("score", orbits.model, orbits.later, "-o", "t.parquet").code == 0
    table, whole = pq.read_table(tmp_path / "s.parquet"), pq.read_table(tmp_path / "t.parquet")
    assert table.num_rows == whole.num_rows == 360
    for output in ("monitor", "beam"):
        scores = table[output].to_numpy()
        assert (np.flatnonzero(np.isnan(scores)) == np.arange(100, 110)).all()
        assert np.isnan(table[f"{output}_alarms_per_hour"].to_numpy()[100:110]).all()
        later_on = np.abs(scores - whole[output].to_numpy())[130:170]
        assert np.median(later_on) < 1.0
    assert set(table["where"].to_pylist()[100:110]) == {""}
    assert lynkeus("watch", orbits.model, tmp_path / "changed.h5", "--store", "sqlite:///w.db").code == 1
    store = Store("sqlite:///w.db")
    assert np.isnan([point.score for point in store.points("monitor", "beam")]).sum() == 10
    store.close()


def test_a_locked_store(lynkeus: Run, orbits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Store("sqlite:///w.db").close()
    monkeypatch.setattr(database, "LOCK_WAIT_S", 0.1)
    holder = sqlite3.connect("w.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    line = lynkeus("watch", orbits.model, orbits.later, "--store", "sqlite:///w.db").line
    holder.close()
    assert "sqlite:///w.db is locked by another program: close that program, then start again" in line


def test_two_monitors_on_one_store(lynkeus: Run, orbits: Any) -> None:
    store, other = Store("sqlite:///w.db"), Owner("another-host", 1, "theirs")
    store.claim(Monitor("orbits"), other)
    line = lynkeus("watch", orbits.model, orbits.later, "--store", "sqlite:///w.db").line
    assert "two monitors on one store: 'orbits' in sqlite:///w.db is held by process 1 on another-host" in line
    assert "give this one another name" in line
    assert lynkeus("watch", orbits.model, orbits.later, "--store", "sqlite:///w.db", "--name", "second").code == 1
    assert [pulse.monitor.name for pulse in store.monitors()] == ["orbits", "second"]
    store.close()


def test_a_port_that_is_taken(lynkeus: Run) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"cannot listen at 127.0.0.1 port {port}" in lynkeus("serve", "--port", port).line
        assert f"cannot listen at 127.0.0.1 port {port}" in lynkeus("demo", "--no-wait", "-o", "d", "--port", port).line
