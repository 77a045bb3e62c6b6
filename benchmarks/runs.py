"""How quick a run is judged: 10^6 events, 200 plots, read from Parquet, filled, scored, and recorded for its page.

Beside each scorer the two peers that are plain: numpy.histogram of the same plots, and scipy's Kolmogorov-Smirnov test
of every column of every class against as many good events. Seconds are of one processor. The last line is a run of
10^7 events, read piece by piece in a process of its own, with its peak of memory.

    OMP_NUM_THREADS=1 python benchmarks/runs.py
    python benchmarks/runs.py --events 20000 --long 100000 --scorers binned_chi2    # to see that it runs
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import ks_2samp

from lynkeus.core import Book, Calibration, plugins
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.good_runs import run_kind
from lynkeus.fitting.verdicts import RunVerdicts
from lynkeus.fitting.views.run_plots import RunPlots
from lynkeus.sources.runs.events import read_events
from lynkeus.sources.runs.folder import RunFile, RunReader, first_events, open_runs
from lynkeus.sources.runs.read import ReadRuns
from lynkeus.transforms.event_columns import EventColumns

CLASSES = tuple(f"class {number}" for number in range(10))
COLUMNS = 20  # a plot of each in each class; pairs of columns are not booked here
GOOD_RUNS, GOOD_EVENTS = 30, 4000
FAMILIES = ("autoencoder", "variational_autoencoder", "adversarial", "sequence_to_sequence", "one_class_svm")
SCORERS = ("population", "binned_chi2", *FAMILIES)
EPOCHS = 3  # a good fit is not the question here
ROW_GROUP = 250_000


def drawn(rng: np.random.Generator, events: int) -> dict[str, np.ndarray]:
    """Correlated columns, every second one log-normal, at other places in each class."""
    of = rng.integers(len(CLASSES), size=events)
    table = {"class": np.array(CLASSES)[of]}
    shared = rng.normal(size=events)
    for number in range(COLUMNS):
        column = 0.1 * of + 0.5 * shared + rng.normal(size=events)
        table[f"quantity {number}"] = np.exp(column) if number % 2 else column
    return table


def write_run(path: Path, events: int, seed: int) -> Path:
    """A run as Parquet, piece by piece."""
    rng = np.random.default_rng(seed)
    writer = None
    for first in range(0, events, ROW_GROUP):
        piece = pa.table(drawn(rng, min(ROW_GROUP, events - first)))
        writer = writer or pq.ParquetWriter(path, piece.schema, compression="zstd")
        writer.write_table(piece)
    assert writer is not None
    writer.close()
    return path


def fitted_on(good: list[RunFile], name: str) -> Fitted:
    """A model that judges 200 plots of one variable; calibrated on the runs it has learned from, to be quick."""
    events = [events for _, events in first_events(good)[0]]
    columns = EventColumns.fit(events)
    pooled = np.concatenate([columns.values(run) for run in events])
    plots = columns.book(pooled, np.concatenate([columns.group_of(run) for run in events])).plots
    reader = RunReader(columns, Book(tuple(plot for plot in plots if len(plot.variables) == 1)))
    options = {}
    if name in FAMILIES:
        training = {} if name == "one_class_svm" else {"training": {"epochs": EPOCHS}}
        name, options = "run_histograms", {"scorer": name, "options": training}
    runs = [reader.read(file) for file in good]
    source = ReadRuns(reader, runs, run_kind(name))
    scorer = plugins.make_scorer(name, options).fit(source)
    calibration = Calibration.fit(np.concatenate([scorer.score(batch)[:, 0] for batch in source]), None)
    counts = np.stack([run.counts for run in runs])
    reference = {"counts": counts, "events": np.array([run.events for run in runs])}
    return Fitted(name, scorer, RunPlots(columns, reader.book, run_kind(name)), {"anomaly": calibration}, reference)


def cpu_s(work: Callable[[], object]) -> float:
    """Seconds of the processor, of this process."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def read(path: Path) -> dict[str, np.ndarray]:
    """All events at once."""
    pieces = list(read_events(path))
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def fill_by_numpy(path: Path, book: Book) -> None:
    """The peer of the filling: numpy.histogram of every plot, of all events at once."""
    events = read(path)
    chosen = {group: events["class"] == group for group in CLASSES}
    for plot in book.plots:
        np.histogram(events[plot.variables[0]][chosen[plot.group]], plot.edges[0])


