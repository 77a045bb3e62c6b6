"""A disk that is full: one line, exit code 2, and what was written before is still there, whole."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.store import Store

Run = Callable[..., Any]
FULL = ("disk is full", "No space left", "File too large", "disk I/O error")


@pytest.fixture(params=["small_disk", "small_files"])
def full(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], contextlib.AbstractContextManager[Path]]:
    """A folder that takes so many bytes: a small disk where we may mount one, else a limit on the size of files."""
    folder = tmp_path / "disk"
    folder.mkdir()

    @contextlib.contextmanager
    def limit(size: int) -> Iterator[Path]:
        if request.param == "small_files":
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
            try:
                yield folder
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            return
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("only root can mount a small disk")
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)

    return limit


def test_a_model_that_does_not_fit(lynkeus: Run, orbits: Any, full: Any) -> None:
    with full(60_000) as folder:
        words = ("fit", orbits.later, "--layout", "xfel_orbits", "-s", "orbit", "--window", "10", "-o", folder / "m")
        line = lynkeus(*words).line
        assert f"{folder / 'm'}: the model cannot be written" in line
        assert any(reason in line for reason in FULL), line
        assert not list(folder.iterdir())


def test_scores_that_do_not_fit_leave_the_old_ones(lynkeus: Run, orbits: Any, full: Any) -> None:
    with full(8192) as folder:
        (folder / "s.parquet").write_bytes(b"old")
        line = lynkeus("score", orbits.model, orbits.later, "-o", folder / "s.parquet").line
        assert f"{folder / 's.parquet'}: cannot write the scores" in line
        assert any(reason in line for reason in FULL), line
        assert [path.name for path in folder.iterdir()] == ["s.parquet"]
        assert (folder / "s.parquet").read_bytes() == b"old"


def test_a_store_that_is_full_keeps_what_it_has(lynkeus: Run, orbits: Any, full: Any) -> None:
    with full(350_000) as folder:
        url = f"sqlite:///{folder / 'w.db'}"
        line = lynkeus("watch", orbits.model, orbits.later, "--store", url).line
        assert any(reason in line for reason in FULL), line
        shutil.copytree(folder, folder.parent / "copy")
    store = Store(f"sqlite:///{folder.parent / 'copy' / 'w.db'}")
    (pulse,) = store.monitors()
    points = store.points("monitor", "beam")
    assert len(points) * 10 == pulse.samples < 3600  # whole commits only
    store.close()
    url = f"sqlite:///{folder.parent / 'copy' / 'w.db'}"
    assert lynkeus("watch", orbits.model, orbits.later, "--store", url).code in (0, 1)
    store = Store(url)
    assert len(store.points("monitor", "beam")) == 360
    store.close()


def test_a_fit_that_fails_leaves_the_old_model(lynkeus: Run, orbits: Any, tmp_path: Path) -> None:
    shutil.copytree(orbits.model, tmp_path / "m")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        words = ("fit", orbits.later, "--layout", "xfel_orbits", "-s", "orbit", "--window", "10", "-o", "m")
        assert "cannot be written" in lynkeus(*words).line
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert Fitted.load(tmp_path / "m").lineage["samples"] == 720
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("orbit", "a.h5"),
        ("orbit", "a.npz"),
        ("orbit", "a.parquet"),
        ("noble?events=3000", "a"),
        ("surface?size=512", "a"),
    ],
)
def test_simulated_data_that_do_not_fit_leave_nothing(lynkeus: Run, full: Any, source: str, name: str) -> None:
    with full(120_000) as folder:
        line = lynkeus("generate", source, "-n", 600 if source == "orbit" else 2, "-o", folder / name).line
        assert f"{folder / name}: cannot be written" in line
        assert any(reason in line for reason in FULL), line
        assert not list(folder.iterdir())


@pytest.mark.parametrize("ending", ["parquet", "h5", "npz", "root"])
def test_jets_that_do_not_fit(lynkeus: Run, full: Any, ending: str) -> None:
    if ending == "root":
        pytest.importorskip("uproot")
    with full(40_000) as folder:
        line = lynkeus("generate", "jets?classes=light&pt=60-120", "-n", 600, "-o", folder / f"a.{ending}").line
        assert f"{folder / f'a.{ending}'}: cannot be written" in line
        assert any(reason in line for reason in FULL), line
        assert not list(folder.iterdir())
