"""A model of classes: learned from labelled clouds and tables, its probabilities and background efficiencies kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.core import About, Batch, Evidence, Floats, Group, Packed, Schema, Scores, SettingsError, Source, plugins
from lynkeus.core.background import Background
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.score import ScoreSettings, score
from lynkeus.sources.wrappers.classed import Classed, Fold
from lynkeus.sources.wrappers.selection import InMemory

CLASSES = ("gluon", "quark")


@dataclass
class ByCount:
    """Tells gluon from quark by how many particles there are: a logistic function, learned in two lines."""

    about: ClassVar[About] = About(("cloud",), False, "", "a second", labels="classes", weights=True, tags=True)
    middle: float = field(default=0.0, init=False)
    outputs: tuple[str, ...] = field(default=(), init=False)

    def fit(self, source: Source) -> Self:
        counts, truths = [], []
        for batch in source:
            counts.append(_counts(batch))
            truths.append(batch.truth)
        self.outputs = source.schema.classes
        count, truth = np.concatenate(counts), np.concatenate(truths)
        self.middle = float(np.mean([count[truth == k].mean() for k in (0, 1)]))
        return self

    def calibrate(self, source: Source) -> None:
        assert sum(map(len, source)) > 0

    def score(self, batch: Batch) -> Scores:
        gluon = 1 / (1 + np.exp(-0.2 * (_counts(batch) - self.middle)))
        return np.stack([gluon, 1 - gluon], axis=1)

    def explain(self, batch: Batch, output: str) -> Evidence:
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        (folder / "s.json").write_text(json.dumps([self.middle, self.outputs]))

    @classmethod
    def load(cls, folder: Path) -> Self:
        own = cls()
        own.middle, own.outputs = json.loads((folder / "s.json").read_text())
        return own


def _counts(batch: Batch) -> Floats:
    return batch.packed.groups["particles"].lengths.astype(float)


def jets(n: int, seed: int, weighted: bool = False, unknown: int = 0) -> InMemory:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    truth[:unknown] = -1
    lengths = rng.poisson(np.where(truth == 0, 60, 40))
    group = Group.of_lengths(rng.normal(size=(lengths.sum(), 2)).astype(np.float32), lengths)
    schema = Schema("cloud", ("particles/part_deta", "particles/part_dphi"), ("rad",), (None, None), classes=CLASSES)
    weight = rng.uniform(0.5, 2, n) if weighted else None
    batch = Batch(schema, Packed({"particles": group}), truth=truth, weight=weight, meta={"jet_pt": rng.normal(size=n)})
    return InMemory(batch, 256)


@pytest.fixture
def by_count(monkeypatch: pytest.MonkeyPatch) -> None:
    known = plugins.load
    monkeypatch.setattr(plugins, "load", lambda group, name: ByCount if name == "by_count" else known(group, name))


@pytest.mark.parametrize("weighted", [False, True])
def test_outputs_are_classes_and_p_values_are_background_efficiencies(
    by_count: None, tmp_path: Path, weighted: bool
) -> None:
    fitted = fit(jets(4000, 1, weighted, unknown=7), FitSettings("by_count"))
    assert fitted.messages == ["7 samples of no known class are left out"]
    assert fitted.lineage["classes"].keys() == set(CLASSES)
    fitted.save(tmp_path / "M")
    again = Fitted.load(tmp_path / "M")
    assert again.scorer.outputs in (CLASSES, list(CLASSES))
    score(again, tmp_path / "M", jets(5000, 2), ScoreSettings(tmp_path / "s.parquet"))
    table = pq.read_table(tmp_path / "s.parquet")
    assert table.column_names == ["row", "jet_pt", "gluon", "gluon_p_value", "quark", "quark_p_value", "label"]
    label, p_value = np.array(table["label"]), np.array(table["gluon_p_value"])
    background = p_value[label == "quark"]
    for efficiency in (0.5, 0.1, 0.02):
        spread = np.sqrt(efficiency / len(background) + efficiency / (4000 / 10))
        assert abs((background <= efficiency).mean() - efficiency) < 4 * spread
    assert p_value.min() >= 1 / (4000 / FOLD)  # no smaller than the jets that were kept from the training support
    assert (p_value[label == "gluon"] < 0.02).mean() > 0.3


FOLD = 5 / 1.5


def test_a_threshold_is_refused_that_no_sample_supports() -> None:
    rng = np.random.default_rng(0)
    found = Background.fit(rng.uniform(0, 1, 100_000))
    assert found.working_point(0.1) == pytest.approx(0.9, abs=0.01)
    assert found.p_value(np.array([0.999]))[0] == pytest.approx(1e-3, rel=0.3)
    assert np.isnan(found.p_value(np.array([np.nan]))[0])
    assert Background.from_dict(json.loads(json.dumps(found.to_dict()))).p_value(np.array([0.3]))[0] == pytest.approx(
        found.p_value(np.array([0.3]))[0]
    )
    with pytest.raises(Exception, match=r"cannot be stated by 100000 samples"):
        found.working_point(1e-7)


def test_parts_are_even_in_sorted_data_and_together_everything() -> None:
    source = jets(3000, 3)
    inside, outside = (sum(map(len, Fold(source, 5, part))) for part in (True, False))
    assert inside + outside == 3000
    assert abs(inside - 600) < 10
    rows = Fold(InMemory(source.batch[:1000], 100), 5, True)
    assert abs(sum(map(len, rows)) - 200) < 5


def test_labels_of_a_column_are_classes_in_words() -> None:
    batch = jets(100, 4).batch
    words = np.where(batch.truth == 0, "b jet", " c jet ")
    words[3] = "unknown"
    unlabelled = Batch(
        Schema("cloud", batch.schema.names, ("rad",), (None, None)), batch.values, meta={"flavour": words}
    )
    known = Classed(InMemory(unlabelled, 30), "flavour")
    assert known.schema.classes == ("b jet", "c jet")
    truth = np.concatenate([one.truth for one in known])
    assert len(truth) == 99
    assert known.counts == {"b jet": int((truth == 0).sum()), "c jet": int((truth == 1).sum())}
    with pytest.raises(SettingsError, match=r"no column 'flavor'.*flavour"):
        Classed(InMemory(unlabelled), "flavor")


def test_few_samples_or_one_class_are_refused(by_count: None) -> None:
    with pytest.raises(SettingsError, match="too few of"):
        fit(jets(150, 5), FitSettings("by_count"))
    source = jets(4000, 6)
    only: Any = InMemory(source.batch[source.batch.truth == 1])
    with pytest.raises(SettingsError, match=r"too few of gluon \(0\)"):
        fit(only, FitSettings("by_count"))