def compare_by_scipy(path: Path, reference: Path) -> None:
    """The peer of the judging: two-sample tests of every column of every class."""
    events, good = read(path), read(reference)
    for group in CLASSES:
        own, other = events["class"] == group, good["class"] == group
        for number in range(COLUMNS):
            name = f"quantity {number}"
            ks_2samp(events[name][own], good[name][other], method="asymp")


def judge(fitted: Fitted, file: RunFile) -> None:
    """Read, fill, score, record."""
    next(RunVerdicts(fitted).of([file], lambda what, share: None))


def peak_mb(model: Path, path: Path) -> tuple[float, float]:
    """Memory at its peak, and seconds, of judging a run in a process of its own."""
    words = [sys.executable, __file__, "--judge", str(model), str(path)]
    mb, seconds = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    return float(mb), float(seconds)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Print a line for each scorer."""
    (folder / "good").mkdir()
    for seed in range(GOOD_RUNS):
        write_run(folder / "good" / f"{seed:03}.parquet", GOOD_EVENTS, seed)
    path = write_run(folder / "run.parquet", options.events, 1000)
    reference = write_run(folder / "reference.parquet", options.events, 1001)
    good, (file,) = open_runs(folder / "good"), open_runs(path)
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    print(f"{options.events} events of {COLUMNS} columns in {len(CLASSES)} classes; {load}")
    numpy_s = scipy_s = 0.0
    model = folder / "model"
    for scorer in options.scorers:
        fit_s = -time.process_time()
        fitted = fitted_on(good, scorer)
        fit_s += time.process_time()
        if not numpy_s:
            fitted.save(model)
            print(f"{len(fitted.view.book.plots)} plots, {fitted.view.book.schema.shape[0]} bins")
            numpy_s = cpu_s(lambda book=fitted.view.book: fill_by_numpy(path, book))
            scipy_s = cpu_s(lambda: compare_by_scipy(path, reference))
            print(
                f"numpy.histogram, read and filled: {numpy_s:.1f} s; scipy ks_2samp, read and tested: {scipy_s:.1f} s"
            )
            read_s = cpu_s(lambda reader=fitted.view.reader: reader.read(file))
            print(f"read and filled here: {read_s:.1f} s", flush=True)
        took = cpu_s(lambda fitted=fitted: judge(fitted, file))
        ratios = f"{took / numpy_s:.2f} of numpy.histogram, {took / scipy_s:.2f} of ks_2samp"
        print(f"{scorer}: judged in {took:.1f} s, {ratios}; fitted in {fit_s:.0f} s", flush=True)
    if options.long:
        long = write_run(folder / "long.parquet", options.long, 1002)
        for which, events in ((path, options.events), (long, options.long)):
            mb, seconds = peak_mb(model, which)
            print(f"{options.scorers[0]}, {events} events in a process of its own: {mb:.0f} MB, {seconds:.1f} s")


def asked() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--long", type=int, default=10_000_000, help="events of the long run; 0: none")
    parser.add_argument("--scorers", nargs="+", default=list(SCORERS))
    parser.add_argument("--judge", nargs=2, metavar=("MODEL", "RUN"), type=Path, help="only judge, print MB and s")
    return parser.parse_args()


def main() -> None:
    """Measure, or judge one run for a process that does."""
    options = asked()
    if options.judge:
        model, path = options.judge
        (file,) = open_runs(path)
        took = cpu_s(lambda: judge(Fitted.load(model), file))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, took)
        return
    with tempfile.TemporaryDirectory() as made:
        measure(Path(made), options)


if __name__ == "__main__":
    main()
