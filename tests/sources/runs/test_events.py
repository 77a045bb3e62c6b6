"""Events of one run from every format, as the same pieces."""

import gzip
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from lynkeus.core import SourceError
from lynkeus.sources.runs.events import not_read, read_events
from lynkeus.sources.runs.folder import open_runs

N = 1000
EVENTS = {
    "energy": np.random.default_rng(0).normal(40, 5, N),
    "hits": np.random.default_rng(1).integers(0, 9, N),
    "good": np.random.default_rng(2).random(N) < 0.5,
}
CLASSES = np.random.default_rng(3).choice(["S1", "S2"], N)


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, column in EVENTS.items():
            file[f"events/{name}"] = column
        file["events/class"] = CLASSES.astype("S2")


def _compound(path: Path) -> None:
    kinds = [(name, column.dtype) for name, column in EVENTS.items()] + [("class", "S2")]
    rows = np.empty(N, kinds)
    for name, column in (EVENTS | {"class": CLASSES}).items():
        rows[name] = column
    with h5py.File(path, "w") as file:
        file["deep/events"] = rows


def _tree(path: Path) -> None:
    uproot = pytest.importorskip("uproot", reason="ROOT files need lynkeus[hep]")
    with uproot.recreate(path) as file:
        file.mktree("Events", {name: column.dtype for name, column in EVENTS.items()}).extend(EVENTS)


def _ntuple(path: Path) -> None:
    uproot = pytest.importorskip("uproot", reason="ROOT files need lynkeus[hep]")
    with uproot.recreate(path) as file:
        file.mkrntuple("Events", EVENTS | {"class": CLASSES.tolist(), "vector": np.zeros((N, 3))})


def _parquet(path: Path) -> None:
    pq.write_table(pa.table(EVENTS | {"class": CLASSES, "listed": [[1.0]] * N}), path)


def _csv(path: Path) -> None:
    pa_csv.write_csv(pa.table(EVENTS | {"class": CLASSES}), path)


@pytest.mark.parametrize(
    ("suffix", "write"),
    [("h5", _hdf5), ("hdf5", _compound), ("root", _tree), ("root", _ntuple), ("parquet", _parquet), ("CSV", _csv)],
)
def test_every_format_gives_the_same_events(tmp_path: Path, suffix: str, write: Callable[[Path], None]) -> None:
    path = tmp_path / f"a [1]:b.{suffix}"
    write(path)
    (piece,) = read_events(path)
    lists = {_ntuple: ("vector[0]", "vector[1]", "vector[2]"), _parquet: ("listed.count", "listed.first", "listed.sum")}
    assert set(piece) == {*EVENTS, *(() if write is _tree else ("class",)), *lists.get(write, ())}
    for name, column in EVENTS.items():
        np.testing.assert_allclose(piece[name].astype(float), column.astype(float), rtol=1e-12)
    if "class" in piece:
        assert piece["class"].tolist() == CLASSES.tolist()


def test_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    pq.write_table(pa.table({"a": [1, None, 3], "b": [True, None, False], "c": ["x", None, "y"]}), path)
    (piece,) = read_events(path)
    np.testing.assert_array_equal(piece["a"], [1, np.nan, 3])
    np.testing.assert_array_equal(piece["b"], [1, np.nan, 0])
    assert piece["c"].tolist() == ["x", "", "y"]


def test_a_csv_column_of_whole_numbers_may_go_on_with_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lynkeus.sources.formats.text.table.BLOCK_BYTES", 100)
    path = tmp_path / "run.csv"
    path.write_text("a\n" + "1\n" * 100 + "1.5\nnan\ninf\n", encoding="utf-8")
    values = np.concatenate([piece["a"] for piece in read_events(path)])
    np.testing.assert_array_equal(values[-3:], [1.5, np.nan, np.inf])


def test_columns_of_several_lengths_are_no_table(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with h5py.File(path, "w") as file:
        file["a"], file["b"] = np.zeros(3), np.zeros(4)
    with pytest.raises(SourceError, match="columns of 2 lengths"):
        list(read_events(path))


def test_an_unknown_ending(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"the ending .\.txt. is not known"):
        list(read_events(tmp_path / "run.txt"))


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("t;a;class\n14.11.2023 22:13:20;1,5;S1\n14.11.2023 22:13:21;2,5;S2\n", False),
        ("# made by hand\nt\ta\tclass\n2023-11-14 22:13:20\t1.5\tS1\n2023-11-14 22:13:21\t2.5\tS2\n", False),
        ("t,a,class\n,mm,\n2023-11-14T22:13:20,1.5,S1\n2023-11-14T22:13:21,2.5,S2\n", True),
    ],
)
def test_runs_of_csv_are_read_however_they_are_written(tmp_path: Path, text: str, packed: bool) -> None:
    path = tmp_path / ("run1.csv.gz" if packed else "run1.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    (run,) = open_runs(tmp_path)
    assert run.name == "run1"
    (events,) = run.pieces()
    assert events["a"].tolist() == [1.5, 2.5]
    assert events["class"].tolist() == ["S1", "S2"]
    assert events["t"].tolist() == [1_700_000_000_000_000_000, 1_700_000_001_000_000_000]
    assert packed or not_read(path) == [] or path.name in not_read(path)[0]


def test_words_for_a_missing_value_in_a_run_of_csv_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\nDisconnected,3\n4,5\n", encoding="utf-8")
    (events,) = read_events(tmp_path / "a.csv")
    np.testing.assert_array_equal(events["a"], [1.0, np.nan, 4.0])
    (tmp_path / "a.csv").write_text("a,b\n1,2\n4,5\nso,3\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"line 4, column a: 'so' is not a number; mend the entry, or leave it empty"):
        list(read_events(tmp_path / "a.csv"))
    (tmp_path / "a.csv").write_text('a,b\n1,2\n4,5\n"6,7\n8,9\n"1,3\n', encoding="utf-8")
    with pytest.raises(SourceError, match=r"line 4, column a: '6,7' ... is not a number; mend the entry: is there a q"):
        list(read_events(tmp_path / "a.csv"))
