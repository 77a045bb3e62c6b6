"""Laws of kinds: a plug-in of thirty lines goes through fit and score for every kind of sample, with one output or two;
any model folder given to any command works, or ends in one line."""

import json
import string
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lynkeus.commission.commission import CommissionSettings, commission
from lynkeus.core import About, Batch, Schema, SettingsError, plugins
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted, export
from lynkeus.fitting.score import ScoreSettings, score
from lynkeus.fitting.verdicts import RunVerdicts
from lynkeus.sources import InMemory
from lynkeus.sources.images.folder import ImageSource
from lynkeus.sources.runs.folder import RunFile
from lynkeus.sources.runs.read import RunFolder
from lynkeus.transforms.counts import counted

SAMPLES = 240
ODD = 7  # the sample that stands out
ONE_KIND = ("table", "waveform", "image", "histogram", "cloud", "counts", "text")


class Loudest:
    """Mean size of a sample against that of good ones, in their standard deviations; of text the number of letters."""

    outputs = ("anomaly",)
    about = About(ONE_KIND, False, "the values themselves", "nothing")

    def fit(self, source):
        sizes = np.concatenate([self.sizes(batch) for batch in source])
        self.schema_, self.mean_, self.spread_ = source.schema, float(sizes.mean()), float(sizes.std())
        return self

    def sizes(self, batch: Batch) -> np.ndarray:
        if batch.schema.kind == "text":
            return np.array([float(len(text)) for text in batch.values])
        if batch.schema.kind == "counts":
            return batch.packed.groups["counts"].values.reshape(len(batch), -1).mean(axis=1)
        return np.abs(batch.values.astype(float)).reshape(len(batch), -1).mean(axis=1)

    def score(self, batch: Batch) -> np.ndarray:
        self.schema_.require(batch.schema, "this loudest")
        return np.abs(self.sizes(batch) - self.mean_)[:, None] / self.spread_

    def explain(self, batch: Batch, output: str) -> np.ndarray:
        return self.sizes(batch) if batch.schema.kind in ("counts", "text") else np.abs(batch.values.astype(float))

    def save(self, folder: Path) -> None:
        learned = {"schema": self.schema_.to_dict(), "mean": self.mean_, "spread": self.spread_}
        (folder / "loudest.json").write_text(json.dumps(learned))

    @classmethod
    def load(cls, folder: Path):
        learned, scorer = json.loads((folder / "loudest.json").read_text()), cls()
        scorer.schema_ = Schema.from_dict(learned["schema"])
        scorer.mean_, scorer.spread_ = learned["mean"], learned["spread"]
        return scorer


class LoudestRun(Loudest):
    about = About(("cloud",), False, "the values themselves", "nothing", runs=True)


class TwoSided(Loudest):
    """The same with two outputs: too large and too small."""

    outputs = ("large", "small")

    def score(self, batch: Batch) -> np.ndarray:
        away = (self.sizes(batch) - self.mean_) / self.spread_
        return np.stack([away, -away], axis=1)

    def explain(self, batch: Batch, output: str) -> np.ndarray:
        assert output in self.outputs
        return super().explain(batch, output) * (1 if output == "large" else -1)


class AsOnceDescribed(Loudest):
    """As plug-ins were once told to write it: explain of a batch alone, and nothing about itself."""

    about = About(("table", "waveform"), False, "", "")

    def explain(self, batch: Batch) -> np.ndarray:
        return np.abs(batch.values)


@pytest.fixture(autouse=True)
def plugged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    load = plugins.load
    monkeypatch.setattr(plugins, "load", lambda group, name: OWN.get(name) or load(group, name))


OWN = {"loudest": Loudest, "loudestrun": LoudestRun, "twosided": TwoSided, "as_once_described": AsOnceDescribed}


PLANTED = {"table": {"offset": (30.0,)}, "waveform": {"offset": (30.0,)}, "image": {"pit": (3.0,)}}


def a_run(name: str, seed: int, factor: float = 1.0) -> RunFile:
    energy = np.random.default_rng(seed).exponential(10.0 * factor, 300)
    return RunFile(name, lambda: iter([{"energy": energy}]))


def samples(kind: str, odd: bool = False, seed: int = 0) -> InMemory:
    """Noise of each kind; of the odd ones sample ODD is ten times as large."""
    rng = np.random.default_rng(seed)
    shapes = {
        "table": (4,),
        "waveform": (2, 16),
        "image": (1, 12, 12),
        "histogram": (30,),
        "cloud": (20, 3),
        "counts": (20,),
        "text": (),
    }
    shape = shapes[kind]
    if kind == "text":
        lengths = rng.integers(10, 20, SAMPLES)
        lengths[ODD] *= 10 if odd else 1
        values = np.array(["".join(rng.choice(list(string.ascii_lowercase), n)) for n in lengths], object)
        return InMemory(Batch(Schema("text", shape=()), values))
    values = rng.normal(10.0, 1.0, (SAMPLES, *shape))
    if kind == "counts":
        values[ODD] *= 10 if odd else 1
        keys = [[("good", str(code), "T2_XX_Town") for code in range(20)]] * SAMPLES
        return InMemory(counted(keys, values.tolist(), {}))
    values[ODD] *= 10 if odd else 1
    if kind == "image":
        values = np.clip(values, 0, 255).astype(np.uint8)
    names = tuple(f"n{k}" for k in range(shape[0])) if kind in ("table", "waveform", "image") else ()
    schema = Schema(kind, names, shape=shape if kind != "image" else (1, 12, 12))
    return InMemory(Batch(schema, values, mask=np.ones((SAMPLES, 20), bool) if kind == "cloud" else None))


