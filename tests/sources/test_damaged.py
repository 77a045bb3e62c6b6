"""Readers of damaged files: whatever is done to the bytes, a reader gives samples or one line, and ends.

A few hundred mutations here; `LYNKEUS_MUTATIONS=20000 pytest tests/sources/test_damaged.py` tries more, and
`LYNKEUS_FIRST_MUTATION=20000` others.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import boost_histogram as bh
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boost_histogram.serialization import to_uhi
from PIL import Image
from tests.mutations import mutated

from lynkeus.core import LynkeusError, SourceError
from lynkeus.files import damaged
from lynkeus.sources import open_source, read_layout, write_bundle
from lynkeus.sources.formats import hdf5_texts
from lynkeus.sources.look.look import look
from lynkeus.sources.runs.events import read_events
from lynkeus.sources.runs.histograms import read_histograms

FIRST = int(os.environ.get("LYNKEUS_FIRST_MUTATION", "0"))
MUTATIONS = int(os.environ.get("LYNKEUS_MUTATIONS", "80"))
SLOWEST_S = 20.0
START_NS = 1_700_000_000_000_000_000


def _refused(read: Callable[[Path], object], path: Path) -> str | None:
    """Return the line by which a file was refused, None where it was read; all else is raised."""
    try:
        read(path)
    except LynkeusError as error:
        said = str(error)
    else:
        return None
    assert "\n" not in said
    assert said.encode()  # no halves of characters
    return said


def _samples(path: Path) -> None:
    for _ in open_source(path):
        pass


def _events(path: Path) -> None:
    for _ in read_events(path):
        pass


def _write_h5(path: Path, values: np.ndarray, time_ns: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        for number in range(3):
            data = file.create_dataset(f"BPM{number}/VALUE", data=values[:, number], chunks=(16,), compression="gzip")
            data.attrs["unit"] = "mm"
        file.create_dataset("orbit/values", data=values, chunks=(8, 2), compression="gzip")
        file["orbit/names"] = np.array(["a", "b", "c"], dtype=h5py.string_dtype())
        file["time_ns"] = time_ns


def _write_root(path: Path, values: np.ndarray, filled: bh.Histogram) -> None:
    uproot = pytest.importorskip("uproot")
    with uproot.recreate(path) as file:
        if filled is None:
            file.mktree("events", {"x": "f8", "y": "f8"})
            file["events"].extend({"x": values[:, 0], "y": values[:, 1]})
        else:
            file["folder/plot"] = filled


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one good file of each format."""
    folder = tmp_path_factory.mktemp("whole")
    random = np.random.default_rng(0)
    values, time_ns = random.normal(size=(50, 3)), START_NS + np.arange(50) * 10**8
    np.save(folder / "a.npy", values)
    np.savez(folder / "a.npz", values=values, time_ns=time_ns)
    _write_h5(folder / "a.h5", values, time_ns)
    with h5py.File(folder / "events.h5", "w") as file:
        file["x"], file["y"] = values[:, 0], values[:, 1]
    pq.write_table(pa.table({"time_ns": time_ns, "a": values[:, 0]}), folder / "a.parquet")
    rows = [f"{t},{a:.5f},{b:.5f}" for t, (a, b, _) in zip(time_ns, values, strict=True)]
    (folder / "a.csv").write_text("\n".join(["time_ns,a,b", *rows]) + "\n", encoding="utf-8")
    filled = bh.Histogram(bh.axis.Regular(10, 0, 1)).fill(random.random(100))
    (folder / "a.json").write_text(json.dumps({"plot": to_uhi(filled)}, default=lambda item: item.tolist()))
    _write_root(folder / "tree.root", values, None)
    _write_root(folder / "plot.root", values, filled)
    picture = Image.fromarray((random.random((24, 24, 3)) * 255).astype(np.uint8))
    for ending in ("png", "jpg", "tif"):
        picture.save(folder / f"a.{ending}")
    (folder / "a.toml").write_text(
        'unit = "mm"\nnames = "orbit/names"\nstrip = "^(B+)+P"\n[[blocks]]\ndataset = "orbit/values"\n'
        '[times]\ndataset = "time_ns"\nunit = "ns"\n'
    )
    return folder


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "npy": ("a.npy", _samples),
    "npz": ("a.npz", _samples),
    "hdf5": ("a.h5", _samples),
    "parquet": ("a.parquet", _samples),
    "csv": ("a.csv", _samples),
    "png": ("a.png", _samples),
    "jpg": ("a.jpg", _samples),
    "tif": ("a.tif", _samples),
    "layout": ("a.toml", read_layout),
    "events of csv": ("a.csv", _events),
    "events of hdf5": ("events.h5", _events),
    "events of parquet": ("a.parquet", _events),
    "events of root": ("tree.root", _events),
    "histograms of root": ("plot.root", read_histograms),
    "histograms of json": ("a.json", read_histograms),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_bytes_that_nobody_foresaw_give_samples_or_one_line(name: str, whole: Path, tmp_path: Path) -> None:
    of, read = READERS[name]
    data, target = (whole / of).read_bytes(), tmp_path / of
    lines = 0
    for seed in range(FIRST, FIRST + MUTATIONS):
        target.write_bytes(mutated(data, np.random.default_rng([seed, len(data)])))
        began = time.monotonic()
        said = _refused(read, target)
        lines += said is not None
        assert said is None or target.name in said, f"seed {seed}: {said}"
        assert time.monotonic() - began < SLOWEST_S, f"seed {seed}"
    assert lines, "nothing was damaged enough to be refused"


