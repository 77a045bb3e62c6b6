"""The runs of the study: what is learned from, what is judged, and what is true of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

from lynkeus.commission.plant.good_events import RunTruth
from lynkeus.core import Array, Batch, Schema
from lynkeus.core.finding import Region
from lynkeus.simulate.xenon.conditions import FAULTS
from lynkeus.simulate.xenon.populations import NAMES
from lynkeus.simulate.xenon.source import COLUMNS, Noble, NobleRun
from lynkeus.sources.runs.folder import RunFile

GOOD = "healthy"
SIZES: dict[str, tuple[float, ...]] = {
    "s2_shift": (0.01, 0.02, 0.05), "s1_shift": (0.01, 0.02, 0.05), "lifetime": (0.1, 0.2, 0.4),
    "field": (0.1, 0.2, 0.3), "gas_pocket": (0.1, 0.2, 0.4), "hot_pmt": (3.0, 6.0, 12.0), "threshold": (1.0, 2.0, 4.0),
    "new_nr": (0.01, 0.02, 0.05), "new_line": (0.005, 0.01, 0.02), "new_blob": (0.005, 0.01, 0.02),
    "more_wall": (0.02, 0.05, 0.1), "more_accidental": (0.02, 0.05, 0.1),
    "no_kr83m": (0.3, 0.6, 1.0), "no_xe131m": (0.3, 0.6, 1.0), "no_alpha": (0.3, 0.6, 1.0),
}  # fmt: skip
EVENTS = (200, 1000, 5000)
LARGE = 20_000  # events of the run in which a population is looked up
GOOD_POPULATIONS = ("beta", "kr83m", "xe131m", "alpha", "wall", "accidental")
NEW_POPULATIONS = ("nr", "line", "blob")


class RunRequest(NamedTuple):
    """So many runs of so many events with a fault of a size."""

    fault: str
    size: float
    events: int
    runs: int = 1


class SimulatedRun(NamedTuple):
    """A simulated run, and the conditions that it was made with."""

    name: str
    run: NobleRun
    wanted: RunRequest

    @property
    def file(self) -> RunFile:
        """Return the run as if it were in a file of its own."""
        return RunFile(self.name, lambda: iter([dict(self.run.columns)]))


@dataclass(frozen=True)
class SimulatedRuns:
    """Runs of the simulator by an `engine`; no run of one `seed` is one of another."""

    engine: str
    seed: int

    def make(self, wanted: Sequence[RunRequest]) -> Made:
        """All that are wanted, when they are."""
        return Made(self, tuple(wanted))

    def all_of(self, wanted: Sequence[RunRequest]) -> Iterator[SimulatedRun]:
        """Simulate the runs one after the other."""
        for number, one in enumerate(wanted):
            yield from self._of(number, one)

    def _of(self, number: int, one: RunRequest) -> Iterator[SimulatedRun]:
        seed = 1000 * self.seed + number
        source = Noble(one.runs, float(one.events), seed, one.fault, one.size, engine=self.engine)
        for k in range(one.runs):
            yield SimulatedRun(f"{one.fault} {one.size:g} {one.events} {k}", source.run(k), one)


@dataclass(frozen=True)
class Made:
    """Simulated runs, made when they are first looked at."""

    by: SimulatedRuns
    wanted: tuple[RunRequest, ...]

    def __len__(self) -> int:
        return sum(one.runs for one in self.wanted)

    def __iter__(self) -> Iterator[SimulatedRun]:
        return iter(self._made)

    @cached_property
    def _made(self) -> list[SimulatedRun]:
        return list(self.by.all_of(self.wanted))


@dataclass(frozen=True)
class Truths:
    """What is true of a run with a fault, and where: as long runs of the same `engine` show."""

    engine: str

    @cached_property
    def good(self) -> NobleRun:
        """Return a long good run."""
        return Noble(1, LARGE, 7, engine=self.engine).run(0)

    @cached_property
    def regions(self) -> dict[str, Region]:
        """Return where 95 % of the events of each population are, in light and charge."""
        found = {name: _region(self.good, self.good.population == NAMES.index(name)) for name in GOOD_POPULATIONS}
        for name in NEW_POPULATIONS:
            run = Noble(1, LARGE, 7, f"new_{name}", 0.2, engine=self.engine).run(0)
            found[name] = _region(run, run.population == NAMES.index(name))
        return found

    def of(self, made: SimulatedRun) -> RunTruth:
        """Return the truth of one run."""
        truth = made.run.truth
        region: Region = {} if truth.change in ("none", "shifted") else self.regions.get(truth.population, {})
        if truth.fault == "threshold":
            usual, columns = made.run.conditions, self.good.columns  # these have risen already
            below = (columns["s1_phd"] < usual.s1_threshold_phd) | (columns["s2_phd"] < usual.s2_threshold_phd)
            region = _region(self.good, below)
        return RunTruth(truth.change, truth.variables, region)


def _region(run: NobleRun, own: Array) -> Region:
    areas = COLUMNS[:4]
    ends = {area: np.quantile(run.columns[area][own], [0.025, 0.975]).tolist() for area in areas}
    return {area: (low, high) for area, (low, high) in ends.items()}


def engine_of(smoke: bool) -> str:
    """NEST where it is installed, but for a quick look."""
    return "nest" if not smoke and find_spec("nestpy") else "surrogate"


def every_fault(events: Sequence[int], runs: int = 1) -> list[RunRequest]:
    """Every kind at all its sizes and numbers of events."""
    return [RunRequest(kind, size, number, runs) for number in events for kind in FAULTS for size in SIZES[kind]]


class Padded:
    """A Source of runs for `run_comparison`, one batch, padded to the longest; `classes`: the truth of what was wanted,
    0 for all other runs."""

    schema = Schema("cloud", COLUMNS, shape=(None, len(COLUMNS)))

    def __init__(self, made: Made, classes: Mapping[RunRequest, int]) -> None:
        self.made, self.classes = made, classes

    def __iter__(self) -> Iterator[Batch]:
        lengths = np.array([len(one.run) for one in self.made])
        values = np.full((len(lengths), lengths.max(), len(COLUMNS)), np.nan)
        for row, one in zip(values, self.made, strict=True):
            row[: len(one.run)] = one.run.values()
        truth = np.array([self.classes.get(one.wanted._replace(runs=1), 0) for one in self.made])
        meta = {"run": np.array([one.name for one in self.made]), "events": lengths.astype(float)}
        yield Batch(self.schema, values, mask=np.arange(lengths.max()) < lengths[:, None], truth=truth, meta=meta)
