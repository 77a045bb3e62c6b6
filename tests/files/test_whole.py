"""Files and folders that are complete or as they were: full disks, missing rights, kills, folders in the way."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.commission.report import check_path
from lynkeus.core import ModelError, SettingsError, SourceError
from lynkeus.files.whole import (
    WholeParquet,
    beside,
    disk_errors,
    replace_file,
    whole_folder,
    write_parquet,
    write_whole,
)

LIMIT = 4096


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond LIMIT bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, before)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def table(rows: int, seed: int = 0) -> pa.Table:
    return pa.table({"x": np.random.default_rng(seed).random(rows)})


def test_a_file_is_written_and_its_folder_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "a.html", b"one")
    write_whole(tmp_path / "new" / "a.html", b"two")
    replace_file(tmp_path / "new" / "b", b"three", sync_first=True)
    assert names(tmp_path / "new") == ["a.html", "b"]
    assert (tmp_path / "new" / "a.html").read_bytes() == b"two"


def test_what_was_there_stays_where_the_new_does_not_fit(tmp_path: Path, small_files: None) -> None:
    write_whole(tmp_path / "a", b"old")
    with pytest.raises(
        SourceError, match=r"a: cannot be written \(File too large\); free some space or choose another"
    ):
        write_whole(tmp_path / "a", b"x" * 2 * LIMIT)
    with pytest.raises(SourceError, match=r"t\.parquet: cannot be written"):
        write_parquet(table(5000), tmp_path / "t.parquet")
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_full_disk_is_called_so(small_disk: Path) -> None:
    with pytest.raises(SourceError, match=r"a: cannot be written \(the disk is full\); free some space"):
        write_whole(small_disk / "a", b"x" * 200_000)
    assert not names(small_disk)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_missing_right_is_called_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SourceError, match=r"a: cannot be written \(Permission denied\)"):
        write_whole(tmp_path / "a", b"x")
    tmp_path.chmod(0o700)


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(SourceError, match="folder is a folder: give a file name"):
        write_whole(tmp_path / "folder", b"x")
    with pytest.raises(SourceError, match="folder is a folder: give a file name"), WholeParquet(tmp_path / "folder"):
        raise AssertionError("not to be entered")
    for below in ("file/a", "file/a/b"):
        with pytest.raises(SourceError, match=r"cannot be written \(.*file.* is no folder\)"):
            write_whole(tmp_path / below, b"x")
    assert names(tmp_path) == ["file", "folder"]


def test_any_error_within_removes_the_half_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def write_half(error: type[BaseException]) -> None:
        with beside(tmp_path / "a") as partial:
            partial.write_bytes(b"half")
            raise error

    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            write_half(error)
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_the_file_of_before_can_be_kept(tmp_path: Path) -> None:
    for content in (b"1", b"2", b"3"):
        with beside(tmp_path / "a", sync_first=True, before=tmp_path / "a.before") as partial:
            partial.write_bytes(content)
    assert [(tmp_path / name).read_bytes() for name in names(tmp_path)] == [b"3", b"2"]


def test_the_words_of_an_error_can_be_chosen(tmp_path: Path) -> None:
    with (
        pytest.raises(ModelError, match=r"m: the model cannot be written \(Is a directory\); free space"),
        disk_errors(tmp_path / "m", "the model cannot be written", "free space", ModelError),
    ):
        tmp_path.write_bytes(b"x")


def test_a_folder_takes_the_place_of_another_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "below" / "m"
    for content in ("one", "two"):
        with whole_folder(folder) as partial:
            (partial / content).write_text(content)
            assert not (folder / content).exists()
    assert names(folder) == ["two"]
    with pytest.raises(FileNotFoundError), whole_folder(folder) as partial:
        (partial / "three" / "four").write_text("x")
    assert names(folder) == ["two"]
    assert names(folder.parent) == ["m"]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "m") as partial:
        (partial / "a").write_text("old")
    with pytest.raises(FileNotFoundError), whole_folder(tmp_path / "m") as partial:
        partial.rmdir()
    assert names(tmp_path) == ["m"]
    assert names(tmp_path / "m") == ["a"]


def test_a_growing_table_has_all_rows_in_groups(tmp_path: Path) -> None:
    path = tmp_path / "new" / "t.parquet"
    with WholeParquet(path, rows_per_group=100) as out:
        for number in range(7):
            out.add(table(30, number))
            assert not path.exists()
    assert out.rows == 210
    assert pq.ParquetFile(path).num_row_groups == 2
    assert pq.read_table(path).equals(pa.concat_tables(table(30, number) for number in range(7)))
    assert names(path.parent) == ["t.parquet"]


def test_a_table_that_breaks_off_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"old")

    def break_off() -> None:
        with WholeParquet(path, rows_per_group=10) as out:
            out.add(table(20))
            raise OSError("of the data, not of the disk")

    with pytest.raises(OSError, match="of the data"):
        break_off()
    with pytest.raises(SourceError, match="not a single row"), WholeParquet(path):
        pass
    assert names(tmp_path) == ["t.parquet"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("rows_per_group", [100, 1_000_000])
def test_a_table_that_does_not_fit_says_so_in_given_words(
    tmp_path: Path, small_files: None, rows_per_group: int
) -> None:
    path = tmp_path / "t.parquet"

    def write() -> None:
        with WholeParquet(path, "cannot write the scores", "free space", rows_per_group) as out:
            for number in range(10):
                out.add(table(1000, number))

    with pytest.raises(SourceError, match=r"t\.parquet: cannot write the scores \(.*\); free space"):
        write()
    assert not names(tmp_path)


def test_a_kill_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    code = (
        "import sys, time; from pathlib import Path; from lynkeus.files.whole import beside\n"
        "with beside(Path(sys.argv[1])) as partial:\n"
        "    partial.write_bytes(b'half'); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a")])
    until = time.monotonic() + 30
    while not (tmp_path / "a.partial").exists() and time.monotonic() < until:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert (tmp_path / "a").read_bytes() == b"old"
    with contextlib.suppress(SourceError):
        write_whole(tmp_path / "a", b"new")
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_report_does_not_take_the_place_of_the_data_that_it_is_about(tmp_path: Path) -> None:
    data = tmp_path / "good.parquet"
    data.write_bytes(b"data")
    check_path(tmp_path / "good.html", [tmp_path / "other.parquet"])
    (tmp_path / "again.html").symlink_to(data)
    for name, says in (("good.html", "the table of the report would take its place"), ("again.html", "overwritten")):
        with pytest.raises(SettingsError, match=says):
            check_path(tmp_path / name, [data])
