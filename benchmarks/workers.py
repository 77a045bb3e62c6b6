"""Runs judged a second by two processes and by two workers of a Dask cluster, as ratios to one process.

Runs of the xenon simulator, 1,000 events each, are judged by `lynkeus score --run-per-file` with `--workers 1`, `2` and
`dask://`; starting and reading the model count. With `--kill S` a worker is killed every S seconds while the cluster
works, and the table must be that of one process. Only on a quiet machine do the ratios mean something.

    python benchmarks/workers.py                        # 600 runs
    python benchmarks/workers.py --runs 5000 --kill 20
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import distributed
import pandas as pd

from lynkeus.cli import app

GOOD, MADE = 40, 100  # runs that a model is fitted on, and those that are copied until there are enough


def run(*arguments: object) -> float:
    """Seconds of a command."""
    begin = time.perf_counter()
    app([str(argument) for argument in arguments], standalone_mode=False)
    return time.perf_counter() - begin


def make(folder: Path, runs: int) -> None:
    """Good runs, a model of them, and as many others."""
    run("generate", f"sim://noble?runs={GOOD + MADE}&seed=1", "-o", folder / "made")
    files = sorted((folder / "made" / "runs").iterdir())
    for name in ("good", "new"):
        (folder / name).mkdir()
    for file in files[:GOOD]:
        shutil.copy(file, folder / "good")
    for number in range(runs):
        file = files[GOOD + number % MADE]
        os.link(file, folder / "new" / f"{number:05d}-{file.name}")
    run("fit", folder / "good", "--run-per-file", "-s", "binned_chi2", "-o", folder / "model")


def kill_workers(cluster: distributed.LocalCluster, every_s: float, stop: threading.Event) -> None:
    """Kill the worker of the lowest number of process, again and again; its nanny starts another."""
    while not stop.wait(every_s):
        pids = sorted(nanny.process.pid for nanny in cluster.workers.values() if nanny.process and nanny.process.pid)
        if pids:
            os.kill(pids[0], signal.SIGKILL)


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=600)
    parser.add_argument("--kill", type=float, default=0.0, help="seconds between two kills of a worker; 0: none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, options.runs)
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
            stop = threading.Event()
            if options.kill:
                threading.Thread(target=kill_workers, args=(cluster, options.kill, stop), daemon=True).start()
            who = {"one": "1", "two": "2", "dask": f"dask://{cluster.scheduler_address}"}
            seconds = {
                title: run(
                    "score", folder / "model", folder / "new", "--run-per-file", "--workers", workers, "-o",
                    folder / f"{title}.parquet",
                )
                for title, workers in who.items()
            }  # fmt: skip
            stop.set()
        tables = {title: pd.read_parquet(folder / f"{title}.parquet") for title in who}
    for title, took in seconds.items():
        pd.testing.assert_frame_equal(tables[title], tables["one"])
        ratio = seconds["one"] / took
        print(f"{title:5} {options.runs / took:6.1f} runs/s, {took:6.1f} s, {ratio:.2f} times one process; same table")


if __name__ == "__main__":
    main()
