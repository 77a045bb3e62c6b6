"""The pulses of the study, all simulated, and the parts of them that a scorer may learn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lynkeus.core import Array, Batch, Schema, concatenate
from lynkeus.simulate.cavity.faults import CLASSES
from lynkeus.simulate.cavity.source import SCHEMA, CavitySource
from lynkeus.sources import InMemory

STREAM_PULSES = 10_000_000  # between the pulse numbers of two streams: none follows on another
TOGETHER = 100  # healthy pulses that share a set point and a beam
BATCH = 500


@dataclass(frozen=True)
class SimulatedPulses:
    """A stream of simulated pulses, made when it is first read and then kept; `seed` also tells when it was.

    meta `sequence`: number of a sequence of faulty pulses, or of healthy pulses of one set point.
    """

    seed: int
    pulses: int
    cavities: int
    fault: str = "all"
    share: float = 0.0
    size: float = 1.0

    @property
    def schema(self) -> Schema:
        """Return the schema: waveforms (6, 182)."""
        return SCHEMA

    @cached_property
    def batch(self) -> Batch:
        """Return all pulses as one batch."""
        source = CavitySource(self.pulses, self.cavities, self.seed, self.fault, self.share, self.size, BATCH)
        batch = concatenate(list(source))
        stretch = np.arange(len(batch)) // TOGETHER
        event = batch.meta["event"]
        meta = dict(batch.meta) | {
            "pid": batch.meta["pid"] + self.seed * STREAM_PULSES,
            "sequence": np.where(event > 0, event + len(batch), stretch),
        }
        return replace(batch, meta=meta)

    def __len__(self) -> int:
        return self.pulses * self.cavities

    def __iter__(self) -> Iterator[Batch]:
        yield from InMemory(self.batch, BATCH)


@dataclass(frozen=True)
class PulseSubset:
    """Some pulses of a stream: every `step`-th healthy one; of the faulty ones `labels` drawn at random (-1: all), none
    of the class `without`, or only those of the class `only`."""

    source: SimulatedPulses
    step: int = 1
    labels: int = -1
    without: str = ""
    only: str = ""
    seed: int = 0

    @property
    def schema(self) -> Schema:
        """Return the schema: waveforms (6, 182)."""
        return SCHEMA

    def __iter__(self) -> Iterator[Batch]:
        yield from InMemory(self.source.batch[self.rows], BATCH)

    @property
    def rows(self) -> Array:
        """Indices of the pulses, in their order."""
        truth = self.source.batch.truth
        assert truth is not None
        healthy = np.flatnonzero(truth == 0)[self.seed % self.step :: self.step]
        faulty = np.flatnonzero((truth != 0) & (truth != (CLASSES.index(self.without) if self.without else -1)))
        if self.only:
            faulty = np.flatnonzero(truth == CLASSES.index(self.only))
        if self.labels >= 0:
            faulty = np.random.default_rng(self.seed).permutation(faulty)[: self.labels]
        return np.sort(np.concatenate([healthy, faulty]))
