from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import SourceError, concatenate
from lynkeus.sources.formats.csv import CsvSource
from lynkeus.sources.formats.layout import Block, Layout, Times
from lynkeus.sources.formats.text import table as table_module


def _written(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_numbers_times_and_truth_are_read(tmp_path: Path):
    path = _written(tmp_path, "\ufefftime_ns,a,b,truth\n0,1,2.5,0\n1000,,3,1\n2000,7,4e-3,0\n")
    (batch,) = CsvSource(path)
    assert batch.schema.names == ("a", "b")
    np.testing.assert_array_equal(batch.values, [[1, 2.5], [np.nan, 3], [7, 0.004]])
    assert batch.time_ns.tolist() == [0, 1000, 2000]
    assert batch.truth.tolist() == [0, 1, 0]


def test_iso_dates_and_seconds_are_times(tmp_path: Path):
    (batch,) = CsvSource(_written(tmp_path, "when,a\n2022-02-25 00:00:00,1\n2022-02-25 00:00:00.100,2\n"))
    assert batch.time_ns.tolist() == [1645747200_000_000_000, 1645747200_100_000_000]
    layout = Layout(blocks=(Block("a", unit="K"),), times=Times("when", "s"))
    (batch,) = CsvSource(_written(tmp_path, "when,a,note\n0.5,1,fine\n1.5,2,bad\n"), layout)
    assert batch.time_ns.tolist() == [500_000_000, 1_500_000_000]
    assert batch.schema.units == ("K",)


def test_large_files_are_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(table_module, "BLOCK_BYTES", 2000)
    rows = [f"{row},{row / 2}" for row in range(1000)]
    batches = list(CsvSource(_written(tmp_path, "time_ns,a\n" + "\n".join(rows) + "\n")))
    read = concatenate(batches)
    assert len(batches) > 3
    assert read.values[:, 0].tolist() == [row / 2 for row in range(1000)]
    np.testing.assert_array_equal(read.meta["position"], np.arange(1000))


@pytest.mark.parametrize("row", [0, 5, 900])
def test_what_is_not_a_number_is_named_by_line_and_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: int):
    monkeypatch.setattr(table_module, "BLOCK_BYTES", 2000)
    rows = [f"{number},{number / 2},3" for number in range(1000)]
    rows[row] = f"{row},broken,3"
    with pytest.raises(SourceError, match=f"line {row + 2}, column a: 'broken' is not a number"):
        list(CsvSource(_written(tmp_path, "time_ns,a,b\n" + "\n".join(rows) + "\n")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 bytes"),
        ("1,2\n3,4\n", "line 1 must name the columns"),
        ("a,a\n1,2\n", "names a column twice: a"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n3\n", "Expected 2 columns, got 1"),
        ("time_ns,a\nsoon,1\n", "line 2, column time_ns: 'soon'"),
        ("time_ns,a\n1,1\n,2\n", "time_ns has no time in row 1"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path: Path, text: str, said: str):
    path = _written(tmp_path, text)
    with pytest.raises(SourceError, match=said) as caught:
        list(CsvSource(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path):
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff\xfe\x00" * 50)
    with pytest.raises(SourceError, match="not a CSV file of text"):
        CsvSource(tmp_path / "image.csv")


def test_a_column_without_a_name_may_be_the_times_as_pandas_writes_them(tmp_path: Path):
    (batch,) = CsvSource(_written(tmp_path, ",a,b\n2022-02-25 00:00:00,1,2\n2022-02-25 00:00:01,3,4\n"))
    assert batch.schema.names == ("a", "b")
    assert batch.time_ns.tolist() == [1645747200_000_000_000, 1645747201_000_000_000]


@pytest.mark.parametrize(("name", "every"), [("attribute", 1), ("who", 3)])
def test_a_long_table_is_no_signal(tmp_path: Path, name: str, every: int):
    """Where the name says it, or each word comes once at each time."""
    rows = [
        f"2022-02-25 00:00:{row // every:02},{word},{number}"
        for row, (word, number) in enumerate([("T1", 300), ("T2", 4), ("p", 1e5)] * 8)
    ]
    text = f"time,{name},value\n" + "\n".join(rows) + "\n"
    with pytest.raises(SourceError, match=rf"{name}' says which signal .*T1, T2, p.*pivot_table\(index='time'"):
        CsvSource(_written(tmp_path, text))
    (batch,) = CsvSource(_written(tmp_path, text), Layout(blocks=(Block("value"),)))  # who says so gets it
    assert batch.values.shape == (24, 1)


def test_states_at_times_of_their_own_are_no_long_table(tmp_path: Path):
    rows = [f"2022-02-25 00:00:{row:02},{'ON' if row % 3 else 'OFF'},{row}" for row in range(24)]
    (batch,) = CsvSource(_written(tmp_path, "time,state,value\n" + "\n".join(rows) + "\n"))
    assert batch.values.shape == (24, 1)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            "10.234,50;1.002,25",
            "no column of numbers; a holds texts such as '10.234,50': write numbers without separators",
        ),
        ("open;shut", "no column of numbers; a holds texts such as 'open'$"),
    ],
)
def test_a_table_of_texts_says_what_it_holds_instead_of_numbers(rows: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time;a;b\n" + "".join(f"2026-03-05 12:00:{row:02d};{rows}\n" for row in range(40)))
    with pytest.raises(SourceError, match=says):
        CsvSource(path)
