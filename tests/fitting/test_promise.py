"""The promise of a p-value of runs as `fit` and `score` have it, with yields: of many plots, of runs of two kinds."""

import numpy as np
import pytest

from lynkeus.core import Batch, Book, Plot, Schema
from lynkeus.core.progress import silent
from lynkeus.fitting.fit import FitSettings
from lynkeus.fitting.fit_runs import fit_found
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.good_runs import without_far
from lynkeus.fitting.unseen import InBatches
from lynkeus.fitting.verdicts import answer, view_of_runs
from lynkeus.fitting.views.run_plots import RunPlots
from lynkeus.scorers.population.scorer import Population
from lynkeus.sources.runs.folder import Run
from lynkeus.sources.runs.read import RunFolder
from lynkeus.transforms.event_columns import NO_COLUMNS

BINS = 12
EDGES = tuple(np.linspace(0, 1, BINS + 1).tolist())
SLOPE = np.linspace(-1, 1, BINS)
NOTHING = np.empty((0, 0)), np.empty(0, "U1")


def runs(rng: np.random.Generator, count: int, plots: int, way: str, gone: bool = False) -> list[Run]:
    """Runs of 400 events a plot, in which good runs tilt by as much as counting gives, or are of two kinds."""
    usual = np.random.default_rng(7).dirichlet(np.full(BINS, 5.0), plots)
    kind = np.random.default_rng(5).normal(size=plots)
    found = []
    for number in range(count):
        tilt = {"gaussian": rng.normal(size=plots), "t": 0.7 * rng.standard_t(3, plots), "two": 4.0 * kind}[way]
        tilt = tilt * (number % 5 == 2) if way == "two" else tilt  # what no good run is like no model can know
        share = usual * np.exp(0.1 * np.outer(tilt, SLOPE))
        size = 400 * rng.lognormal(0, 0.2) * rng.lognormal(0, 0.02, (plots, 1))
        counts = np.zeros((plots, BINS + 2))
        counts[:, 1:-1] = rng.poisson(size * share / share.sum(axis=1, keepdims=True))
        counts[0] *= not gone
        found.append(Run(f"run {number}", *NOTHING, counts.ravel(), float(counts.sum(axis=1).max())))
    return found


def fitted(scorer: str, good: list[Run], plots: int) -> Fitted:
    book = Book(tuple(Plot(f"p{k}", (f"p{k}",), (EDGES,)) for k in range(plots)))
    found = without_far(RunPlots(NO_COLUMNS, book, "histogram"), good, {}, [])
    return fit_found(found, RunFolder([]), FitSettings(scorer), silent)


def p_values(model: Fitted, judged: list[Run]) -> np.ndarray:
    view = view_of_runs(model)
    return np.array([answer(model, view.batch(run)).p_value for run in judged])


@pytest.mark.slow(2)
@pytest.mark.parametrize(
    ("scorer", "count", "plots", "way"),
    [("kolmogorov", 12, 200, "gaussian"), ("kolmogorov", 12, 200, "t"), ("kolmogorov", 12, 200, "two"),
     ("binned_chi2", 20, 20, "t"), ("binned_chi2", 20, 20, "two")],
)  # fmt: skip
def test_good_runs_are_as_rare_as_promised_and_a_plot_that_is_gone_is_found(
    scorer: str, count: int, plots: int, way: str
) -> None:
    good, gone = [], []
    for seed in range(2):
        rng = np.random.default_rng((seed, count, plots))
        model = fitted(scorer, runs(rng, count, plots, way), plots)
        good.append(p_values(model, runs(rng, 25, plots, way)))
        gone.append(p_values(model, runs(rng, 2, plots, way, gone=True)))
    assert (np.concatenate(good) < 0.01).mean() <= 0.025  # of 50 runs
    assert (np.concatenate(good) < 0.001).mean() <= 0.0
    assert (np.concatenate(gone) < 0.01).all()


COLUMNS = Schema("cloud", ("light", "charge"), shape=(None, 2))


def of_two_kinds(rng: np.random.Generator, name: str, second: bool, good: bool = False) -> Batch:
    """A band and a line of 200 events, both moved by half of the line's width in runs of the second kind."""
    size = rng.normal(2.0, 0.4, 200)
    band = np.stack([size, size + 2.0], axis=1) + rng.normal(0, 0.05, (200, 2))
    peak = np.array([2.48, 4.78]) + rng.normal(0, 0.022, (200, 2))
    values = 10.0 ** (np.where(rng.random((200, 1)) < 0.2, peak, band) + 0.05 * second)
    meta = {"run": np.array([name]), "good": np.array([good])}
    return Batch(COLUMNS, values[None], mask=np.ones((1, 200), bool), meta=meta)


@pytest.mark.slow(4)
def test_events_of_a_second_kind_of_good_runs_pass_unless_there_was_one_alone() -> None:
    rng = np.random.default_rng(3)

    def learned(second: tuple[int, ...], good: bool = False) -> Population:
        batches = [of_two_kinds(rng, f"run {k}", k in second, good and k in second) for k in range(20)]
        return Population().fit(InBatches(COLUMNS, batches))

    three, one, known = learned((2, 9, 16)), learned((9,)), learned((9,), good=True)
    assert (three.outlying_, three.second_kind_) == ([], ["run 2", "run 9", "run 16"])
    assert (one.outlying_, one.second_kind_) == (["run 9"], [])
    assert known.outlying_ == []
    new = [of_two_kinds(rng, "new", True) for _ in range(6)]
    assert max(float(three.score(batch)[0, 0]) for batch in new) < 2.0
    assert np.median([float(one.score(batch)[0, 0]) for batch in new]) > 2.0
