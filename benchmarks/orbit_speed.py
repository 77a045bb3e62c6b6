"""Speed of `orbit` per thread, as a ratio to scikit-learn's PCA and reconstruction of the same channels, 206 and 2,000
of them; how long one window takes from arrival to score; of the watch loop, as a multiple of real time; and memory over
a million shots. Run by `make bench`."""

from __future__ import annotations

import argparse
import contextlib
import resource
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
from sklearn.decomposition import PCA

from lynkeus.core import Batch, Schema, Source
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import WatchSettings, watch
from lynkeus.scorers.orbit import loops
from lynkeus.simulate.beam.orbit import RATE_HZ, START_NS, OrbitSource
from lynkeus.sources import InMemory

REPEATS = 7
COMPONENTS = (8, 16)
CHANNELS, MODES = 2000, 20  # of the many
MONITORS = 10


def cpu_s(run: Callable[[], object]) -> float:
    """Seconds of one thread that a run takes: others on the machine do not count."""
    begun = time.thread_time()
    run()
    return time.thread_time() - begun


def scoring(fitted: Fitted, source: Source) -> None:
    """orbit against PCA on the same rows in memory, in turns, so that both see the same machine."""
    windows = list(fitted.prepare(source))
    rows = [
        np.ascontiguousarray(batch.values.transpose(0, 2, 1)).reshape(-1, batch.values.shape[1]) for batch in windows
    ]
    shots, channels = sum(map(len, rows)), rows[0].shape[1]

    def orbit(enough: float) -> None:
        loops.ENOUGH = enough
        fitted.scorer.resume({})
        for batch in windows:
            fitted.scorer.score(batch)
            fitted.scorer.update(batch)

    orbit(0)  # compiled here, not in what is measured
    runs: dict[str, Callable[[], object]] = {
        "orbit, score and follow drift, compiled": lambda: orbit(0),
        "orbit, by NumPy, as in the first seconds of a process": lambda: orbit(np.inf),
    }
    for components in COMPONENTS:
        for kind in (np.float32, np.float64):
            given = [part.astype(kind) for part in rows]
            pca = PCA(components).fit(np.concatenate(given)[:4000])

            def peer(given: list[np.ndarray] = given, pca: PCA = pca) -> None:
                for part in given:
                    residual = part - pca.inverse_transform(pca.transform(part))
                    (residual * residual).sum(axis=1)

            runs[f"scikit-learn PCA({components}) residual, {kind.__name__}"] = peer
    turns = np.array([[cpu_s(run) for run in runs.values()] for _ in range(REPEATS)])
    ratio = np.median(turns / turns[:, :1], axis=0)  # of each turn: all of it sees the same machine
    print(f"{channels} channels, one thread, processor time, median of {REPEATS} turns:")
    for name, seconds, times in zip(runs, np.median(turns, axis=0), ratio, strict=True):
        print(f"  {name}: {shots / seconds:,.0f} shots/s; orbit is {times:.2f} times as fast")
    loops.ENOUGH = 0


def one_by_one(fitted: Fitted, source: Source, monitors: int = MONITORS) -> None:
    """From the arrival of a window to its score, each alone, and as many models in turn as monitors of a service."""
    batch = next(iter(fitted.prepare(source)))
    wall, processor = [], []
    for window in range(min(len(batch), 300)):
        begun, used = time.perf_counter(), time.thread_time()
        fitted.score_batch(batch[window : window + 1])
        wall.append(1e3 * (time.perf_counter() - begun))
        processor.append(1e3 * (time.thread_time() - used))
    median, late = np.quantile(wall, [0.5, 0.99])
    share = monitors * float(np.mean(processor)) / (1e3 * fitted.view.window / RATE_HZ)
    print(f"  one window, arrival to score: {median:.1f} ms (99 %: {late:.1f}); processor {np.mean(processor):.1f} ms")
    print(f"  {monitors} monitors at {RATE_HZ:.0f} Hz take {share:.1%} of a core")


class ManyChannels:
    """Rows of `channels` that see MODES common motions and have noise of their own, at 10 Hz: a Source."""

    def __init__(self, channels: int, rows: int, seed: int) -> None:
        machine, self.rng, self.rows = np.random.default_rng(1), np.random.default_rng(seed), rows
        self.loadings = 0.6 * machine.standard_normal((MODES, channels)).astype(np.float32)
        self.noise = np.exp(0.4 * machine.standard_normal(channels)).astype(np.float32)
        self.centre = (90.0 * machine.standard_normal(channels)).astype(np.float32)
        self.drawn: list[Batch] = []
        names = tuple(f"P{number}" for number in range(channels))
        self.schema = Schema("table", names, ("um",), (channels,), RATE_HZ)

    def __iter__(self) -> Iterator[Batch]:
        for first in range(0, self.rows, 2000):
            if first // 2000 == len(self.drawn):
                count = min(2000, self.rows - first)
                few = self.rng.standard_normal((count, MODES), dtype=np.float32) @ self.loadings
                own = self.rng.standard_normal((count, len(self.noise)), dtype=np.float32) * self.noise
                times = START_NS + (first + np.arange(count)) * 100_000_000
                self.drawn.append(Batch(schema=self.schema, values=few + own + self.centre, time_ns=times))
            yield self.drawn[first // 2000]


def watching(fitted: Fitted, source: OrbitSource) -> None:
    """The whole loop (source in memory, window, score, store) against a 10 Hz source."""
    rows = list(source)
    held = InMemory(rows[0]) if len(rows) == 1 else _Held(source, rows)
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Store(f"sqlite:///{folder}/watch.db")) as store:
        begun = time.perf_counter()
        done = watch(fitted, held, store, WatchSettings())
        spent = time.perf_counter() - begun
    seconds = done.windows * fitted.view.window / RATE_HZ
    print(f"watch loop: {seconds / spent:,.0f} times real time ({done.windows} windows, {done.alarms} alarms)")


def memory(fitted: Fitted) -> None:
    """Peak memory while a million simulated shots are scored."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shots = 0
    marks = []
    for scored in fitted.score(OrbitSource(hours=1_000_000 / RATE_HZ / 3600, seed=3)):
        shots += len(scored.batch) * fitted.view.window
        marks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    grown = (marks[-1] - marks[len(marks) // 10]) / 1024
    print(f"memory over {shots:,} shots: peak {marks[-1] / 1024:.0f} MiB (before {before / 1024:.0f}), "
          f"grown by {grown:.0f} MiB after the first tenth")  # fmt: skip


class _Held:
    """Batches in memory as a Source."""

    def __init__(self, source: Source, batches: list[Batch]) -> None:
        self.schema, self.batches = source.schema, batches

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


def main() -> None:
    """Measure what is asked for: by default all of it, in five to ten minutes on a quiet core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("orbits", "many"), help="206 channels, or 2,000 of them")
    parser.add_argument("--rows", type=int, default=20_000, help="rows that 2,000 channels are fitted to")
    given = parser.parse_args()
    if given.only != "many":
        learned = fit(OrbitSource(hours=1.0, seed=1), FitSettings("orbit", window=10))
        hour = OrbitSource(hours=1.0, seed=1, start_ns=START_NS)
        scoring(learned, hour)
        one_by_one(learned, hour)
    if given.only != "orbits":
        many = fit(ManyChannels(CHANNELS, given.rows, seed=1), FitSettings("orbit", window=10))
        later = ManyChannels(CHANNELS, 6000, seed=2)
        scoring(many, later)
        one_by_one(many, later)
    if given.only is None:
        watching(learned, hour)
        memory(learned)


if __name__ == "__main__":
    main()
