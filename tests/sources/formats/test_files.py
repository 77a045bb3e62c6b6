from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import SourceError, concatenate
from lynkeus.sources import files_of, open_source


def _save(path: Path, first_s: int, rows: int = 5, width: int = 2, names: tuple[str, ...] = ("u", "v")) -> Path:
    time_ns = (first_s + np.arange(rows)) * 10**9
    values = np.arange(rows * width).reshape(rows, width) + 100.0 * first_s
    np.savez(path, X=values, time_ns=time_ns, names=names)
    return path


def test_files_are_read_in_the_order_of_their_times(tmp_path: Path):
    late, early = _save(tmp_path / "a.npz", 50), _save(tmp_path / "b.npz", 10)
    for what in (str(tmp_path / "*.npz"), tmp_path):
        source = open_source(what)
        read = concatenate(list(source))
        assert len(source) == len(read) == 10
        assert read.values[0, 0] == 1000.0
        assert (np.diff(read.time_ns) > 0).all()
        assert read.meta["file"].tolist() == [0] * 5 + [1] * 5
        assert read.meta["position"].tolist() == [0, 1, 2, 3, 4] * 2
        assert files_of(source) == (early, late)


def test_without_times_the_names_give_the_order(tmp_path: Path):
    for number, name in enumerate(("run_2.npy", "run_1.npy")):
        np.save(tmp_path / name, np.full((2, 2), number))
    assert concatenate(list(open_source(tmp_path))).values[:, 0].tolist() == [1, 1, 0, 0]


def test_files_of_different_channels_are_refused(tmp_path: Path):
    _save(tmp_path / "a.npz", 0)
    _save(tmp_path / "b.npz", 10, names=("u", "w"))
    with pytest.raises(SourceError, match=r"b\.npz: is not like .*a\.npz; names: 1 missing \['v'\]"):
        open_source(tmp_path)


def test_files_that_overlap_in_time_are_refused_with_file_and_row(tmp_path: Path):
    _save(tmp_path / "a.npz", 0)
    _save(tmp_path / "b.npz", 2)
    with pytest.raises(SourceError, match=r"b\.npz: time goes backwards at row 0, from 1970-01-01T00:00:04"):
        list(open_source(tmp_path))
