"""The hit filter: at the stated loss of signal it removes noise, whatever mistakes the labels have, and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tpc import hit_columns

from lynkeus.core import Batch, CalibrationError, ModelError, SchemaError, SettingsError, concatenate
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.metrics.rates import auroc
from lynkeus.scorers.hits.even import Even
from lynkeus.scorers.hits.hit_filter import HitFilter
from lynkeus.scorers.hits.label_noise import LabelNoise
from lynkeus.scorers.hits.working_point import Curve, Judged, WorkingPoint
from lynkeus.sources import open_source

EVENTS = 26
QUICK = {"trees": 60, "training": {"epochs": 2}}
pytestmark = pytest.mark.slow(0.5)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Hits to learn from, and others."""
    folder = tmp_path_factory.mktemp("hits")
    for number, name in enumerate(("train.npz", "other.npz")):
        np.savez(folder / name, **hit_columns(EVENTS, seed=number))
    return folder / "train.npz", folder / "other.npz"


@pytest.fixture(scope="module")
def fitted(files: tuple[Path, Path]) -> Fitted:
    source = open_source(files[0], hits=True)
    return fit(source, FitSettings("hit_filter", {"method": "trees,dense", **QUICK}, labels="on_track"))


@pytest.fixture(scope="module")
def other(fitted: Fitted, files: tuple[Path, Path]) -> Batch:
    return concatenate(list(fitted.prepare(open_source(files[1], expected=fitted.view.schema))))


def test_it_loses_as_much_signal_as_it_says_and_removes_noise(fitted: Fitted, other: Batch) -> None:
    remove = fitted.scorer.further(other)["remove"]
    signal = other.meta["is_signal"] == 1
    low, high = fitted.scorer.point_.lost_interval
    width = high - low + 0.008  # of the calibration and of what is tried
    assert remove[signal].mean() == pytest.approx(0.05, abs=2 * width)
    assert remove[~signal].mean() > 0.9
    assert remove[~signal].mean() > fitted.scorer.chosen_.cut > 0.2
    assert 0.0 < low <= 0.05 <= high < 0.2


def test_the_loss_is_even_over_hits_however_they_look_and_most_of_it_is_by_lot(fitted: Fitted, other: Batch) -> None:
    remove = fitted.scorer.further(other)["remove"]
    signal = other.meta["is_signal"] == 1
    slope = np.abs(other.values[:, other.schema.names.index("near/aligned")])
    few, many = (remove[signal & own].mean() for own in (slope < 5.5, slope > 5.5))
    assert few < 0.08  # at the ends of tracks, which were lost first
    assert 0.01 < many < 0.1
    learner = fitted.scorer.learner_
    assert isinstance(learner, Even)
    tickets = learner.lots.tickets(torch.from_numpy(other.values))[torch.from_numpy(slope > 5.5)].numpy()
    assert np.quantile(tickets, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.03)
    assert any("drawn evenly" in line for line in fitted.scorer.messages)


def test_mistakes_of_the_labels_are_found(fitted: Fitted, other: Batch) -> None:
    on, signal = other.meta["on_track"] == 1, other.meta["is_signal"] == 1
    found = fitted.scorer.point_.mistakes
    assert found.on_track == pytest.approx((~signal[on]).mean(), abs=0.02)
    assert found.off_track == pytest.approx(signal[~on].mean(), abs=0.03)


def test_the_chance_of_noise_is_that_of_the_truth(fitted: Fitted, other: Batch) -> None:
    chance = fitted.scorer.further(other)["noise_probability"]
    noise = other.meta["is_signal"] == 0
    assert chance.min() >= 0
    assert chance.max() <= 1
    assert chance.mean() == pytest.approx(noise.mean(), abs=0.03)
    assert auroc(noise, chance) > 0.97
    sure = chance > 0.95
    assert noise[sure].mean() > 0.95


def test_p_values_are_shares_of_hits_on_tracks(fitted: Fitted, other: Batch) -> None:
    scored = fitted.score_batch(other)
    on = other.meta["on_track"] == 1
    assert (scored.p_values[on, 0] < 0.2).mean() == pytest.approx(0.2, abs=0.06)
    assert set(scored.where(0)[fitted.scorer.further(other)["remove"]]) <= set(other.schema.names)


def test_it_comes_back_from_its_folder(fitted: Fitted, other: Batch, tmp_path: Path) -> None:
    fitted.save(tmp_path / "M")
    again = Fitted.load(tmp_path / "M")
    np.testing.assert_allclose(again.scorer.score(other), fitted.scorer.score(other), rtol=1e-5, atol=1e-5)
    assert again.scorer.point_.threshold == fitted.scorer.point_.threshold
    assert (again.scorer.further(other)["remove"] == fitted.scorer.further(other)["remove"]).all()
    assert {path.suffix for path in (tmp_path / "M").rglob("*") if path.is_file()} <= {".json", ".safetensors", ""}
    (tmp_path / "M" / "scorer" / "hit_filter.json").write_text("{}")
    with pytest.raises(ModelError, match=r"hit_filter"):
        HitFilter.load(tmp_path / "M" / "scorer")


