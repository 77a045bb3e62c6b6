"""Events with one lepton of a search for T1tttt: simulation by process with weights, or what stands for data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Self

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.core.progress import report_progress
from lynkeus.simulate.search.one_lepton.chunk import batch_of, raw_events
from lynkeus.simulate.search.one_lepton.columns import PROCESSES, WHO, masses_of, schema
from lynkeus.simulate.search.one_lepton.fast import expected
from lynkeus.simulate.search.one_lepton.settings import Wanted, wanted

CHUNK = 5000
DEFAULT_PROCESSES = "signal,tt1l,tt2l,wjets,qcd"


@dataclass(frozen=True)
class OneLepton:
    """`n` simulated events of `processes` ("tt1l,wjets:2": shares of events), in random order: kind table.

    The signal is of the mass points `points` ("1900_100,1500_1000": gluino and neutralino in GeV); the masses in other
    events are drawn from them. `weight`: events expected in `luminosity` (1/fb); weights one sigma up and down
    (`weight_btag_up`), columns with jets one sigma up and down (`met_jec_up`), and the truth are in meta. `data` 1
    makes what stands for data instead, as many as are expected: weights are 1, the process is hidden (meta
    `truth_process`); `strength` of a signal of the first point. Mis-modelling, of either: `factors` ("wjets:0.72"), and
    `tail` (W+jets times exp(-tail (pt(W) - 200 GeV) / 500)); `jec` scales the energy of jets. `engine` fast, or pythia
    (extra `jets`). Raises SettingsError.
    """

    n: int = 20_000
    seed: int = 1
    processes: str = DEFAULT_PROCESSES
    points: str = ""
    data: int = 0
    strength: float = 0.0
    factors: str = ""
    tail: float = 0.0
    jec: float = 1.0
    luminosity: float = 36.0
    engine: str = "fast"

    def __post_init__(self) -> None:
        for name in ("n", "seed"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise SettingsError(f"{WHO}: {name} must be a whole number, not negative, got {value!r}")
        if self.data not in (0, 1):
            raise SettingsError(f"{WHO}: data must be 0 or 1, got {self.data!r}")
        assert self.wanted

    @cached_property
    def wanted(self) -> Wanted:
        """Return what was asked for, checked."""
        return wanted({one.name: getattr(self, one.name) for one in fields(self)})

    @cached_property
    def schema(self) -> Schema:
        """Return the schema: the columns and the mass point; the classes are the processes."""
        return schema()

    @cached_property
    def yields(self) -> Mapping[tuple[str, str], float]:
        """Return how many events are expected of each process, of the signal of each point, with its factor."""
        asked, found = self.wanted, dict[tuple[str, str], float]()
        for name in asked.processes:
            factor = asked.factors[PROCESSES.index(name)] * asked.luminosity
            for point in asked.points if name == "signal" else ("",):
                strength = asked.strength if name == "signal" and asked.data else 1.0
                found[name, point] = factor * strength * self._expected(name, point)
        return found

    def _expected(self, name: str, point: str) -> float:
        if self.engine == "pythia":
            from lynkeus.simulate.search.one_lepton.pythia.make import expected as by_pythia

            return by_pythia(name, point, self.wanted.scale)
        # In simulation a tail bends the weights, in data it changes how many there are.
        return expected(name, point, self.wanted.scale, self.wanted.tail if self.wanted.data else 0.0)

    @cached_property
    def _labels(self) -> tuple[Array, Array]:
        """Return (n,) the number of the process of each event, and of its mass point."""
        asked, rng = self.wanted, np.random.default_rng([self.seed, 1])
        if asked.data:
            expectation = np.array([sum(self.yields[key] for key in self.yields if key[0] == p) for p in PROCESSES
                                    if p in asked.processes])  # fmt: skip
            names = [PROCESSES.index(p) for p in PROCESSES if p in asked.processes]
            counts = rng.poisson(expectation)
            label = rng.permutation(np.repeat(names, counts))
        else:
            numbers = [PROCESSES.index(name) for name in asked.processes]
            label = np.array(numbers)[rng.choice(len(numbers), self.n, p=np.array(asked.shares))]
        return label, rng.integers(0, len(asked.points), len(label))

    def __len__(self) -> int:
        return len(self._labels[0]) if self.data else self.n

    def of_length(self, samples: int) -> Self:
        """Return the same simulation with so many events; of data there are as many as are expected."""
        return self if self.data else replace(self, n=samples)

    def __iter__(self) -> Iterator[Batch]:
        label, point = self._labels
        chunks = -(-len(label) // CHUNK)
        for number in range(chunks):
            rows = slice(number * CHUNK, (number + 1) * CHUNK)
            yield self._chunk(number, label[rows], point[rows])
            report_progress(f"one_lepton: {number + 1} of {chunks} chunks", (number + 1) / chunks)

    def _chunk(self, number: int, label: Array, point: Array) -> Batch:
        asked = self.wanted
        masses = np.array([masses_of(one) for one in asked.points])[point]
        columns: dict[str, Floats] = {}
        for k, name in enumerate(PROCESSES):
            rows = np.flatnonzero(label == k)
            if not len(rows):
                continue
            # The seed does not know of data or factors: data of a seed are other events by their own stream.
            seed = (self.seed, 2 + int(asked.data), number, k)
            found = raw_events(name, masses[rows], asked, seed)
            for column, values in found.items():
                columns.setdefault(column, np.zeros(len(label)))[rows] = values
        event = self.seed * 10_000_000 + number * CHUNK + np.arange(len(label))
        return batch_of(self.schema, asked, columns, label, masses, self._weight(label, point), event)

    def _weight(self, label: Array, point: Array) -> Floats:
        """Return the weights of simulated events: expected events over those that there are."""
        if self.data:
            return np.ones(len(label))
        every, points = self._labels
        weight = np.zeros(len(label))
        for (name, mass), events in self.yields.items():
            k = PROCESSES.index(name)
            at = self.wanted.points.index(mass) if mass else -1
            count = int(((every == k) & ((points == at) | (at < 0))).sum())
            own = (label == k) & ((point == at) | (at < 0))
            weight[own] = events / max(count, 1)
        return weight
