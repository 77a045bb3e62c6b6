"""How quick and how small the store and the pages of runs are: 5,000 runs with 500 plots each.

Runs are synthetic: one-dimensional plots of 52 bins (underflow and overflow among them), every fifth one with two axes
of 22 bins each. The whole store is filled, then each page is asked for through the application, without a network.
Beside the size of a run is that of its numbers as float32, which a plain file would have.

    python benchmarks/run_pages.py
    python benchmarks/run_pages.py --runs 50 --plots 40    # to see that it runs
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from fastapi.testclient import TestClient

from lynkeus.core import Change, Plot, PlotRecord, RunRecord, Verdict
from lynkeus.monitor import run_records
from lynkeus.monitor.store import Store
from lynkeus.web.app import create_app
from lynkeus.web.runs.report import run_html

GROUPS = ("S1", "S2", "SPE", "MPE", "SE")
TOGETHER = 100  # runs that are added in one transaction
EVENTS = 5000.0
ROUNDS = 5  # the median counts
DRAWN = 20  # different runs, which are repeated under other names


def booked(count: int) -> tuple[Plot, ...]:
    """Plots of the five pulse classes."""
    long, short = tuple(np.linspace(0.0, 5.0, 51).tolist()), tuple(np.linspace(0.0, 5.0, 21).tolist())
    plots = []
    for k in range(count):
        group, axes = GROUPS[k * len(GROUPS) // count], (short, short) if k % 5 == 4 else (long,)
        names = tuple(f"{group} {name}" for name in ("area", "width")[: len(axes)])
        plots.append(Plot(f"{group} plot {k} [SS]", names, axes, group))
    return tuple(plots)


def synthetic(plots: tuple[Plot, ...], seed: int) -> RunRecord:
    """A run; every tenth one has lost a population in each fiftieth plot."""
    rng, records, is_bad = np.random.default_rng(seed), [], seed % 10 == 0
    for k, plot in enumerate(plots):
        shares = [np.exp(-0.5 * ((np.arange(n) - 0.4 * n) / (0.15 * n)) ** 2) for n in plot.shape]
        shape = np.ravel(np.multiply.outer(*shares)) if len(shares) == 2 else shares[0]
        expected = EVENTS * shape / shape.sum() * rng.uniform(0.9, 1.1)
        spread = np.sqrt(expected) * rng.uniform(0.9, 1.1, len(expected))
        flagged = is_bad and k % 50 == 0
        counts = rng.poisson(expected * (0.5 if flagged else 1.0)).astype(float)
        pulls = (counts - expected) / np.sqrt(spread**2 + 1)
        region = {plot.variables[0]: (1.0, 2.0)} if flagged else {}
        band = (expected - spread, expected + spread)
        records.append(PlotRecord(plot, counts, expected, *band, pulls, rng.gamma(2.0, 0.5), flagged, region))
    verdict = Verdict.BAD if is_bad else Verdict.GOOD
    gone = Change("gone" if is_bad else "none", "S1", "S1 area", "everywhere", 0.5, "", 8.0)
    stable = tuple(Change("none", name) for name in GROUPS)
    return RunRecord("", verdict, 0.5, 1.0, (gone, *stable), "synthetic", EVENTS, "m", plots=tuple(records))


def named(drawn: list[RunRecord], count: int) -> Iterator[RunRecord]:
    """As many runs as asked for, an hour each."""
    for k in range(count):
        yield replace(drawn[k % len(drawn)], run=f"run {k:05}", start_ns=1_790_000_000_000_000_000 + k * 3600 * 10**9)


def median_s(work: Callable[[], object]) -> float:
    """Seconds of the clock, after one call that fills the caches."""
    work()
    took = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        took.append(time.perf_counter() - begin)
    return float(np.median(took))


def fill(store: Store, runs: Iterator[RunRecord]) -> float:
    """Seconds to add all of them."""
    took, waiting = 0.0, []
    for record in runs:
        waiting.append(record)
        if len(waiting) == TOGETHER:
            begin = time.perf_counter()
            run_records.add_runs(store, waiting)
            took, waiting = took + time.perf_counter() - begin, []
    begin = time.perf_counter()
    run_records.add_runs(store, waiting)
    return took + time.perf_counter() - begin


def measure(folder: Path, runs: int, plots: int) -> None:
    drawn = [synthetic(booked(plots), seed) for seed in range(min(DRAWN, runs))]
    database = folder / "runs.db"
    store = Store(f"sqlite:///{database}")
    took = fill(store, named(drawn, runs))
    store.close()
    raw = 5 * 4 * sum(record.plot.bins for record in drawn[0].plots)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{runs} runs, {plots} plots each; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"add a run: {1e3 * took / runs:.1f} ms; size {size / runs / 1e3:.0f} kB (as float32: {raw / 1e3:.0f} kB)")
    record = replace(drawn[0], run="run 00000")
    html = run_html(record)
    print(f"exported file: {len(html.encode()) / 1e6:.2f} MB, {1e3 * median_s(lambda: run_html(record)):.0f} ms")
    app = create_app(f"sqlite:///{database}")
    name = drawn[0].plots[0].plot.name
    pages = {
        "list, trend of the last 200": "/runs",
        "list, trend of all": "/runs?span=all",
        "list, flagged in S2, page 2": "/runs?verdict=flagged&group=S2&page=2",
        "list, search": "/runs?search=0001",
        "one run": "/runs/run%2000000?model=m",
        "two runs": "/runs/compare?a=run+00000&b=run+00001",
        "one plot, last 200 runs": f"/runs/plot?name={name}&run=run+00000",
        "one plot, all runs": f"/runs/plot?name={name}&span=all",
    }
    with TestClient(app, base_url="http://localhost") as client:
        for words, address in pages.items():
            size = len(client.get(address).raise_for_status().content)
            print(
                f"{words}: {1e3 * median_s(lambda at=address: client.get(at)):.0f} ms, {size / 1e3:.0f} kB", flush=True
            )
    app.state.site.store.close()


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--plots", type=int, default=500)
    return parser.parse_args()


if __name__ == "__main__":
    options = asked()
    with tempfile.TemporaryDirectory() as made:
        measure(Path(made), options.runs, options.plots)
