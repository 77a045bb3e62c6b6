"""How old is what 200 viewers of the wall see, and what do they cost?

`lynkeus serve` shows a store into which ten monitors write ten points a second each, a commit a second. Viewers listen
to /wall/events as browsers do; each point is compared with when it was committed. Halfway through every tenth viewer
breaks off and comes back two seconds later with what it had (Last-Event-ID): it must get each point once.

    python benchmarks/wall.py --viewers 200 --seconds 20
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint, ScoredPoint
from lynkeus.monitor.store import Store

MONITORS, POINTS = 10, 10
NS = 1_000_000_000


class Written:
    """Ten monitors that write until `stop`; `at`: when the point with a start (ms) was committed, by monitor."""

    def __init__(self, url: str) -> None:
        self.store = Store(url)
        self.at: dict[tuple[str, int], float] = {}
        self.stop = threading.Event()
        self.owner = Owner.here()
        self.names = [f"monitor {k}" for k in range(MONITORS)]
        for name in self.names:
            self.store.claim(Monitor(name, name, ("anomaly",)), self.owner)

    def write(self) -> None:
        """A commit a second for each."""
        rare = np.random.default_rng(0)
        while not self.stop.is_set():
            now = time.time_ns() // NS * NS
            for name in self.names:
                starts = [now - NS + k * NS // POINTS for k in range(POINTS)]
                points = tuple(ScoredPoint("anomaly", at, at + NS // POINTS, 1.0, float(rare.exponential()))
                               for at in starts)  # fmt: skip
                self.store.commit(name, self.owner, Commit(ResumePoint(now, now), points))
                for at in starts:
                    self.at[f"{name}\nanomaly", at // 1_000_000] = time.time()
            self.stop.wait(1.0 - time.time() % 1.0)


class Viewer:
    """One browser; `seen`: when each point came, `twice`: points that came again."""

    def __init__(self, port: int) -> None:
        self.port, self.mark = port, ""
        self.seen: dict[tuple[str, int], float] = {}
        self.twice = 0

    async def listen(self, seconds: float) -> None:
        """Listen for a while."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        had = f"Last-Event-ID: {self.mark}\r\n" if self.mark else ""
        writer.write(f"GET /wall/events HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{had}\r\n".encode())
        until = time.monotonic() + seconds
        try:
            while (left := until - time.monotonic()) > 0:
                line = (await asyncio.wait_for(reader.readline(), left)).decode()
                if line.startswith("id: "):
                    self.mark = line[4:].strip()
                elif line.startswith("data: "):
                    self._take(json.loads(line[6:]))
        except TimeoutError:
            pass
        finally:
            writer.close()

    def _take(self, said: dict[str, Any]) -> None:
        now = time.time()
        for key, points in said.get("points", {}).items():
            for at_ms, _ in points:
                self.twice += (key, at_ms) in self.seen
                self.seen[key, at_ms] = now


async def watch(viewers: list[Viewer], seconds: float) -> None:
    """All of them; every tenth breaks off halfway."""

    async def one(number: int, viewer: Viewer) -> None:
        if number % 10:
            await viewer.listen(seconds)
            return
        await viewer.listen(seconds / 2)
        await asyncio.sleep(2.0)
        await viewer.listen(seconds / 2 - 2.0)

    await asyncio.gather(*(one(number, viewer) for number, viewer in enumerate(viewers)))


def main() -> None:
    """Run it and print the numbers."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--viewers", type=int, default=200)
    options.add_argument("--seconds", type=float, default=20.0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'wall.db'}"
        written = Written(url)
        writer = threading.Thread(target=written.write)
        writer.start()
        serve = [sys.executable, "-m", "lynkeus", "serve", "--store", url, "--port", "0"]
        server = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert server.stdout is not None
        port = int(
            next(line for line in server.stdout if "http://" in line).split("127.0.0.1:")[1].split("/")[0].split()[0]
        )
        viewers = [Viewer(port) for _ in range(given.viewers)]
        about = psutil.Process(server.pid)
        before, begun = sum(about.cpu_times()[:2]), time.time()
        asyncio.run(watch(viewers, given.seconds))
        used, ended = sum(about.cpu_times()[:2]) - before, time.time()
        memory = about.memory_info().rss
        server.terminate()
        server.wait(20)
        written.stop.set()
        writer.join()
        written.store.close()
    report(written, viewers, (begun, ended))
    print(f"server: {used / (ended - begun):.0%} of a core, {memory / 1e6:.0f} MB")


def report(written: Written, viewers: list[Viewer], span: tuple[float, float]) -> None:
    """Compare what came with what was committed in the middle of the time."""
    inside = {key for key, at in written.at.items() if span[0] + 3 < at < span[1] - 4}
    ages = np.array(
        [viewer.seen[key] - written.at[key] for viewer in viewers[1::2] for key in inside if key in viewer.seen]
    )
    missing = sum(len(inside - viewer.seen.keys()) for viewer in viewers)
    twice = sum(viewer.twice for viewer in viewers)
    print(f"{len(viewers)} viewers, {len(inside)} points each: {missing} missing, {twice} twice")
    print("age of a point when it is seen: " + ", ".join(f"{name} {value:.2f} s" for name, value in zip(
        ("median", "99 %", "most"), np.quantile(ages, [0.5, 0.99, 1.0]), strict=True)))  # fmt: skip


if __name__ == "__main__":
    main()
