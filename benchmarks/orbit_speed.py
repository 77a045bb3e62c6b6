"""Speed of `orbit` per thread, as a ratio to scikit-learn's PCA and reconstruction of the same channels; of the watch
loop, as a multiple of real time; and memory over a million shots. Run by `make bench`."""

from __future__ import annotations

import contextlib
import resource
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
from sklearn.decomposition import PCA

from lynkeus.core import Batch, Source
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import WatchSettings, watch
from lynkeus.simulate.beam.orbit import RATE_HZ, OrbitSource
from lynkeus.sources import InMemory

REPEATS = 7
COMPONENTS = (8, 16)


def best_s(run: Callable[[], object]) -> float:
    """Shortest of some runs: what the machine can do when nothing else disturbs."""
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return min(times)


def scoring(fitted: Fitted, source: Source) -> None:
    """orbit against PCA, on the same float32 rows in memory."""
    windows = list(fitted.prepare(source))
    rows = [
        np.ascontiguousarray(batch.values.transpose(0, 2, 1)).reshape(-1, batch.values.shape[1]) for batch in windows
    ]
    shots = sum(map(len, rows))

    def orbit() -> None:
        fitted.scorer.resume({})
        for batch in windows:
            fitted.scorer.score(batch)
            fitted.scorer.update(batch)

    ours = shots / best_s(orbit)
    print(f"orbit, score and follow drift: {ours:,.0f} shots/s, {rows[0].shape[1]} channels, one thread")
    for components in COMPONENTS:
        for kind in (np.float32, np.float64):
            given = [part.astype(kind) for part in rows]
            pca = PCA(components).fit(np.concatenate(given))

            def peer(given: list[np.ndarray] = given, pca: PCA = pca) -> None:
                for part in given:
                    residual = part - pca.inverse_transform(pca.transform(part))
                    (residual * residual).sum(axis=1)

            theirs = shots / best_s(peer)
            name = f"scikit-learn PCA({components}) residual, {kind.__name__}"
            print(f"  {name}: {theirs:,.0f} shots/s; ratio {ours / theirs:.2f}")


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


if __name__ == "__main__":
    learned = fit(OrbitSource(hours=1.0, seed=1), FitSettings("orbit", window=10))
    hour = OrbitSource(hours=1.0, seed=1, start_ns=1_700_000_000_000_000_000)
    scoring(learned, hour)
    watching(learned, hour)
    memory(learned)