@pytest.mark.parametrize("scorer", ["loudest", "twosided"])
@pytest.mark.parametrize("kind", ONE_KIND)
def test_every_kind_goes_from_fit_to_a_table(kind: str, scorer: str, tmp_path: Path) -> None:
    fit(samples(kind), FitSettings(scorer)).save(tmp_path / "m")
    fitted = Fitted.load(tmp_path / "m")
    assert fitted.view.schema.kind == kind
    settings = ScoreSettings(tmp_path / "s.parquet")
    rows = score(fitted, tmp_path / "m", samples(kind, odd=True, seed=1), settings).rows
    table = pq.read_table(tmp_path / "s.parquet").to_pydict()
    output = fitted.scorer.outputs[0]
    assert rows == SAMPLES
    assert int(np.argmax(table[output])) == ODD
    assert table[f"{output}_p_value"][ODD] < 0.05
    assert kind in ("counts", "text") or table["where"][ODD]
    assert 0.2 < np.mean(np.array(table[f"{output}_p_value"]) < 0.5) < 0.8


@pytest.mark.parametrize("scorer", ["loudest", "twosided"])
@pytest.mark.parametrize("kind", ONE_KIND)
def test_every_kind_is_commissioned_by_planted_faults_or_labels(kind: str, scorer: str) -> None:
    fitted = fit(samples(kind), FitSettings(scorer))
    few = CommissionSettings(faults=PLANTED.get(kind), per_case=4, false_alarms=0.02)
    if kind in PLANTED:
        found = commission(fitted, samples(kind, seed=1), few)
        assert found.planted
    else:
        with pytest.raises(SettingsError, match=r"nothing can be planted into .*--labels"):
            commission(fitted, samples(kind, seed=1), few)
    source = samples(kind, odd=True, seed=1)
    truth = np.zeros(SAMPLES, int)
    truth[ODD] = 1
    found = commission(fitted, InMemory(replace(source.batch, truth=truth)), CommissionSettings(false_alarms=0.02))
    (row,) = [row for row in found.rows if row.scorer == scorer and row.output == fitted.scorer.outputs[0]]
    assert (row.fault, row.efficiency, row.faults) == ("label 1", 1.0, 1)


def test_runs_are_commissioned_the_same_way() -> None:
    fitted = fit(RunFolder([a_run(f"good{k}", k) for k in range(40)]), FitSettings("loudestrun"))
    settings = CommissionSettings(faults={"shift": (3.0,)}, events=(200,), per_case=4, false_alarms=0.05)
    found = commission(fitted, RunFolder([a_run(f"held{k}", 100 + k) for k in range(10)]), settings)
    assert found.rows[0].efficiency >= 0.5
    assert found.rows[0].events == 200


def test_runs_go_the_same_way(tmp_path: Path) -> None:
    run = a_run
    fit(RunFolder([run(f"good{k}", k) for k in range(40)]), FitSettings("loudestrun")).save(tmp_path / "m")
    fitted = Fitted.load(tmp_path / "m")
    records = RunVerdicts(fitted).of([run("good", 100), run("bad", 101, 2.0)], lambda what, share: None)
    assert [record.verdict.value for record in records] == ["good", "bad"]


def test_a_plug_in_as_it_was_once_described_still_works() -> None:
    fitted = fit(samples("table"), FitSettings("as_once_described"))
    (scored,) = fitted.score(samples("table", odd=True, seed=1))
    assert scored.where(0)[ODD] in fitted.view.names


@pytest.mark.parametrize("kind", ONE_KIND)
def test_other_samples_are_refused_in_words(kind: str) -> None:
    fitted = fit(samples(kind), FitSettings("loudest"))
    other = "table" if kind != "table" else "cloud"
    with pytest.raises(Exception, match=r"the model \(loudest\)|have 4 columns|columns; found"):
        list(fitted.score(samples(other)))


def test_a_folder_of_images_goes_the_same_way(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder, level in (("good", 120), ("later", 120)):
        (tmp_path / folder).mkdir()
        for number in range(30):
            pixels = rng.integers(level - 20, level + 20, (12 + number % 2, 16)).astype(np.uint8)
            pixels[:] = 250 if (folder, number) == ("later", ODD) else pixels
            Image.fromarray(pixels).save(tmp_path / folder / f"{number:02d}.png")
    fitted = fit(ImageSource(tmp_path / "good"), FitSettings("loudest"))
    fitted.save(tmp_path / "m")
    settings = ScoreSettings(tmp_path / "s.parquet")
    assert score(fitted, tmp_path / "m", ImageSource(tmp_path / "later"), settings).rows == 30
    table = pq.read_table(settings.output).to_pydict()
    assert table["file"][int(np.argmax(table["anomaly"]))] == f"{ODD:02d}.png"


def test_it_is_commissioned_on_a_table_and_not_exported(gaussian) -> None:
    fitted = fit(gaussian(6000, 1), FitSettings("loudest"))
    settings = CommissionSettings(faults={"offset": (30.0,)}, budget_per_hour=20.0, per_case=6)
    found = commission(fitted, gaussian(6000, 2), settings)
    (row,) = [row for row in found.rows if row.scorer == "loudest"]
    assert row.efficiency > 0.5
    with pytest.raises(SettingsError, match="cannot be exported"):
        export(fitted, Path("model.onnx"))
