"""Plots of many bins of which few good runs fill some: `run_histograms` counts them as the scorers of histograms do."""

import numpy as np

from lynkeus.core import Batch, Book, Plot
from lynkeus.scorers.combine.run_histograms import RunHistograms
from lynkeus.sources import InMemory

EDGES = tuple(np.linspace(0, 1, 31).tolist())
BOOK = Book((Plot("map", ("x", "y"), (EDGES, EDGES)),))


def runs(rng: np.random.Generator, count: int) -> Batch:
    inside = rng.multinomial(200, np.full(900, 1 / 900), count).reshape(count, 30, 30)
    return Batch(BOOK.schema, np.pad(inside, ((0, 0), (1, 1), (1, 1))).reshape(count, -1).astype(float))


def test_bins_that_happened_to_stay_empty_are_not_counted_together() -> None:
    """In the order of what eight good runs have in them those would be one number, that other good runs fill."""
    rng = np.random.default_rng(0)
    scorer = RunHistograms("mahalanobis").fit(InMemory(runs(rng, 8)))
    away = scorer._deviations(runs(rng, 200).values)
    assert np.abs(away.mean(axis=0)).max() < 2.0  # of 100 numbers of which eight runs say what is usual
    assert np.abs(away).max() < 6.0