@pytest.mark.parametrize("method", ["dense", "convolutional"])
def test_networks_learn_and_are_kept(fitted: Fitted, other: Batch, tmp_path: Path, method: str) -> None:
    few = other[: len(other) // 3]
    scorer = HitFilter(method=method, training={"epochs": 2}).fit(_source(few))
    scores = scorer.score(other)
    assert auroc(other.meta["is_signal"] == 0, scores[:, 0]) > 0.85
    scorer.save(tmp_path)
    np.testing.assert_allclose(HitFilter.load(tmp_path).score(other), scores, rtol=1e-4, atol=1e-4)


def test_what_speaks_for_noise_is_said(fitted: Fitted, other: Batch) -> None:
    few = other[:200]
    evidence = fitted.scorer.explain(few, "anomaly")
    assert evidence.shape == few.values.shape
    assert np.isfinite(evidence).all()
    noise = fitted.scorer.further(few)["remove"]
    assert evidence[noise].sum(axis=1).mean() > evidence[~noise].sum(axis=1).mean()


def test_hits_that_miss_most_have_no_score_and_are_kept(fitted: Fitted, other: Batch) -> None:
    values = other.values[:20].copy()
    values[3:5] = np.nan
    values[10, 0] = np.nan
    batch = replace(other[:20], values=values)
    scores = fitted.scorer.score(batch)
    assert np.isnan(scores[:, 0]).nonzero()[0].tolist() == [3, 4]
    assert not fitted.scorer.further(batch)["remove"][3:5].any()
    assert fitted.scorer.score(other[:0]).shape == (0, 1)


def test_another_schema_is_refused(fitted: Fitted, other: Batch) -> None:
    names = other.schema.names[::-1]
    with pytest.raises(SchemaError, match="names"):
        fitted.scorer.score(replace(other, schema=replace(other.schema, names=names)))


def test_labels_of_one_kind_or_too_few_are_refused(other: Batch) -> None:
    for truth, word in ((np.zeros(len(other), int), "on a track"), (np.ones(len(other), int), "noise")):
        with pytest.raises(SettingsError, match=word):
            HitFilter().fit(_source(replace(other, truth=truth)))
    with pytest.raises(CalibrationError, match="give more"):
        HitFilter(method="trees").fit(_source(other[:300]))
    with pytest.raises(SettingsError, match="--labels"):
        HitFilter().fit(_source(replace(other, truth=None)))


@pytest.mark.parametrize(
    ("options", "word"),
    [({"signal_loss": 0}, "signal_loss"), ({"signal_loss": 5}, "signal_loss"), ({"method": "forest"}, "method"),
     ({"loss_of": "x"}, "loss_of")],
)  # fmt: skip
def test_settings_out_of_range_are_refused(options: dict, word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        HitFilter(**options)


def mixture(on: float, off: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of 40,000 hits, their labels (1 noise) with mistakes, and the truth (1 noise)."""
    random = np.random.default_rng(seed)
    truth = (random.uniform(size=40_000) < 0.5).astype(int)
    scores = random.normal(np.where(truth, 2.0, -2.0), 1.2)
    turned = random.uniform(size=len(truth)) < np.where(truth, on, off)
    return scores, truth ^ turned, truth


@pytest.mark.parametrize(("on", "off"), [(0.0, 0.0), (0.05, 0.0), (0.0, 0.1), (0.08, 0.15)])
def test_the_loss_of_signal_is_right_whatever_the_labels_mistake(on: float, off: float) -> None:
    scores, labels, truth = mixture(on, off)
    point = WorkingPoint.fit(Judged(scores, labels, np.arange(len(scores)) // 100), 0.05, "signal")
    assert (scores > point.threshold)[truth == 0].mean() == pytest.approx(0.05, abs=0.006)
    assert point.shares.noise_removed == pytest.approx((scores > point.threshold)[truth == 1].mean(), abs=0.02)
    chance = point.mistakes.noise_probability(np.array([0.0, 0.5, 1.0]))
    assert (np.diff(chance) > 0).all()


def test_the_loss_of_labelled_hits_may_be_asked_for() -> None:
    scores, labels, _ = mixture(0.05, 0.05)
    point = WorkingPoint.fit(Judged(scores, labels, np.arange(len(scores))), 0.05, "labels")
    assert (scores > point.threshold)[labels == 0].mean() == pytest.approx(0.05, abs=0.001)
    assert point.shares.signal_lost < 0.03


def test_a_smaller_loss_removes_less() -> None:
    scores, labels, _ = mixture(0.02, 0.02)
    curve, mistakes = Curve.of(scores, labels), LabelNoise.fit(scores, labels)
    points = [curve.at(loss, "signal", mistakes) for loss in (0.01, 0.05, 0.2)]
    assert points == sorted(points, reverse=True)


def _source(batch: Batch) -> object:
    from lynkeus.sources import InMemory

    return InMemory(batch, batch_size=len(batch))