@pytest.mark.parametrize("name", ["values.npy", "meta.parquet", "schema.json"])
def test_a_damaged_bundle_gives_samples_or_one_line(name: str, whole: Path, tmp_path: Path) -> None:
    write_bundle(open_source(whole / "a.csv"), tmp_path / "bundle")
    data = (tmp_path / "bundle" / name).read_bytes()
    refused = 0
    for seed in range(FIRST, FIRST + MUTATIONS):
        (tmp_path / "bundle" / name).write_bytes(mutated(data, np.random.default_rng([seed, 3])))
        refused += _refused(_samples, tmp_path / "bundle") is not None
    assert refused


def test_what_never_ends_in_python_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LYNKEUS_READ_LIMIT_S", "0.3")
    layout = tmp_path / "slow.toml"
    layout.write_text('strip = "(a+)+$"\n')
    others = signal.getitimer(signal.ITIMER_REAL)[0]  # such as that of the test
    with pytest.raises(LynkeusError, match=r"slow.toml.*takes more than 0.3 s; write a simpler pattern"):
        read_layout(layout).short("a" * 60 + "!")
    assert bool(others) == bool(signal.getitimer(signal.ITIMER_REAL)[0])


def test_what_never_ends_in_c_is_ended_in_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LYNKEUS_READ_LIMIT_S", "1")
    with pytest.raises(LynkeusError, match="takes more than 1 s"):
        damaged.try_in_child(tmp_path / "a.h5", lambda: time.sleep(30))
    with pytest.raises(LynkeusError, match="ends the process"):
        damaged.try_in_child(tmp_path / "a.h5", lambda: os.kill(os.getpid(), signal.SIGKILL))
    damaged.try_in_child(tmp_path / "a.h5", lambda: 1 / 0)  # what is raised there is raised again here
    with pytest.raises(LynkeusError, match="does not fit into 0"):
        damaged.try_in_child(tmp_path / "a.h5", lambda: bytearray(10**10), memory=10**8)


def test_texts_are_tried_once_and_only_where_there_are_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Path] = []
    monkeypatch.setattr(hdf5_texts, "try_in_child", lambda path, read, memory: tried.append(path))
    numbers, words = tmp_path / "numbers.h5", tmp_path / "words.h5"
    for path, content in ((numbers, np.zeros(9)), (words, "a long word")):
        with h5py.File(path, "w") as file:
            file["a"] = content
        hdf5_texts.try_texts(path)
        hdf5_texts.try_texts(path)
    assert tried == [words]
    with h5py.File(words, "a") as file:
        file["b"] = "another one"
    hdf5_texts.try_texts(words)
    assert tried == [words, words]


def test_what_hung_once_is_refused_at_once_the_next_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tried = []

    def hang(path: Path, read: object, memory: int = 0) -> None:
        tried.append(path)
        raise SourceError(f"{path}: takes more than 15 s")

    monkeypatch.setattr(hdf5_texts, "try_in_child", hang)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["v"] = np.random.default_rng(1).normal(size=(40, 3))
        file["tag"] = ["x"] * 40  # of variable length
    for read in (open_source, open_source, lambda own: look(str(own))):
        with pytest.raises(SourceError, match="takes more than 15 s"):
            read(path)
    assert tried == [path]
