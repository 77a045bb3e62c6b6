"""The promise of a p-value of runs of histograms, from few good runs, of few plots and many, clean or not."""

import numpy as np
import pytest

from lynkeus.core import Batch, Book, Plot
from lynkeus.core.progress import silent
from lynkeus.core.run_calibration import RunCalibration
from lynkeus.fitting.unseen import fold_scores
from lynkeus.scorers.histograms.beta_binomial import BetaBinomial
from lynkeus.scorers.histograms.binned_chi2 import BinnedChi2
from lynkeus.scorers.histograms.histogram_pca import HistogramPca
from lynkeus.scorers.histograms.kolmogorov import Kolmogorov
from lynkeus.sources import InMemory

BINS, EVENTS, NEW = 12, 300, 40
EDGES = tuple(np.linspace(0, 1, BINS + 1).tolist())
SLOPE = np.linspace(-1, 1, BINS)


def runs(
    rng: np.random.Generator, count: int, plots: int, tilt: float = 0.0, strong: float = 0.0, freedom: float = np.inf
) -> Batch:
    """Runs whose plots tilt by themselves, all of them, as Student's t of so many degrees of freedom, and the first one
    by `strong`."""
    book = Book(tuple(Plot(f"p{k}", (f"p{k}",), (EDGES,)) for k in range(plots)))
    usual = np.random.default_rng(7).dirichlet(np.full(BINS, 5.0), plots)
    values = np.zeros((count, plots, BINS + 2))
    for row in values:
        moved = tilt * (rng.normal(size=plots) if np.isinf(freedom) else rng.standard_t(freedom, size=plots))
        moved[0] += strong
        share = usual * np.exp(np.outer(moved, SLOPE))
        row[:, 1:-1] = rng.multinomial(EVENTS, share / share.sum(axis=1, keepdims=True))
    return Batch(book.schema, values.reshape(count, -1))


def with_a_bad_one(good: Batch, plots: int) -> Batch:
    values = good.values.copy().reshape(len(good), plots, -1)
    values[3, 0] = np.roll(values[3, 0], 3)
    return good.with_values(values.reshape(len(good), -1))


CASES = [
    (Kolmogorov, 10, 5, 0.0, False), (Kolmogorov, 20, 60, 0.0, False), (Kolmogorov, 22, 5, 0.15, True),
    (Kolmogorov, 100, 5, 0.0, True), (HistogramPca, 10, 5, 0.0, True), (HistogramPca, 22, 5, 0.15, False),
    (HistogramPca, 50, 5, 0.0, False), (BinnedChi2, 10, 5, 0.0, False), (BinnedChi2, 22, 5, 0.0, True),
    (BetaBinomial, 22, 5, 0.0, False), (BetaBinomial, 10, 5, 0.15, False),
]  # fmt: skip


@pytest.mark.slow(3)
@pytest.mark.parametrize(("kind", "count", "plots", "tilt", "dirty"), CASES)
def test_good_runs_are_no_rarer_than_promised_and_bad_ones_are_found(kind, count, plots, tilt, dirty) -> None:
    """Over several references: what one of them says is off by chance, and a test of one would be, too."""
    rare, rarer, found = [], [], []
    for seed in range(8):
        rng = np.random.default_rng((seed, count, plots))
        good = runs(rng, count, plots, tilt)
        source = InMemory(with_a_bad_one(good, plots) if dirty else good, 25)
        scorer = kind().fit(source)
        calibration = RunCalibration.fit(fold_scores(kind, source, silent)[:, 0], theory=True)
        p_values = calibration.p_value(scorer.score(runs(rng, NEW, plots, tilt))[:, 0])
        rare.append((p_values < 0.01).mean())
        rarer.append((p_values < 0.001).mean())
        found.append((calibration.p_value(scorer.score(runs(rng, 10, plots, tilt, 1.2))[:, 0]) < 0.01).mean())
    assert np.mean(rare) <= 0.025  # of 320 runs, of eight references
    assert np.mean(rarer) <= 0.006
    assert np.mean(found) > (0.8 if count > 10 and not tilt else 0.4)


@pytest.mark.slow(3)
@pytest.mark.parametrize(("kind", "count"), [(Kolmogorov, 10), (BinnedChi2, 20), (BetaBinomial, 20)])
def test_good_runs_that_differ_now_and_then_by_much_are_seldom_called_rare(kind, count) -> None:
    """Tilts of Student's t with 3 degrees of freedom, which no reference of so few runs has seen whole."""
    rare, rarer = [], []
    for seed in range(12):
        rng = np.random.default_rng((seed, count, 3))
        source = InMemory(runs(rng, count, 5, 0.1, freedom=3.0), 25)
        scorer = kind().fit(source)
        calibration = RunCalibration.fit(fold_scores(kind, source, silent)[:, 0], theory=True)
        p_values = calibration.p_value(scorer.score(runs(rng, 60, 5, 0.1, freedom=3.0))[:, 0])
        rare.append((p_values < 0.01).mean())
        rarer.append((p_values < 0.001).mean())
    assert np.mean(rare) <= 0.02  # of 720 runs, of twelve references
    assert np.mean(rarer) <= 0.004
