"""Laws of weights, for every scorer: a sample of weight 25 counts like 25 of it, one of weight 0 like none;
who cannot do that refuses in one line. From a file with weights to p-values.

The sample: two populations, as many of each; the first weighs 25 times as much, so the second is the rare one.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from lynkeus.core import Batch, CalibrationError, Schema, Scorer, SettingsError, plugins
from lynkeus.fitting.choose import choose
from lynkeus.fitting.fit import FitSettings, about_of, fit
from lynkeus.fitting.weights import scorers_with_weights
from lynkeus.metrics.rates import auroc
from lynkeus.sources import InMemory, Layout, open_source

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

COLUMNS, OF_EACH, HEAVY = 6, 600, 25
NAMES = tuple(f"c{number}" for number in range(COLUMNS))
EPOCHS = 24
NETWORK = {"batch_size": 64, "learning_rate": 6e-3, "patience": 100}
ROBUST = ("three_sigma", "pca_residual", "mahalanobis", "isolation_forest", "one_class_svm")  # they draw a sample
# How near both fits are, in spreads of the scores: sums are the same, and Mahalanobis' covariance shrinks by the
# effective number of samples, of which copies have 25 times as many.
NEAR = {"three_sigma": 1e-9, "pca_residual": 1e-9, "mahalanobis": 0.15}
ALL_COUNTING = sorted(scorers_with_weights())
COUNTING = [name for name in ALL_COUNTING if not plugins.about(name).by_class]  # of classes: test_taggers
OTHERS = sorted(set(plugins.entries("scorers")) - set(ALL_COUNTING))


def population(second: bool, n: int, seed: int) -> np.ndarray:
    """(n, columns): one common motion and noise; the second has another motion, and lies elsewhere."""
    noise, sign = np.random.default_rng(seed), np.where(np.arange(COLUMNS) % 2, -1.0, 1.0)
    motion = noise.normal(size=(n, 1)) * (sign if second else 1.0)
    return motion + 0.3 * noise.normal(size=(n, COLUMNS)) + (2.0 * sign if second else 0.0)


def batch_of(values: np.ndarray, kind: str, **columns: Any) -> Batch:
    if kind == "table":
        return Batch(Schema("table", NAMES, shape=(COLUMNS,)), values, **columns)
    windows = np.repeat(values[:, :, None], 4, axis=2) * np.linspace(0.5, 1.0, 4)
    return Batch(Schema("waveform", NAMES, shape=(COLUMNS, 4)), windows, **columns)


def kind_of(name: str) -> str:
    kinds = about_of(plugins.load("scorers", name)).kinds
    return "table" if "table" in kinds else "waveform"


@cache
def drawn(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, truth and weight; for scorers that need labels some anomalies, where the second population is."""
    order = np.random.default_rng(9).permutation(2 * OF_EACH)
    values = np.concatenate([population(False, OF_EACH, 1), population(True, OF_EACH, 2)])[order]
    weight = np.repeat([float(HEAVY), 1.0], OF_EACH)[order]
    truth = np.zeros(len(values), np.int64)
    if about_of(plugins.load("scorers", name)).labels:
        values = np.concatenate([values, population(True, 200, 3) + 0.5])
        weight, truth = np.append(weight, np.ones(200)), np.append(truth, np.ones(200, np.int64))
    return values, truth, weight


def fitted(name: str, rows: np.ndarray, weight: np.ndarray | None, epochs: int = EPOCHS) -> Scorer:
    values, truth, _ = drawn(name)
    options: dict[str, Any] = {"sample": 100_000} if name in ROBUST else {}
    if about_of(plugins.load("scorers", name)).learned:
        options["training"] = NETWORK | {"epochs": epochs}
    batch = batch_of(values[rows], kind_of(name), truth=truth[rows], weight=weight)
    scorer: Scorer = plugins.make_scorer(name, options).fit(InMemory(batch))
    return scorer


def scores_of(name: str, scorer: Scorer, second: bool) -> np.ndarray:
    return scorer.score(batch_of(population(second, 500, 11 + second), kind_of(name)))[:, 0]


@cache
def three(name: str) -> tuple[Scorer, Scorer, Scorer]:
    """Fitted on samples with weights, on copies of them, and on samples that all count alike."""
    _, _, weight = drawn(name)
    everything = np.arange(len(weight))
    copies = np.random.default_rng(0).permutation(np.repeat(everything, weight.astype(int)))
    return fitted(name, everything, weight), fitted(name, copies, None, 2), fitted(name, everything, None)


