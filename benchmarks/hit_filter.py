"""Hits a second of the hit filter on one core, by parts, and how many cores a readout of 1.7 kHz needs.

The reference beside it: a dot product of as many numbers as a hit has columns and a thousand others.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from lynkeus.core import concatenate
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.simulate.tpc.hits.source import TpcHits
from lynkeus.sources import InMemory
from lynkeus.sources.hits.prepared import PreparedHits

EVENTS_PER_S = 1700.0
EVENTS = 30


def seconds(work: Callable[[], object]) -> float:
    """Return the least processor time of three tries."""
    found = []
    for _ in range(3):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return min(found)


def main() -> None:
    """Print a line for each part and method."""
    source = TpcHits(events=EVENTS, seed=1)
    batches = list(source)
    hits = sum(map(len, batches))
    held = InMemory(concatenate(batches), batch_size=hits)
    numbers = np.random.default_rng(0).normal(size=(hits, len(source.schema.names)))
    reference = seconds(lambda: numbers @ np.ones((numbers.shape[1], 1000)))
    print(f"{EVENTS} events of {hits / EVENTS:.0f} hits; reference {hits / reference:,.0f} hits/s")
    for method in ("trees", "dense", "convolutional"):
        near, judge = measured(held, method)
        both = hits * (near + judge)
        print(
            f"{method:14s} neighbours {1 / near:9,.0f} hits/s, judge {1 / judge:9,.0f} hits/s, together "
            f"{hits / both:9,.0f} hits/s = {EVENTS / both:6.0f} events/s a core: "
            f"{EVENTS_PER_S * both / EVENTS:.0f} cores for 1.7 kHz; {both / reference:.0f} times the reference"
        )


def measured(held: InMemory, method: str) -> tuple[float, float]:
    """Return seconds a hit for the neighbourhood, and for the judge."""
    fitted = fit(held, FitSettings("hit_filter", {"method": method, "training": {"epochs": 2}}, labels="on_track"))
    prepared = next(iter(fitted.prepare(held)))
    near = seconds(lambda: list(PreparedHits(held, near=True)))
    judge = seconds(lambda: fitted.scorer.learner_.decide(prepared.values))
    return near / len(prepared), judge / len(prepared)


if __name__ == "__main__":
    main()
