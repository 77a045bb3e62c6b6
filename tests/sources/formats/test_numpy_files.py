from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import SourceError, concatenate
from lynkeus.sources.formats.layout import Layout, Times
from lynkeus.sources.formats.numpy import NumpySource


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_round_trip(tmp_path: Path, order: str):
    values = np.asarray(np.random.default_rng(0).normal(size=(13_000, 3)), np.float32, order=order)
    np.save(tmp_path / "a.npy", values)
    source = NumpySource(tmp_path / "a.npy", Layout(unit="mm", times=Times(sample_rate_hz=10.0)))
    batches = list(source)
    assert [len(batch) for batch in batches] == [6000, 6000, 1000]
    np.testing.assert_array_equal(concatenate(batches).values, values)
    assert source.schema.names == ("column_0", "column_1", "column_2")
    assert source.schema.units == ("mm",)
    assert batches[1].time_ns[0] == 600 * 10**9


def test_npz_round_trip(tmp_path: Path):
    values, y = np.arange(12).reshape(6, 2), np.array([0, 0, 1, 0, 0, 1])
    np.savez(tmp_path / "a.npz", X=values, y=y, names=["u", "v"], time_ns=np.arange(6) * 10**9)
    (batch,) = NumpySource(tmp_path / "a.npz")
    np.testing.assert_array_equal(batch.values, values)
    assert batch.truth.tolist() == y.tolist()
    assert batch.schema.names == ("u", "v")
    assert batch.schema.sample_rate_hz == pytest.approx(1.0)


def test_bad_arrays_are_refused(tmp_path: Path):
    np.save(tmp_path / "text_line.npy", np.array(["a", "b"]))
    np.save(tmp_path / "none.npy", np.zeros((0, 2)))
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    np.save(tmp_path / "whole.npy", np.zeros((100, 2)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:900])
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "empty.npy").touch()
    np.savez(tmp_path / "other.npz", data=np.zeros((2, 2)), more=np.zeros((2, 2)))
    np.savez(tmp_path / "short.npz", X=np.zeros((2, 2)), y=np.zeros(3))
    np.savez(tmp_path / "pickled.npz", X=np.array([[{}]]))
    np.savez(tmp_path / "fine.npz", X=np.zeros((100, 2)))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "fine.npz").read_bytes()[:500])
    expected = {
        "text_line.npy": "not rows and columns",
        "none.npy": "no rows",
        "objects.npy": "pickled objects",
        "cut.npy": "not a complete .npy",
        "text.npy": "is not a .npy file",
        "empty.npy": "0 bytes",
        "other.npz": "no array X; the file holds data, more; name one by --array",
        "short.npz": r"y has shape \(3,\), expected \(2,\)",
        "pickled.npz": "pickled objects",
        "cut.npz": "not a complete .npz",
    }
    for name, said in expected.items():
        with pytest.raises(SourceError, match=said) as caught:
            NumpySource(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_arrays_of_one_number_a_row_are_columns(tmp_path: Path, ending: str):
    """The fields of a structured array, and the arrays that `savez(**columns)` writes."""
    time_ns = 1_700_000_000_000_000_000 + np.arange(30) * 10**9
    columns = {
        "time_ns": time_ns, "a": np.arange(30.0), "b": np.ones(30, "f2"), "on": np.arange(30) % 2 == 0,
        "truth": np.arange(30) % 3, "row": np.arange(30), "word": np.full(30, "x"),
    }  # fmt: skip
    path = tmp_path / f"a.{ending}"
    if ending == "npz":
        np.savez(path, **columns)
    else:
        whole = np.empty(30, [(name, column.dtype) for name, column in columns.items()])
        for name, column in columns.items():
            whole[name] = column
        np.save(path, whole)
    source = NumpySource(path)
    (batch,) = source
    assert batch.schema.names == ("a", "b", "on")
    np.testing.assert_array_equal(batch.values, np.column_stack([columns[name] for name in ("a", "b", "on")]))
    np.testing.assert_array_equal(batch.time_ns, time_ns)
    np.testing.assert_array_equal(batch.truth, columns["truth"])
    said = " ".join(source.messages)
    assert "row (counts rows)" in said
    assert "word" in said


@pytest.mark.parametrize(("kind", "shape"), [("<U0", (-1,)), ("|S0", (3,)), ("<f4", (-1, 3))])
def test_a_header_by_which_numpy_would_divide_by_nothing_is_refused(
    tmp_path: Path, kind: str, shape: tuple[int, ...]
) -> None:
    header = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode() + b"\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(99))
    with pytest.raises(SourceError, match=r"a.npy: is not a complete .npy file"):
        NumpySource(tmp_path / "a.npy")