@pytest.mark.parametrize("name", COUNTING)
def test_a_sample_counts_like_as_many_as_it_weighs(name: str) -> None:
    found = [np.concatenate([scores_of(name, one, second) for second in (False, True)]) for one in three(name)]
    weighted, copied, alike = (own / found[1].std() for own in found)
    if name in NEAR:
        assert np.abs(weighted - copied).max() < NEAR[name]
        assert np.abs(alike - copied).max() > 0.3, "the sample shows no weights"
        return
    # Samples are drawn at random, or networks are trained: how often the second population looks rarer than the first.
    second = np.arange(1000) >= 500
    rarer, of_copies, of_alike = (auroc(second, own) for own in found)
    assert abs(of_alike - of_copies) > 0.1, "the sample shows no weights"
    assert abs(rarer - of_copies) < 0.5 * abs(of_alike - of_copies)


@pytest.mark.parametrize("name", COUNTING)
def test_a_sample_of_weight_zero_counts_like_none(name: str) -> None:
    _, truth, weight = drawn(name)
    there = (weight == HEAVY) | (truth > 0)
    one = fitted(name, np.arange(len(weight)), there.astype(float), 3)
    other = fitted(name, np.flatnonzero(there), None, 3)
    for second in (False, True):
        np.testing.assert_allclose(scores_of(name, one, second), scores_of(name, other, second), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_scorer_refuses_weights_in_one_line(name: str) -> None:
    values, truth, weight = drawn("three_sigma")
    source = InMemory(batch_of(values, "table", truth=truth, weight=weight))
    with pytest.raises(SettingsError, match=f"the scorer {name} counts all samples alike") as refused:
        fit(source, FitSettings(name))
    assert "\n" not in str(refused.value)
    assert all(other in str(refused.value) for other in ALL_COUNTING)


def test_equal_weights_are_no_weights_and_auto_refuses_others() -> None:
    values, truth, weight = drawn("three_sigma")
    alike = InMemory(batch_of(values, "table", weight=np.full(len(values), 0.2)))
    assert fit(alike, FitSettings("table")).calibrations["anomaly"].effective is None
    with pytest.raises(SettingsError, match="-s auto counts all samples alike"):
        choose(InMemory(batch_of(values, "table", truth=truth, weight=weight)), FitSettings("auto"))


def simulated(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Drawn from a normal distribution that is too wide, with the weights that make it one of width 1."""
    values = np.random.default_rng(seed).normal(0.0, 1.5, (n, 2))
    squared = (values**2).sum(axis=1)
    return values, np.exp(-0.5 * squared * (1.0 - 1.0 / 1.5**2))


@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_from_a_file_of_weighted_events_to_p_values(tmp_path: Path, ending: str) -> None:
    values, weight = simulated(20_000, 1)
    path = tmp_path / f"simulated.{ending}"
    if ending == "npz":
        np.savez(path, X=values, w=weight)
    else:
        np.savetxt(path, np.column_stack([values, weight]), delimiter=",", header="c0,c1,w", comments="")
    layout = Layout(weight="w")
    model = fit(open_source(path, layout), FitSettings("mahalanobis", layout=layout.to_dict()))
    data = np.random.default_rng(2).normal(size=(4000, 2))
    np.savez(tmp_path / "data.npz", X=data, names=model.view.schema.names)
    p_values = np.concatenate([found.p_values for found in model.score(open_source(tmp_path / "data.npz", layout))])
    assert kstest(p_values[:, 0], "uniform").pvalue > 1e-3
    assert 0.5 < np.mean(p_values < 0.01) / 0.01 < 1.7
    calibration = model.calibrations["anomaly"]
    assert calibration.effective == pytest.approx(weight.sum() ** 2 / (weight**2).sum(), rel=0.02)
    assert model.lineage["effective_samples"] == pytest.approx(calibration.effective, abs=0.1)
    plain = fit(InMemory(batch_of_two(values)), FitSettings("mahalanobis"))
    (unweighted,) = [found.p_values for found in plain.score(InMemory(batch_of_two(data)))]
    assert kstest(unweighted[:, 0], "uniform").pvalue < 1e-9


def batch_of_two(values: np.ndarray) -> Batch:
    return Batch(Schema("table", ("c0", "c1"), shape=(2,)), values)


def test_few_effective_events_are_refused_and_weights_that_are_not_there_as_well(tmp_path: Path) -> None:
    values, weight = simulated(500, 3)
    weight[:8] *= 1e5
    np.savez(tmp_path / "few.npz", X=values, w=weight)
    layout = Layout(weight="w")
    with pytest.raises(CalibrationError, match=r"weighted reference windows .* are worth"):
        fit(open_source(tmp_path / "few.npz", layout), FitSettings("three_sigma", layout=layout.to_dict()))
    absent = Layout(weight="v")
    with pytest.raises(SettingsError, match="the data have no weights 'v'"):
        fit(open_source(tmp_path / "few.npz", absent), FitSettings("three_sigma", layout=absent.to_dict()))
