"""How soon `lynkeus serve --advise` answers single tasks at a steady rate, and how fast texts are scored.

    python benchmarks/advice.py [--rate 50] [--seconds 20] [--tasks 2000]

Answers are waited for in threads of another process than the server's; what is late is late by the schedule, not by the
answer before it. Processor time of the server is that of /proc, so that it says something on a busy machine, too.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

import numpy as np

from lynkeus.core import Batch, concatenate
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.scorers.texts.scorer import Text
from lynkeus.simulate.logbook.source import Logbook
from lynkeus.simulate.workflows.source import Workflows
from lynkeus.sources import InMemory
from lynkeus.sources.wrappers.answered import Answered
from lynkeus.sources.writers.write import write_source


def main() -> None:
    """Print one line for each measurement."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--rate", type=float, default=50.0)
    asked.add_argument("--seconds", type=float, default=20.0)
    asked.add_argument("--tasks", type=int, default=2000)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fit(Workflows(given.tasks, seed=1), FitSettings("advisor", labels="action")).save(folder / "advisor")
        write_source(Workflows(int(given.rate * given.seconds), seed=2), folder / "open.json")
        serve(folder, given.rate)
    texts()


def serve(folder: Path, rate: float) -> None:
    """Measure the server on tasks of a file, one a request."""
    tasks = json.loads((folder / "open.json").read_text())
    bodies = [json.dumps({name: one}).encode() for name, one in tasks.items()]
    command = [sys.executable, "-m", "lynkeus", "serve", "--advise", str(folder / "advisor"), "--port", "0"]
    command += ["--store", f"sqlite:///{folder / 'ops.db'}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        host = server.stdout.readline().split("http://")[1].split("/")[0]
        kept = local()

        def ask(k: int) -> float:
            due = begun + k / rate
            time.sleep(max(due - time.perf_counter(), 0.0))
            kept.connection = getattr(kept, "connection", None) or http.client.HTTPConnection(host, timeout=30)
            kept.connection.request("POST", "/api/advice", bodies[k], {"Content-Type": "application/json"})
            answer = kept.connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            return 1000.0 * (time.perf_counter() - due)

        with ThreadPoolExecutor(16) as pool:
            begun = time.perf_counter()
            list(pool.map(ask, range(10)))  # connections, and what is imported on demand
            begun, before = time.perf_counter() - 10 / rate, processor_s(server.pid)
            late = np.array(list(pool.map(ask, range(10, len(bodies)))))
        spent = 1000.0 * (processor_s(server.pid) - before) / len(late)
        server.terminate()
    p50, p99 = np.quantile(late, [0.5, 0.99])
    print(
        f"{len(late)} tasks at {rate:g}/s: half within {p50:.0f} ms, 99 % within {p99:.0f} ms, slowest "
        f"{late.max():.0f} ms; {spent:.1f} ms of processor time each; load {os.getloadavg()[0]:.1f}"
    )


def processor_s(process: int) -> float:
    """Return the processor time of a process, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def texts() -> None:
    """Measure the default scorer of texts on entries of a logbook, alone and several in one."""
    train = Answered(InMemory(concatenate(list(Logbook(2000, seed=1)))), ("system", "topic"), 2)
    scorer = Text(embedding="no").fit(train)
    entries = [str(text) for batch in Logbook(5000, seed=2) for text in batch.values]
    for many in (1, 4, 12, 40):
        joined = np.empty(len(entries) // many, object)
        joined[:] = [" ".join(entries[k * many : (k + 1) * many]) for k in range(len(joined))]
        batch = Batch(scorer.schema_, joined)
        begun = time.process_time()
        scorer.score(batch)
        seconds = time.process_time() - begun
        letters = sum(map(len, joined)) / len(joined)
        print(f"texts of {letters:.0f} letters: {len(joined) / seconds:,.0f} a second of processor time")


if __name__ == "__main__":
    main()
