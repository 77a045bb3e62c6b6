"""Is a good run as rare as its p-value says? Good runs judged by models of few good runs, however they may differ.

For each scorer of runs, number of good runs and number of plots (of a scorer of events: columns), several references
are drawn, a model is fitted on each as `lynkeus fit --run-per-file` does, and other good runs are judged as `score`
does, by the scorer and by how full their plots are. Printed are the shares of them with p below 0.01 and 0.001
(promised: 1 and 0.1 %), the error of the first from reference to reference, the worst reference, and how often a run is
found (p < 0.01) of which a plot or a population is gone, has 5 % left, or is tilted (moved).

    OMP_NUM_THREADS=1 python benchmarks/promise.py                                        # hours; choose:
    OMP_NUM_THREADS=1 python benchmarks/promise.py --scorers kolmogorov --runs 20 --plots 200 --references 4
    OMP_NUM_THREADS=1 python benchmarks/promise.py --scorers population --ways two --plots 3 --quick

Ways: `alike` (by counting alone), `gaussian`, `t` (Student's, of three degrees of freedom), `two` (kinds, of which
every fifth run is the second; --second is another share).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from lynkeus.core import Book, Plot, plugins
from lynkeus.core.progress import silent
from lynkeus.fitting.fit import FitSettings
from lynkeus.fitting.fit_runs import fit_found, fit_runs
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.good_runs import run_kind, run_scorers, without_far
from lynkeus.fitting.verdicts import answer, view_of_runs
from lynkeus.fitting.views.run_plots import RunPlots
from lynkeus.sources.runs.folder import Run, RunFile
from lynkeus.sources.runs.read import RunFolder
from lynkeus.transforms.event_columns import NO_COLUMNS

WAYS = ("alike", "gaussian", "t", "two")
BINS, EVENTS = 16, 400  # of a plot
EVENTS_OF_RUN = 200  # of a scorer of events
TILT, YIELD = 0.1, 0.02  # by which plots of good runs differ; 0.1 is what counting gives
SHIFT = 0.3  # of the widths of the narrowest population: by which columns of good runs move
EDGES = tuple(np.linspace(0.0, 1.0, BINS + 1).tolist())
SLOPE = np.linspace(-1.0, 1.0, BINS)
FAULTS = ("gone", "little", "tilted")
QUICK = {"scorer": "autoencoder", "options": {"training": {"epochs": 5}}}


class Case(NamedTuple):
    """One cell of the table; `second`: share of the runs that are of the second kind."""

    scorer: str
    way: str
    runs: int
    plots: int
    second: float


class Share(NamedTuple):
    """Shares of good runs below 0.01 and 0.001, of each reference, and of odd runs that are found, by fault."""

    rare: list[float]
    rarer: list[float]
    found: dict[str, list[float]]


def moves(rng: np.random.Generator, case: Case, count: int) -> np.ndarray:
    """Return by how much the plots (runs, plots) of good runs are off."""
    if case.way == "gaussian":
        return rng.normal(size=(count, case.plots))
    if case.way == "t":
        return 0.7 * rng.standard_t(3.0, size=(count, case.plots))
    if case.way == "two":  # all plots of a run of the second kind are off alike
        kind = np.random.default_rng(5).normal(size=case.plots)
        return (rng.random((count, 1)) < case.second) * 4.0 * kind
    return np.zeros((count, case.plots))


def histograms(rng: np.random.Generator, case: Case, count: int, fault: str = "") -> np.ndarray:
    """Return counts (runs, bins) of good runs, or of runs whose first plot has a fault."""
    usual = np.random.default_rng(7).dirichlet(np.full(BINS, 5.0), case.plots)
    tilt = TILT * moves(rng, case, count)
    tilt[:, 0] += 1.2 if fault == "tilted" else 0.0
    shape = usual * np.exp(tilt[:, :, None] * SLOPE)
    size = EVENTS * rng.lognormal(0.0, 0.2, (count, 1)) * rng.lognormal(0.0, YIELD, (count, case.plots))
    size[:, 0] *= {"gone": 0.0, "little": 0.05}.get(fault, 1.0)
    counts = np.zeros((count, case.plots, BINS + 2))
    counts[:, :, 1:-1] = rng.poisson(size[:, :, None] * shape / shape.sum(axis=2, keepdims=True))
    return counts.reshape(count, -1)


def of_plots(rng: np.random.Generator, case: Case, count: int, fault: str = "") -> list[Run]:
    """Return runs of histograms as a reader gives them."""
    nothing = np.empty((0, 0)), np.empty(0, "U1")
    rows = histograms(rng, case, count, fault)
    events = rows.reshape(count, case.plots, -1).sum(axis=2).max(axis=1)
    return [Run(f"run {k}", *nothing, row, float(own)) for k, (row, own) in enumerate(zip(rows, events, strict=True))]


def of_events(rng: np.random.Generator, case: Case, count: int, fault: str = "") -> list[RunFile]:
    """Return runs of events: of every three columns two share a band and a line, the third says nothing of them. The
    first line is a fifth of the events: it may be gone, or have 5 % left; or all of the first column is off."""
    moved = 0.05 * SHIFT * moves(rng, case, count)
    found = []
    for k in range(count):
        columns = dict[str, np.ndarray]()
        for column in range(case.plots):
            if column % 3 == 0:
                share = {"gone": 0.0, "little": 0.01}.get(fault, 0.2) if column == 0 else 0.2
                line, size = rng.random(EVENTS_OF_RUN) < share, rng.normal(2.0, 0.4, EVENTS_OF_RUN)
            usual = (np.where(line, 2.48, size), np.where(line, 4.78, size + 2.0), rng.normal(size=EVENTS_OF_RUN))
            own = usual[column % 3] + 0.05 * rng.normal(size=EVENTS_OF_RUN) + moved[k, column]
            own = own + (0.2 if fault == "tilted" and column == 0 else 0.0)
            columns[f"c{column}"] = own if column % 3 == 2 else 10.0**own
        found.append(RunFile(f"run {k}", partial(_pieces, columns)))
    return found


def _pieces(columns: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    return iter([columns])


def fitted_on(rng: np.random.Generator, case: Case, quick: bool) -> Fitted:
    """Return a model of so many good runs."""
    wraps = case.scorer in ("run_histograms", "run_events") and quick
    settings = FitSettings(case.scorer, QUICK if wraps else {})
    if run_kind(case.scorer) == "cloud":
        return fit_runs(RunFolder(of_events(rng, case, case.runs)), settings, silent)
    book = Book(tuple(Plot(f"p{k}", (f"p{k}",), (EDGES,)) for k in range(case.plots)))
    runs = of_plots(rng, case, case.runs)
    return fit_found(
        without_far(RunPlots(NO_COLUMNS, book, "histogram"), runs, {}, []), RunFolder([]), settings, silent
    )


def p_values(fitted: Fitted, rng: np.random.Generator, case: Case, count: int, fault: str = "") -> np.ndarray:
    """Return the p-values of runs that the model has not seen, as `score` has them."""
    view = view_of_runs(fitted)
    drawn = of_events if view.sees == "cloud" else of_plots
    found = []
    for run in drawn(rng, case, count, fault):
        batch = view.batch(run if isinstance(run, Run) else view.reader.read(run))
        found.append(answer(fitted, batch).p_value)
    return np.array(found)


def measured(case: Case, references: int, judged: int, odd: int, quick: bool) -> Share:
    """Return the shares over several references."""
    share = Share([], [], {fault: [] for fault in FAULTS})
    for seed in range(references):
        rng = np.random.default_rng((seed, case.runs, case.plots, WAYS.index(case.way)))
        fitted = fitted_on(rng, case, quick)
        good = p_values(fitted, rng, case, judged)
        share.rare.append(float((good < 0.01).mean()))
        share.rarer.append(float((good < 0.001).mean()))
        for fault in FAULTS if odd else ():
            share.found[fault].append(float((p_values(fitted, rng, case, odd, fault) < 0.01).mean()))
    return share


def line(case: Case, share: Share, took_s: float) -> str:
    """Return one line of the table."""
    error = np.std(share.rare) / np.sqrt(max(len(share.rare) - 1, 1))
    found = ", ".join(f"{name} {np.mean(own):.0%}" for name, own in share.found.items() if own)
    where = f"{case.scorer:22} {case.way:9} {case.runs:4} runs {case.plots:4} plots"
    rare = f"{np.mean(share.rare):6.2%} +- {error:.2%} below 0.01 (worst {max(share.rare):.0%})"
    return f"{where}: {rare}, {np.mean(share.rarer):.2%} below 0.001; found: {found or 'not asked'}  [{took_s:.1f} s]"


def main() -> None:
    """Measure, a line for each cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scorers", nargs="+", default=run_scorers(), choices=sorted(plugins.entries("scorers")))
    parser.add_argument("--ways", nargs="+", default=list(WAYS[1:]), choices=WAYS)
    parser.add_argument("--runs", nargs="+", type=int, default=[10, 20, 50, 100])
    parser.add_argument("--plots", nargs="+", type=int, default=[5, 200])
    parser.add_argument("--references", type=int, default=6)
    parser.add_argument("--judged", type=int, default=60, help="good runs that each model judges")
    parser.add_argument("--odd", type=int, default=10, help="runs of each fault that it judges")
    parser.add_argument("--second", type=float, default=0.2, help="share of the second kind, where there are two")
    parser.add_argument("--quick", action="store_true", help="networks within run_histograms, run_events: five epochs")
    options = parser.parse_args()
    for plots in options.plots:
        for runs in options.runs:
            for way in options.ways:
                for scorer in options.scorers:
                    case, begin = Case(scorer, way, runs, plots, options.second), time.process_time()
                    share = measured(case, options.references, options.judged, options.odd, options.quick)
                    print(line(case, share, time.process_time() - begin), flush=True)


if __name__ == "__main__":
    main()
