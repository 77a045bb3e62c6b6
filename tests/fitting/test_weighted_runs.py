"""Runs of weighted events and of scaled histograms are judged by what they know: effective entries, not sums."""

from collections.abc import Callable
from dataclasses import replace

import boost_histogram as bh
import numpy as np
import pytest

from lynkeus.core import Book, Plot
from lynkeus.core.progress import silent
from lynkeus.fitting.fit import FitSettings
from lynkeus.fitting.fit_runs import fit_found
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.good_runs import without_far
from lynkeus.fitting.verdicts import answer, view_of_runs
from lynkeus.fitting.views.run_plots import RunPlots
from lynkeus.sources.runs.booked import fitted as booked
from lynkeus.sources.runs.filled import Filled
from lynkeus.sources.runs.folder import Run, RunFile, RunReader
from lynkeus.sources.runs.read import RunFolder
from lynkeus.transforms.event_columns import NO_COLUMNS, EventColumns, Scale

pytestmark = pytest.mark.slow(1)
SCORERS = ("binned_chi2", "kolmogorov", "histogram_pca", "beta_binomial")
NAMES, EVENTS = ("x", "y", "z"), 800
EDGES = tuple(np.linspace(-3, 3, 17).tolist())
BOOK = Book(tuple(Plot(name, (name,), (EDGES,)) for name in NAMES))
READER = RunReader(EventColumns(NAMES, Scale((False,) * 3, (False,) * 3)), BOOK)
Weigh = Callable[[np.random.Generator, np.ndarray], np.ndarray]
MIXED: dict[str, Weigh] = {
    "mixed": lambda rng, y: rng.gamma(1.5, 1.0, len(y)),
    "by y": lambda _, y: np.exp(-0.7 * y),
    "negative": lambda rng, y: np.where(rng.random(len(y)) < 0.1, -1.0, 1.0),
}


def columns(rng: np.random.Generator, off: float = 0.0) -> dict[str, np.ndarray]:
    size = int(EVENTS * rng.lognormal(0.0, 0.2))
    return {name: rng.normal(off * (name == "x"), 1.0, size) for name in NAMES}


def of_events(rng: np.random.Generator, weigh: Weigh | None = None, off: float = 0.0) -> Run:
    own = columns(rng, off)
    weight = {} if weigh is None else {"weight": weigh(rng, own["y"])}
    return READER.read(RunFile(f"run {rng.integers(1 << 30)}", lambda: iter([own | weight])))


def of_histograms(rng: np.random.Generator, scale: float, errors: bool, weigh: Weigh | None = None) -> Run:
    """A run whose histograms were scaled, with or without their errors."""
    own = columns(rng)
    weight = None if weigh is None else weigh(rng, own["y"])
    rows = []
    for plot in BOOK.plots:
        filled = bh.Histogram(bh.axis.Variable(EDGES), storage=bh.storage.Weight())
        filled.fill(own[plot.name], weight=weight)
        counts, squares = scale * filled.values(flow=True), scale**2 * filled.variances(flow=True)
        rows.append(booked(plot, Filled(plot, counts, squares if errors else None), plot.name).counts)
    nothing = np.empty((0, 0)), np.empty(0, "U1")
    return Run(f"run {rng.integers(1 << 30)}", *nothing, np.concatenate(rows), float(rows[0].sum()))


def fit(scorer: str, good: list[Run]) -> Fitted:
    good = [replace(run, name=f"run {k}") for k, run in enumerate(good)]
    found = without_far(RunPlots(NO_COLUMNS, BOOK, "histogram"), good, {}, [])
    return fit_found(found, RunFolder([]), FitSettings(scorer), silent)


def p_values(model: Fitted, judged: list[Run]) -> np.ndarray:
    view = view_of_runs(model)
    return np.array([answer(model, view.batch(run)).p_value for run in judged])


@pytest.mark.parametrize("scorer", SCORERS)
def test_a_weight_that_all_events_of_a_run_have_says_nothing(scorer: str) -> None:
    """Judged beside good runs of weight 1, that weigh 2, or a luminosity of their own."""
    once = p_values(fit(scorer, [of_events(np.random.default_rng(k)) for k in range(12)]), _judged(None))
    assert (once >= 0.01).sum() >= 5
    for number, weights in enumerate(((1.0,), (2.0,), (0.01, 0.003, 0.7))):
        good = [of_events(np.random.default_rng(k), _all(weights[k % len(weights)])) for k in range(12)]
        model = fit(scorer, good)
        for other in (1.0, 2.0, 3e-4):
            np.testing.assert_allclose(
                p_values(model, _judged(_all(other))), once, rtol=1e-6, err_msg=f"{number} {other}"
            )


def _judged(weigh: Weigh | None) -> list[Run]:
    return [of_events(np.random.default_rng(100 + k), weigh) for k in range(6)]


def _all(weight: float) -> Weigh:
    return lambda _, y: np.full(len(y), weight)


@pytest.mark.parametrize("way", MIXED)
@pytest.mark.parametrize("scorer", SCORERS)
def test_runs_of_unlike_weights_are_as_rare_as_promised_and_moved_ones_are_found(scorer: str, way: str) -> None:
    good, moved = [], []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        model = fit(scorer, [of_events(rng, MIXED[way]) for _ in range(15)])
        good.append(p_values(model, [of_events(rng, MIXED[way]) for _ in range(20)]))
        moved.append(p_values(model, [of_events(rng, MIXED[way], 0.9) for _ in range(3)]))
    assert (np.concatenate(good) < 0.01).sum() <= 1
    assert (np.concatenate(good) > 0.001).all()
    assert np.median(np.concatenate(good)) > 0.2
    assert (np.concatenate(moved) < 0.01).all()


@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize(
    ("scale", "errors"), [("by 1000", True), ("by 1000", False), ("by luminosity", True), ("by luminosity", False)]
)
def test_scaled_histograms_are_judged_as_before_they_were_scaled(scorer: str, scale: str, errors: bool) -> None:
    def factor(rng: np.random.Generator) -> float:
        return 1000.0 if scale == "by 1000" else 1.0 / rng.uniform(20.0, 90.0)

    drawn = [[np.random.default_rng(100 * part + k) for k in range(size)] for part, size in enumerate((12, 6))]
    good, judged = ([of_histograms(rng, 1.0, errors) for rng in part] for part in drawn)
    before = p_values(fit(scorer, good), judged)
    drawn = [[np.random.default_rng(100 * part + k) for k in range(size)] for part, size in enumerate((12, 6))]
    luminosity = np.random.default_rng(7)
    good, judged = ([of_histograms(rng, factor(luminosity), errors) for rng in part] for part in drawn)
    np.testing.assert_allclose(p_values(fit(scorer, good), judged), before, rtol=1e-6)


@pytest.mark.parametrize("scorer", SCORERS)
def test_sums_of_unlike_weights_without_errors_are_judged_by_how_they_scatter(scorer: str) -> None:
    """Each of some 3,000 times what one event weighs: by their sums all would be odd."""
    good = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        model = fit(scorer, [of_histograms(rng, 3000.0, False, MIXED["mixed"]) for _ in range(15)])
        good.append(p_values(model, [of_histograms(rng, 3000.0, False, MIXED["mixed"]) for _ in range(20)]))
    assert (np.concatenate(good) < 0.01).sum() <= 1
    assert np.median(np.concatenate(good)) > 0.2
