"""How soon the desk of `lynkeus serve --advise` is there with thousands of open tasks, and how soon a click is kept.

    python benchmarks/panel.py [--tasks 5000] [--clicks 40]

In a real Chromium (Playwright), with a server of its own. Times are those of a clock: on a machine where others work
they are upper limits, and the load is said beside them. A click is over when its row has left, which it does when the
store has the decision. After the clicks the server is killed with SIGKILL, and the decisions in the store are counted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.monitor.advice.decisions import decisions
from lynkeus.monitor.store import Store
from lynkeus.simulate.workflows.source import Workflows
from lynkeus.sources.writers.write import write_source

FLAGS = ["--headless", "--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-sync"]
PAINT = """() => new Promise(done => new PerformanceObserver(list => {
  for (const one of list.getEntriesByName('first-contentful-paint')) done(one.startTime);
}).observe({ type: 'paint', buffered: true }))"""
# The time is taken in the page: waiting from outside costs more than a click.
CLICK = """() => new Promise(done => {
  const row = document.querySelector('#rows tr'), begun = performance.now();
  new MutationObserver((_, self) => {
    if (!row.isConnected) { self.disconnect(); done(performance.now() - begun); }
  }).observe(document.getElementById('rows'), { childList: true });
  row.querySelector('.accept').click();
})"""


def main() -> None:
    """Print one line for each measurement."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--tasks", type=int, default=5000)
    asked.add_argument("--clicks", type=int, default=40)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, url = Path(name), f"sqlite:///{Path(name) / 'ops.db'}"
        fit(Workflows(2000, seed=1), FitSettings("advisor", {"learner": "linear"}, labels="action")).save(folder / "M")
        write_source(Workflows(given.tasks, seed=2), folder / "open.json")
        command = [
            sys.executable,
            "-m",
            "lynkeus",
            "serve",
            "--advise",
            str(folder / "M"),
            "--port",
            "0",
            "--store",
            url,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                at = server.stdout.readline().split("http://")[1].split("/")[0]
                send(at, json.loads((folder / "open.json").read_text()))
                clicks = look(f"http://{at}/advice", given.clicks)
            finally:
                server.send_signal(signal.SIGKILL)
        store = Store(url)
        kept = sum(row.said in ("accepted", "changed") for row in decisions(store, many=10_000))
        store.close()
    print(f"after SIGKILL {kept} decisions of {clicks} clicks are in the store")


def send(at: str, tasks: dict[str, Any]) -> None:
    """Send all tasks in one request."""
    begun, headers = time.perf_counter(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{at}/api/advice", json.dumps(tasks).encode(), headers)
    urllib.request.urlopen(request, timeout=300).read()
    print(f"{len(tasks)} tasks sent, judged and kept in {time.perf_counter() - begun:.1f} s")


def look(address: str, clicks: int) -> int:
    """Measure the first paint of five visits, and clicks."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page()
        paints = []
        for _ in range(5):
            page.goto(address)
            paints.append(float(page.evaluate(PAINT)))
        page.fill("#who", "benchmark")
        print(f"first contentful paint: {' '.join(f'{one:.0f}' for one in paints)} ms (the first loads style and code)")
        times = np.array([float(page.evaluate(CLICK)) for _ in range(clicks)])
        browser.close()
    load = os.getloadavg()[0]
    p50, p90 = np.quantile(times, [0.5, 0.9])
    print(f"clicks: half within {p50:.0f} ms, 90 % within {p90:.0f} ms, slowest {times.max():.0f} ms; load {load:.1f}")
    return len(times)


if __name__ == "__main__":
    main()
