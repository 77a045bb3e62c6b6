"""Discord against distances computed one by one, and against planted shapes and levels."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SchemaError, SettingsError
from lynkeus.scorers.statistics.discord import Discord
from lynkeus.sources import InMemory, Window

LENGTH = 40


def beat(rows: int = 3000, seed: int = 0) -> np.ndarray:
    """(rows,) a sine of 40 samples with noise."""
    return np.sin(2 * np.pi * np.arange(rows) / 40) + 0.1 * np.random.default_rng(seed).normal(size=rows)


def cut(series: np.ndarray, *, times: bool = False, batch_size: int = 700) -> Window:
    values = series.reshape(len(series), -1)
    schema = Schema("table", tuple(f"c{k}" for k in range(values.shape[1])), ("V",), (values.shape[1],))
    time_ns = np.arange(len(values)) * 100_000_000 if times else None
    return Window(InMemory(Batch(schema, values, time_ns), batch_size), LENGTH, stride=1)


def whole(window: Window) -> Batch:
    (batch,) = Window(InMemory(window.source.batch, 10**6), LENGTH, stride=1)
    return batch


@pytest.mark.parametrize("normalise", ["raw", "z", "both"])
@pytest.mark.parametrize("times", [False, True])
def test_the_score_is_the_distance_to_the_nearest_windows_that_do_not_overlap(normalise: str, times: bool) -> None:
    source = cut(beat(1000), times=times)
    scorer = Discord(normalise=normalise, neighbours=2).fit(source)
    batch = whole(source)
    values = batch.values[:, 0]
    scaled = (values - scorer.scale_.centre) / scorer.scale_.sigma
    shape = (values - values.mean(1, keepdims=True)) / values.std(1, keepdims=True)
    forms = {"raw": [scaled], "z": [shape], "both": [scaled, shape]}[normalise]
    reference = np.arange(0, len(values), LENGTH // 8)
    clear = np.abs(np.arange(len(values))[:, None] - reference) >= LENGTH
    expected = np.zeros(len(values))
    for form in forms:
        squares = ((form[:, None] - form[reference]) ** 2).sum(axis=2)
        nearest = np.sort(np.where(clear, squares, np.inf), axis=1)[:, :2].mean(axis=1)
        expected += nearest / nearest[reference].mean() / len(forms)
    assert scorer.reference_.shape == (len(forms), len(reference), LENGTH)
    np.testing.assert_allclose(scorer.score(batch)[:, 0], expected, rtol=1e-3)
    assert scorer.score(batch[::5]).mean() == pytest.approx(1.0, rel=1e-3)


def test_the_reference_itself_scores_as_new_data_does() -> None:
    scorer = Discord().fit(cut(beat()))
    known, unseen = scorer.score(whole(cut(beat()))), scorer.score(whole(cut(beat(seed=1))))
    assert np.median(known) == pytest.approx(np.median(unseen), rel=0.1)


def test_windows_without_time_or_position_are_not_their_own_neighbours_in_the_fit() -> None:
    values = np.random.default_rng(0).normal(size=(200, 1, 20))
    batch = Batch(Schema("waveform", ("c0",), ("V",), (1, 20)), values)
    scorer = Discord(neighbours=1).fit(InMemory(batch))
    assert scorer.reference_.shape[1] == 200
    assert scorer.score(batch).max() < 1e-6  # taken as new, they are found in the reference
    assert np.median(scorer.score(batch.with_values(np.random.default_rng(1).normal(size=(200, 1, 20))))) > 0.5


def planted(kind: str) -> np.ndarray:
    series = beat()
    if kind == "level":
        series[1500:1600] += 3.0
    else:
        series[1500:1540] = beat(80, seed=9)[:80:2]  # twice as fast
    return series


@pytest.mark.parametrize(
    ("normalise", "kind", "seen"),
    [("raw", "level", True), ("z", "level", False), ("raw", "shape", True), ("z", "shape", True),
     ("both", "level", True), ("both", "shape", True)],
)  # fmt: skip
def test_raw_windows_see_levels_and_both_forms_see_shapes(normalise: str, kind: str, seen: bool) -> None:
    source = cut(planted(kind))
    scores = Discord(normalise=normalise).fit(source).score(whole(source))[:, 0]
    inside = scores[1500:1501] if kind == "shape" else scores[1520:1550]
    assert (inside.min() > np.delete(scores, np.s_[1450:1610]).max()) == seen


def test_the_explanation_adds_up_and_names_the_channel_and_the_samples() -> None:
    series = np.stack([beat(), beat(seed=1)], axis=1)
    scorer = Discord().fit(cut(series))
    series[1515:1520, 1] += 4.0
    batch = whole(cut(series))[1500:1501]
    evidence = scorer.explain(batch)
    assert evidence.sum() == pytest.approx(float(scorer.score(batch)[0, 0]))
    assert set(np.argsort(evidence[0, 1])[-5:]) == set(range(15, 20))
    assert evidence[0, 1].sum() > 5 * evidence[0, 0].sum()


def test_flat_windows_missing_values_and_infinities_are_no_trouble() -> None:
    series = beat()
    series[500:600], series[1000], series[2000:2060] = 0.5, np.inf, np.nan
    source = cut(series)
    scorer = Discord().fit(source)
    assert np.isfinite(scorer.reference_).all()
    scores = scorer.score(whole(source))[:, 0]
    assert np.isnan(scores[2000:2020]).all()
    assert np.isfinite(scores[:1900]).all()


def test_a_window_that_overlaps_all_of_the_reference_has_no_score() -> None:
    source = cut(beat(60))
    scores = Discord().fit(source).score(whole(source))
    assert np.isnan(scores).all()
    assert (Discord().fit(source).explain(whole(source)) == 0).all()


def test_the_reference_is_bounded() -> None:
    assert Discord(sample=50).fit(cut(beat())).reference_.shape[1] <= 50


@dataclass
class Empty:
    schema: Schema

    def __iter__(self) -> Iterator[Batch]:
        return iter(())


def test_what_cannot_be_is_refused_in_words() -> None:
    source = cut(beat(200))
    with pytest.raises(SettingsError, match="normalise is one of raw, z, both"):
        Discord(normalise="minmax").fit(source)
    with pytest.raises(SchemaError, match="not a table"):
        Discord().fit(source.source)
    with pytest.raises(SchemaError, match="nothing to learn"):
        Discord().fit(Empty(source.schema))
    with pytest.raises(SchemaError, match="nothing to learn"):
        Discord().fit(cut(np.full(200, np.nan)))
