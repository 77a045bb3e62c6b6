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
