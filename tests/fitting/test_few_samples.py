"""What learned from few samples keeps the promise of its p-values."""

import numpy as np
import pytest

from lynkeus.core import Batch, Schema
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.unseen import as_large_as
from lynkeus.sources import InMemory

COLUMNS, MANY, ROWS, FRESH = 8, 50, 150, 4000


def _rows(count: int, seed: int, columns: int = COLUMNS, timed: bool = False) -> InMemory:
    random = np.random.default_rng(seed)
    motions = np.random.default_rng(0).normal(size=(3, columns))
    values = random.normal(size=(count, 3)) @ motions + 0.3 * random.normal(size=(count, columns))
    names = tuple(f"c{number}" for number in range(columns))
    times = 10**13 * (160_000 + seed) + np.arange(count, dtype=np.int64) * 10**8 if timed else None
    return InMemory(Batch(Schema("table", names, shape=(columns,), sample_rate_hz=10.0), values, times))


def _p_values(settings: FitSettings, count: int, fresh: int, timed: bool) -> np.ndarray:
    """(fresh, outputs) of good samples that come later, over three references."""
    found = []
    for seed in range(3):
        fitted = fit(_rows(count, seed, MANY, timed), settings)
        found += [scored.p_values for scored in fitted.score(_rows(fresh, 100 + seed, MANY, timed))]
    return np.concatenate(found)


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize(
    "name", ["isolation_forest", "one_class_svm", "conditional_residual", "mahalanobis", "pca_residual", "three_sigma"]
)
def test_a_statistic_of_few_rows_says_rare_no_more_often_than_promised(name: str, timed: bool) -> None:
    """Calibrated by the rows that it was fitted to, one_class_svm had 67 % of good ones below .01."""
    p = _p_values(FitSettings(name), 200, 1500, timed)
    assert (p < 0.01).mean() < 0.015
    assert (p < 0.001).mean() < 0.002
    assert (p < 0.3).mean() > 0.1  # and not by never saying anything


@pytest.mark.parametrize("timed", [True, False])
def test_orbit_of_a_short_reference_says_rare_no_more_often_than_promised(timed: bool) -> None:
    """Of 200 windows; 13 % of good ones were below .01 while tails and covariance had seen them."""
    p = _p_values(FitSettings("orbit", window=10), 2000, 15000, timed)
    assert (p < 0.01).mean(axis=0).max() < 0.015
    assert (p < 0.001).mean(axis=0).max() < 0.002
    assert (p < 0.3).mean(axis=0).min() > 0.1


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of what is at rest but for a moment numbers overflow
def test_orbit_learns_from_a_flag_that_is_set_in_one_stretch_only() -> None:
    """The other stretches know it at rest, and have no number for it."""
    (rows,) = _rows(2000, 0, timed=True)
    values = np.array(rows.values)
    values[:, 5] = 0.0
    values[900:1000, 5] = 1.0
    fitted = fit(InMemory(rows.with_values(values)), FitSettings("orbit", window=10))
    fitted.scorer.resume({})
    for batch in fitted.prepare(InMemory(rows.with_values(values))):
        assert np.isfinite(fitted.scorer.unseen(batch).scores).all()
        fitted.scorer.update(batch)
    (again,) = _rows(3000, 1, timed=True)
    values = np.array(again.values)
    values[:, 5] = 0.0
    p = np.concatenate([scored.p_values for scored in fitted.score(InMemory(again.with_values(values)))])
    assert np.isfinite(p).all()
    values[1000:1200, 1] += 6.0
    p = np.concatenate([scored.p_values for scored in fitted.score(InMemory(again.with_values(values)))])
    assert (p[102:118, 0] < 0.01).mean() > 0.8


def test_rare_is_not_said_more_often_than_promised() -> None:
    pytest.importorskip("torch")
    fitted = fit(_rows(ROWS, 1), FitSettings("autoencoder"))
    assert fitted.lineage["held_out"]
    p = np.concatenate([scored.p_values[:, 0] for scored in fitted.score(_rows(FRESH, 2))])
    for level in (0.05, 0.02):
        # the reference itself knows its quantiles to about sqrt(level / ROWS); calibrated in sample it was twice level
        assert (p < level).mean() < level + 2 * np.sqrt(level * (1 - level) / ROWS)
    assert (p < 0.5).mean() > 0.1  # and not by never saying anything


def test_scores_of_networks_of_other_sizes_are_compared() -> None:
    rng = np.random.default_rng(0)
    like = rng.uniform(0.2, 0.3, (200, 2))
    like[:, 1] -= 5  # a logarithm
    other = np.stack([like[:, 0] * 0.8, like[:, 1] - 3], axis=1)
    unseen, by_it = np.arange(200) % 4 == 1, np.arange(200) % 4 == 0
    np.testing.assert_allclose(as_large_as(other, like, unseen, by_it), like)  # what is left is chance
    other[unseen] *= (9.0, 1.0)  # it has learned its samples by heart, and the other has not
    found = as_large_as(other, like, unseen, by_it)
    np.testing.assert_allclose(np.median(found[unseen, 0]), np.median(like[by_it, 0]), rtol=0.03)
    np.testing.assert_allclose(found[:, 1], like[:, 1])
