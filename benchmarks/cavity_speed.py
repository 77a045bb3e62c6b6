"""Pulses a second that one core judges with `cavity`, and what a linac of hundreds of cavities takes.

Pulses of 1,820 samples of six signals, in memory; processor time of one thread, a few pulses at once as they come, and
many, as in an archive. The same with fewer samples, and with several cavities in a batch (one baseline each), says how
it grows; from these come the cores for `--cavities` at `--rate`.

    OMP_NUM_THREADS=1 python benchmarks/cavity_speed.py              # two minutes
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from lynkeus.core import Batch, concatenate
from lynkeus.scorers.cavity.scorer import Cavity
from lynkeus.simulate.cavity.machine import SAMPLE_RATE_HZ
from lynkeus.simulate.cavity.source import SCHEMA, CavitySource
from lynkeus.sources import InMemory

LEARNED, SCORED, REPEATS = 40, 32, 3  # healthy pulses of each cavity that it learns from, and pulses that are scored


def pulses_s(scorer: Cavity, batch: Batch, at_once: int) -> float:
    """Pulses a second of one core, so many at once; the best of some runs."""
    best = np.inf
    for _ in range(REPEATS):
        # Cut anew: what was scored last is remembered.
        parts = [batch[first : first + at_once] for first in range(0, len(batch), at_once)]
        begun = time.thread_time()
        for part in parts:
            scorer.score(part)
        best = min(best, time.thread_time() - begun)
    return len(batch) / best


def pulses(cavities: int, each: int, seed: int) -> Batch:
    """Return healthy pulses (n, 6, 1820) of some cavities, as they are read at 1 MHz."""
    found = []
    for raw in CavitySource(pulses=each, cavities=cavities, fault="healthy", seed=seed).raw():
        parts = np.stack([raw.signals.real, raw.signals.imag], axis=1).reshape(6, -1, raw.signals.shape[-1])
        values = np.ascontiguousarray(parts.transpose(2, 0, 1), np.float32)
        schema = replace(SCHEMA, shape=values.shape[1:], sample_rate_hz=SAMPLE_RATE_HZ)
        found.append(Batch(schema, values, meta={"cavity": raw.meta["cavity"]}))
    return concatenate(found)


def averaged(batch: Batch, samples: int) -> Batch:
    """Return the pulses with the mean of so many samples in place of each of them."""
    values = batch.values.reshape(*batch.values.shape[:2], -1, samples).mean(axis=3)
    rate = SAMPLE_RATE_HZ / samples
    return replace(batch, values=values, schema=replace(batch.schema, shape=values.shape[1:], sample_rate_hz=rate))


def main() -> None:
    """Print what was measured, and the cores that follow from it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cavities", type=int, default=800)
    parser.add_argument("--rate", type=float, default=10.0, help="pulses a second of each cavity")
    given = parser.parse_args()
    asked = given.cavities * given.rate
    for cavities, samples in ((1, 10), (1, 2), (1, 1), (4, 1)):
        learned = averaged(pulses(cavities, LEARNED, 1), samples)
        later = averaged(pulses(cavities, SCORED // cavities, 2), samples)
        scorer = Cavity().fit(InMemory(learned))
        found = {at_once: pulses_s(scorer, later, at_once) for at_once in (1, 8, SCORED)}
        size = f"{cavities} cavities, {later.values.shape[2]:,} samples"
        said = ", ".join(f"{at_once} at once {rate:,.0f} ({asked / rate:.1f} cores)" for at_once, rate in found.items())
        print(f"{size}: pulses/s a core: {said}", flush=True)
    print(f"cores: for {given.cavities} cavities at {given.rate:g} Hz")
    print(f"1,820 samples of six signals in float32 are {asked * 6 * 1820 * 4e-6:,.0f} MB/s")


if __name__ == "__main__":
    main()
