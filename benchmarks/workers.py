"""Runs judged a second by two processes and by two workers of a Dask cluster, as ratios to one process.

Runs of the xenon simulator, 1,000 events each, are judged by `lynkeus score --run-per-file` with `--workers 1`, `2` and
`dask://`; starting and reading the model count. With `--kill S` a worker is killed every S seconds while two processes
and the cluster work, and the tables must be that of one process. `--commission`: a model is commissioned in place of
that, and its tables are compared. Only on a quiet machine do the ratios of seconds mean something; `overhead` is what
all processes together took of the processors, beyond what one takes: on two quiet cores a pair is 2 / (1 + overhead)
times as fast as one, but for the start.

    python benchmarks/workers.py                        # 3,000 runs
    python benchmarks/workers.py --runs 5000 --kill 20
    python benchmarks/workers.py --commission --kill 5
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import distributed
import pandas as pd
import psutil

KEPT: list[int] = []  # processes of the cluster
KILLED: list[int] = []
GOOD, MADE = 40, 100  # runs that a model is fitted on, and those that are copied until there are enough


def run(*arguments: object) -> float:
    """Seconds of a command, in a process of its own as a user has it."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "lynkeus", *map(str, arguments)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def make(folder: Path, runs: int) -> None:
    """Good runs, a model of them, and as many others."""
    run("generate", f"sim://noble?runs={GOOD + MADE}&seed=1", "-o", folder / "made")
    files = sorted((folder / "made" / "runs").iterdir())
    for name in ("good", "new"):
        (folder / name).mkdir()
    for file in files[:GOOD]:
        shutil.copy(file, folder / "good")
    (folder / "held").mkdir()
    for file in files[GOOD : GOOD + 30]:
        shutil.copy(file, folder / "held")
    for number in range(runs):
        file = files[GOOD + number % MADE]
        os.link(file, folder / "new" / f"{number:05d}-{file.name}")
    run("fit", folder / "good", "--run-per-file", "-s", "binned_chi2", "-o", folder / "model")


def processor_s() -> float:
    """Seconds of the processors that commands, and workers of the cluster, have taken."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = ended.ru_utime + ended.ru_stime
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            total += sum(child.cpu_times()[:2])
    return total + sum(psutil.Process().cpu_times()[:2])  # the scheduler is a thread of this process


def kill_workers(cluster: distributed.LocalCluster, every_s: float, stop: threading.Event) -> None:
    """Kill a worker of the cluster again and again, whose nanny starts another, and a process of `--workers 2`."""
    own = psutil.Process()
    while not stop.wait(every_s):
        nannies = [nanny.process.pid for nanny in cluster.workers.values() if nanny.process and nanny.process.pid]
        spawned = [
            child.pid
            for child in own.children(recursive=True)
            if child.pid not in nannies and child.pid not in KEPT and "spawn_main" in " ".join(child.cmdline())
        ]
        for pid in (min(nannies, default=0), min(spawned, default=0)):
            if pid:
                os.kill(pid, signal.SIGKILL)
                KILLED.append(pid)


def command(options: argparse.Namespace, folder: Path, title: str, workers: str) -> list[object]:
    """Return what is run, and leaves TITLE.parquet."""
    if options.commission:
        held = folder / "held"
        return [
            "commission",
            folder / "model",
            held,
            "--run-per-file",
            "--quick",
            "--workers",
            workers,
            "-o",
            folder / f"{title}.html",
        ]
    output = folder / f"{title}.parquet"
    return ["score", folder / "model", folder / "new", "--run-per-file", "--workers", workers, "-o", output]


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--kill", type=float, default=0.0, help="seconds between two kills of a worker; 0: none")
    parser.add_argument("--commission", action="store_true", help="commission a model in place of judging runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, options.runs)
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
            KEPT.extend(child.pid for child in psutil.Process().children(recursive=True))
            stop, took, used = threading.Event(), {}, {}
            for title, workers in {"one": "1", "two": "2", "dask": f"dask://{cluster.scheduler_address}"}.items():
                if options.kill and title == "two":
                    threading.Thread(target=kill_workers, args=(cluster, options.kill, stop), daemon=True).start()
                before = processor_s()
                took[title] = run(*command(options, folder, title, workers))
                used[title] = processor_s() - before
            stop.set()
        tables = {title: pd.read_parquet(folder / f"{title}.parquet") for title in took}
    for title, seconds in took.items():
        pd.testing.assert_frame_equal(tables[title], tables["one"])
        rate = "" if options.commission else f"{options.runs / seconds:6.1f} runs/s, "
        print(
            f"{title:5} {rate}{seconds:6.1f} s, {took['one'] / seconds:.2f} times one process; processors "
            f"{used[title]:6.1f} s, overhead {used[title] / used['one'] - 1:.2f}; same table"
        )
    print(f"{len(KILLED)} processes were killed; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
