"""How long `population` takes to learn runs of hundreds of columns, and to judge one: 1,000 events a run.

Of every three columns two share a band and a line, the third says nothing of the others. Beside it the peer: one
Gaussian mixture of eight components of scikit-learn for every such pair, fitted to as many events of all runs as the
density of the scorer is. Seconds are of one processor, of this process alone; from the command line two processes share
the work. The cost is linear in columns if the last number of each line stays.

    OMP_NUM_THREADS=1 python benchmarks/many_columns.py                                  # a few minutes
    OMP_NUM_THREADS=1 python benchmarks/many_columns.py --runs 100 --columns 300         # two minutes
    OMP_NUM_THREADS=1 python benchmarks/many_columns.py --runs 6 --columns 6 12          # to see that it runs
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.mixture import GaussianMixture

from lynkeus.core import Batch, Schema
from lynkeus.scorers.population.density import MOST_FITTED
from lynkeus.scorers.population.scorer import Population

COMPONENTS = 8
JUDGED = 3  # runs


def drawn(rng: np.random.Generator, events: int, columns: int) -> np.ndarray:
    """Events (n, column): band and line of two columns, and a third one, again and again."""
    found = []
    for number in range(-(-columns // 3)):
        size, line = rng.normal(2.0, 0.4, events), rng.random(events) < 0.2
        first = np.where(line, 300 * rng.lognormal(0, 0.05, events), 10 ** (size + rng.normal(0, 0.04, events)))
        second = np.where(line, 6e4 * rng.lognormal(0, 0.05, events), 10 ** (size + 2 + rng.normal(0, 0.05, events)))
        found += [first, second, rng.normal(size=events) if number % 2 else rng.uniform(0, 1000, events)]
    return np.stack(found[:columns], axis=1)


@dataclass(frozen=True)
class Runs:
    """Good runs as a source."""

    runs: int
    columns: int
    events: int
    first: int = 0

    @property
    def schema(self) -> Schema:
        return Schema("cloud", tuple(f"quantity {k}" for k in range(self.columns)), shape=(None, self.columns))

    def __iter__(self) -> Iterator[Batch]:
        for run in range(self.first, self.first + self.runs):
            values = drawn(np.random.default_rng(run), self.events, self.columns)[None]
            mask = np.ones(values.shape[:2], bool)
            yield Batch(self.schema, values, mask=mask, meta={"run": np.array([f"run {run}"])})


def cpu_s(work: Callable[[], object]) -> float:
    """Seconds of the processor, of this process."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def peer_s(source: Runs) -> float:
    """Seconds that scikit-learn takes for a mixture of each pair of columns that belong together."""
    events = np.concatenate([batch.values[0] for batch in source])[:MOST_FITTED]
    pairs = [np.log10(events[:, first : first + 2]) for first in range(0, source.columns - 1, 3)]
    standard = [(pair - pair.mean(axis=0)) / pair.std(axis=0) for pair in pairs]

    def fit_all() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for pair in standard:
                GaussianMixture(COMPONENTS, max_iter=60, random_state=0).fit(pair)

    return cpu_s(fit_all)


def main() -> None:
    """Measure, a line for each number of columns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", nargs="+", type=int, default=[100, 200, 300, 500])
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--events", type=int, default=1000)
    options = parser.parse_args()
    for columns in options.columns:
        source, scorer = Runs(options.runs, columns, options.events), Population()
        fit_s = cpu_s(lambda scorer=scorer, source=source: scorer.fit(source))
        new = list(Runs(JUDGED, columns, options.events, first=10_000))
        score_s = cpu_s(lambda scorer=scorer, new=new: [scorer.score(batch) for batch in new]) / JUDGED
        peer = peer_s(source)
        print(
            f"{columns} columns, {options.runs} runs: fitted in {fit_s:.1f} s, {fit_s / peer:.2f} of mixtures of "
            f"scikit-learn ({peer:.1f} s); a run judged in {score_s:.2f} s; {1e3 * fit_s / columns:.0f} ms a column",
            flush=True,
        )


if __name__ == "__main__":
    main()
