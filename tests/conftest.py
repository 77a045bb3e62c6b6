"""Orbits of a few minutes and a model of them, fitted once; the command line, called in this process."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import pytest

from lynkeus.cli import main
from lynkeus.evaluate.fitted import Fitted
from lynkeus.evaluate.fitting import FitSettings, fit
from lynkeus.simulate.orbit import START_NS, OrbitSource, write_orbits_h5
from lynkeus.sources import open_source, read_layout
from lynkeus.transforms.faults import Fault

LATER_NS = START_NS + 720 * 10**9
NOISY = Fault("noisy", start=603, length=100, channel=40, size=5.0)
KICK = Fault("kick", start=1800, length=100, channel=10, size=8.0)


class Orbits(NamedTuple):
    """`good`: 12 minutes, `later`: the 6 minutes after them with a noisy monitor and a kick; `model` of `good`."""

    good: Path
    later: Path
    model: Path


class Done(NamedTuple):
    """What a command left: exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of an error; everything else would be a bug."""
        assert self.code == 2, self
        assert self.err.startswith("lynkeus: "), self
        assert self.err.count("\n") == 1, self
        return self.err.removeprefix("lynkeus: ").strip()


@pytest.fixture(scope="session")
def orbits(tmp_path_factory: pytest.TempPathFactory) -> Orbits:
    folder = tmp_path_factory.mktemp("orbits")
    found = Orbits(folder / "good.h5", folder / "later.h5", folder / "model")
    write_orbits_h5(OrbitSource(hours=0.2, seed=1), found.good)
    write_orbits_h5(OrbitSource(hours=0.1, seed=1, start_ns=LATER_NS, faults=(NOISY, KICK)), found.later)
    kept = read_layout("xfel_orbits").to_dict()
    fit(open_source(found.good, "xfel_orbits"), FitSettings("orbit", window=10, layout=kept)).save(found.model)
    return found


@pytest.fixture
def fitted(orbits: Orbits) -> Fitted:
    return Fitted.load(orbits.model)


@pytest.fixture
def later(orbits: Orbits, tmp_path: Path) -> Callable[[Callable[[h5py.Group], None]], Path]:
    """A copy of the later minutes, changed."""

    def changed(change: Callable[[h5py.Group], None]) -> Path:
        path = tmp_path / "changed.h5"
        shutil.copy(orbits.later, path)
        with h5py.File(path, "r+") as file:
            change(file["orbit"])
        return path

    return changed


@pytest.fixture
def lynkeus(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Done]:
    """Run one command in an empty folder, without a process of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["lynkeus", *map(str, words)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run
