"""Gaussian channels at 10 Hz, a scorer so simple that its efficiency is a closed form; pictures and their scores."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.core import Batch, Calibration, Finding, Schema
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.score import ScoreSettings, score
from lynkeus.fitting.views.channels import Channels
from lynkeus.fitting.views.live_channels import LiveChannels
from lynkeus.sources import InMemory
from lynkeus.sources.images.folder import ImageSource

START_NS = 1_645_747_200_000_000_000
CHANNELS = 5


@dataclass
class Loudest:
    """`monitor`: the largest of all |values|; `beam`: the size of their mean in its own sigmas."""

    outputs: ClassVar[tuple[str, ...]] = ("monitor", "beam")

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
    values = np.random.default_rng(seed).normal(size=(rows, CHANNELS))
    schema = Schema("table", tuple(f"BPME.{k}.SA1/x" for k in range(CHANNELS)), ("mm",), (CHANNELS,), 10.0)
    return InMemory(Batch(schema, values, START_NS + 100_000_000 * np.arange(rows)), batch_size)


def _fitted(window: int = 0, name: str = "loudest", rows: int = 36_000) -> Fitted:
    source = _gaussian(rows, seed=1)
    scorer = Loudest().fit(source)
    view = Channels(source.schema, LiveChannels.fit(source), window)
    fitted = Fitted(name, scorer, view, {}, {"reference": np.empty((0, CHANNELS))})
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
