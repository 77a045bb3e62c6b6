"""Odd runs of a reference: one is left out and named again by what is like it; several that are alike are a kind."""

import numpy as np
import pytest

from lynkeus.core import Book, Plot, RunRecord, Verdict
from lynkeus.core.progress import silent
from lynkeus.fitting.fit import FitSettings
from lynkeus.fitting.fit_runs import fit_found
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.good_runs import without_far
from lynkeus.fitting.verdicts import RunVerdicts, view_of_runs
from lynkeus.fitting.views.run_plots import RunPlots
from lynkeus.sources.runs.folder import Run
from lynkeus.sources.runs.read import RunFolder
from lynkeus.transforms.alike import second_kind
from lynkeus.transforms.event_columns import NO_COLUMNS

BINS, PLOTS, RUNS = 12, 4, 20
EDGES = tuple(np.linspace(0, 1, BINS + 1).tolist())
BOOK = Book(tuple(Plot(f"p{k}", (f"p{k}",), (EDGES,)) for k in range(PLOTS)))
SLOPE = np.linspace(-1, 1, BINS)
NOTHING = np.empty((0, 0)), np.empty(0, "U1")


def run(name: str, seed: int, tilt: float = 0.0, plot: int = 0, gone: int = -1) -> Run:
    counts = np.zeros((PLOTS, BINS + 2))
    tilts = np.where(np.arange(PLOTS) == plot, tilt, 0.0)
    counts[:, 1:-1] = np.random.default_rng(seed).poisson(50 * np.exp(np.outer(tilts, SLOPE)))
    counts[gone] *= gone < 0
    return Run(name, *NOTHING, counts.ravel(), float(counts.sum(axis=1).max()))


def fitted(odd: dict[int, float], labels: dict[str, int] | None = None, scorer: str = "binned_chi2") -> Fitted:
    runs = [run(f"run {k}", k, odd.get(k, 0.0)) for k in range(RUNS)]
    found = without_far(RunPlots(NO_COLUMNS, BOOK, "histogram"), runs, labels or {}, [])
    return fit_found(found, RunFolder([]), FitSettings(scorer), silent)


def judged(model: Fitted, tilt: float, plot: int = 0, gone: int = -1) -> RunRecord:
    return RunVerdicts(model).record(view_of_runs(model).batch(run("new", 99, tilt, plot, gone)))


def verdict(model: Fitted, tilt: float, plot: int = 0) -> tuple[Verdict, str]:
    record = judged(model, tilt, plot)
    return record.verdict, record.reason


@pytest.fixture(scope="module", params=["binned_chi2", "kolmogorov"])
def one_odd(request: pytest.FixtureRequest) -> Fitted:
    return fitted({7: 1.5}, scorer=request.param)


def test_what_is_like_a_run_that_was_left_out_is_a_warning_that_names_it(one_odd: Fitted) -> None:
    assert any("'run 7'" in line or line.endswith(": run 7") for line in one_odd.messages)
    flagged, why = verdict(one_odd, 1.5)
    assert flagged == Verdict.WARN
    assert "like 'run 7', a run of the reference that was left out" in why
    assert judged(one_odd, 1.5).p_value == pytest.approx(2 / (RUNS + 1))  # as often as in the reference
    for tilt, plot in ((-1.5, 0), (1.5, 2)):
        other, why = verdict(one_odd, tilt, plot)
        assert other in (Verdict.WARN, Verdict.BAD)
        assert "left out" not in why
    both = judged(one_odd, 1.5, gone=3)  # what else is odd is not explained by the run that was left out
    assert both.verdict == Verdict.BAD
    assert both.p_value < 0.001
    assert verdict(one_odd, 0.0)[0] == Verdict.GOOD


def test_a_run_that_people_called_good_counts() -> None:
    model = fitted({7: 1.5}, {"run 7": 0})
    assert model.lineage["outlying"] == []
    flagged, why = verdict(model, 1.5)
    assert flagged == Verdict.GOOD
    assert "left out" not in why


def test_a_tenth_of_the_runs_that_are_odd_in_one_way_are_a_kind() -> None:
    model = fitted({3: 0.7, 9: 0.7, 15: 0.7})
    assert verdict(model, 0.7)[0] == Verdict.GOOD
    rows = np.zeros((4, 30))
    rows[:3, :5] = 6.0 + np.random.default_rng(0).normal(size=(3, 5))
    rows[3, 10:14] = 9.0
    assert second_kind(rows, 30).tolist() == [True, True, True, False]
    assert not second_kind(rows, 40).any()  # fewer than a tenth: an accident, or a fault that lasted
