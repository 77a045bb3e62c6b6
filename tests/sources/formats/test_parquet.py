from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.core import SourceError, concatenate
from lynkeus.sources.formats.layout import Block, Layout, Times
from lynkeus.sources.formats.parquet import ParquetSource


@pytest.fixture
def shift(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    columns = {
        "time_ns": np.arange(13_000) * 1_000_000,
        "BPM.1/x": rng.normal(size=13_000).astype(np.float32),
        "BPM.2/x": rng.integers(0, 9, 13_000).astype(np.int16),
        "comment": ["fine"] * 13_000,
        "truth": np.arange(13_000) % 2,
    }
    pq.write_table(pa.table(columns), tmp_path / "shift.parquet", row_group_size=5000)
    return tmp_path / "shift.parquet"


def test_numbers_times_and_truth_are_read(shift: Path):
    source = ParquetSource(shift)
    batches = list(source)
    read, table = concatenate(batches), pq.read_table(shift)
    assert max(map(len, batches)) <= 6000
    assert source.schema.names == ("BPM.1/x", "BPM.2/x")
    assert source.schema.sample_rate_hz == pytest.approx(1000.0)
    np.testing.assert_array_equal(read.values[:, 0], table["BPM.1/x"])
    np.testing.assert_array_equal(read.values[:, 1], table["BPM.2/x"])
    np.testing.assert_array_equal(read.time_ns, table["time_ns"])
    np.testing.assert_array_equal(read.truth, table["truth"])
    np.testing.assert_array_equal(read.meta["position"], np.arange(13_000))
    assert len(source) == len(read)
    assert "comment" in source.messages[0]


def test_empty_entries_are_nan_and_do_not_change_the_type(tmp_path: Path):
    column = pa.array([1, 2, None], pa.int16())
    stamps = pa.array([0, 10**6, 2 * 10**6], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"a": column, "when": stamps}), tmp_path / "a.parquet")
    (batch,) = ParquetSource(tmp_path / "a.parquet")
    np.testing.assert_array_equal(batch.values, np.array([[1], [2], [np.nan]], np.float32))
    assert batch.values.dtype == np.float32
    assert batch.time_ns.tolist() == [0, 10**9, 2 * 10**9]


def test_a_layout_chooses_and_names_columns(shift: Path):
    layout = Layout(blocks=(Block("BPM.2/x", "second", "mm"),), times=Times("time_ns", "us"), truth="truth")
    batch = next(iter(ParquetSource(shift, layout)))
    assert batch.schema.names == ("second",)
    assert batch.schema.units == ("mm",)
    assert batch.time_ns[1] == 10**9


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        (Layout("mine", blocks=(Block("BPM.3/x"),)), "no column 'BPM.3/x'"),
        (Layout(blocks=(Block("comment"),)), "holds string, not numbers"),
        (Layout(times=Times("clock")), "no column 'clock'"),
        (Layout(strip=".*/"), "names must be unique"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(shift: Path, layout: Layout, said: str):
    with pytest.raises(SourceError, match=said):
        ParquetSource(shift, layout)


def test_bad_files_are_refused(shift: Path, tmp_path: Path):
    content = shift.read_bytes()
    for name, kept, said in (("empty", 0, "0 bytes"), ("cut", 9000, "not a complete Parquet file")):
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(content[:kept])
        with pytest.raises(SourceError, match=said) as caught:
            ParquetSource(path)
        assert "\n" not in str(caught.value)
    pq.write_table(pa.table({"s": ["a"]}), tmp_path / "text.parquet")
    with pytest.raises(SourceError, match="no column of numbers"):
        ParquetSource(tmp_path / "text.parquet")
    pq.write_table(pa.table({"time_ns": pa.array([1, None]), "a": [1.0, 2.0]}), tmp_path / "gap.parquet")
    with pytest.raises(SourceError, match="time_ns has no time in row 1"):
        ParquetSource(tmp_path / "gap.parquet")
    pq.write_table(pa.table({"a": pa.array([], pa.float32())}), tmp_path / "none.parquet")
    with pytest.raises(SourceError, match="holds no rows"):
        ParquetSource(tmp_path / "none.parquet")


def test_a_damaged_row_group_names_the_row(shift: Path):
    offset = pq.read_metadata(shift).row_group(1).column(1).data_page_offset
    content = bytearray(shift.read_bytes())
    content[offset : offset + 4000] = b"\xff" * 4000
    shift.write_bytes(content)
    with pytest.raises(SourceError, match=r"damaged after row \d+"):
        list(ParquetSource(shift))


def test_rows_that_cannot_be_are_refused_before_arrow_ends_the_process(tmp_path: Path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": np.zeros(77)}), path)
    written = path.read_bytes()
    where = written.rindex(b"\x16\x9a\x01")  # the rows of its row group, 77 as Thrift writes it
    path.write_bytes(written[:where] + b"\x16\x99\x01" + written[where + 3 :])
    assert pq.read_metadata(path).row_group(0).num_rows == -77
    with pytest.raises(SourceError, match=r"a\.parquet: is damaged: says that it holds 77 rows, and its 1 parts -77;"):
        ParquetSource(path)


def test_decimals_are_numbers(tmp_path: Path):
    pq.write_table(
        pa.table({"a": pa.array([1, 2]).cast(pa.decimal128(25, 3)), "b": [0.5, 1.5]}), tmp_path / "a.parquet"
    )
    (batch,) = ParquetSource(tmp_path / "a.parquet")
    assert batch.schema.names == ("a", "b")
    np.testing.assert_array_equal(batch.values, [[1, 0.5], [2, 1.5]])
