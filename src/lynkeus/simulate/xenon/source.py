"""Runs of a two-phase xenon TPC as LZ: events of several populations, varying conditions, and faults with truth.

One file each: quanta (noble_quanta), the detector (noble_detector), NEST in their place (noble_nest), the populations
(noble_populations), conditions and faults (noble_conditions).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.xenon.conditions import FAULTS, HEALTHY, NobleFault, RunConditions, Truth, Variation
from lynkeus.simulate.xenon.detector import Deposits, Engine, PmtSignals, drift_velocity, light_map, surrogate
from lynkeus.simulate.xenon.detector import electroluminescence_map as gas_map
from lynkeus.simulate.xenon.nest import nest
from lynkeus.simulate.xenon.populations import POPULATIONS, draw_deposits, draw_pulses

COLUMNS = ("s1_phd", "s2_phd", "s1c_phd", "s2c_phd", "drift_time_us", "x_mm", "y_mm")
SCHEMA = Schema(
    "cloud", COLUMNS, ("phd", "phd", "phd", "phd", "us", "mm", "mm"), (None, len(COLUMNS)), instrument="noble"
)
ENGINES: dict[str, Engine] = {"surrogate": surrogate, "nest": nest}
START_NS = 1_640_217_600_000_000_000  # 2021-12-23 00:00 UTC
HOUR_NS = 3_600_000_000_000
HOT_PMT_MM = (350.0, 350.0)
HOT_PMT_S2 = 20.0  # an S2 lasts so much longer than an S1, and collects so much more of a flashing tube
POCKET_MM, POCKET_RADIUS_MM = (-250.0, 200.0), 220.0
RESOLUTION_MM = 6.0  # of x and of y, at an S2 of 10,000 phd


@dataclass(frozen=True)
class NobleRun:
    """Events that were seen, in random order: `columns` (n,) each of COLUMNS; `population` (n,): its number in NAMES of
    noble_populations."""

    columns: Mapping[str, Floats]
    population: Array
    conditions: RunConditions
    truth: Truth = HEALTHY

    def __len__(self) -> int:
        return len(self.population)

    def values(self) -> Floats:
        """Return the events as one array (n, column)."""
        return np.stack([self.columns[name] for name in COLUMNS], axis=1)


def simulate_run(
    conditions: RunConditions,
    rng: np.random.Generator,
    faults: Sequence[NobleFault] = (),
    engine: Engine = surrogate,
    variation: Variation | None = None,
) -> NobleRun:
    """Simulate one run: numbers of events are Poisson; `variation`: how it differs from the conditions (None: not at
    all).

    With several faults the truth is the first one's.
    """
    at = variation.of(conditions, rng) if variation else conditions
    for fault in faults:
        at = fault.plant(at)
    parts, numbers = [], []
    for number, (name, expected) in enumerate(at.expected().items()):
        columns = _observe(name, int(rng.poisson(expected)), at, engine, rng)
        parts.append(columns)
        numbers.append(np.full(len(columns), number, dtype=np.int64))
    values, population = np.concatenate(parts), np.concatenate(numbers)
    order = rng.permutation(len(values))
    by_name = dict(zip(COLUMNS, values[order].T, strict=True))
    return NobleRun(by_name, population[order], at, faults[0].truth if faults else HEALTHY)


def _observe(name: str, n: int, at: RunConditions, engine: Engine, rng: np.random.Generator) -> Floats:
    """Return the events that are seen (seen, column) of n interactions of a population."""
    population, built = POPULATIONS[name], at.built
    if population.pulses:
        deposits, s1, s2 = draw_pulses(population, n, rng)
        light, gas = light_map(deposits.depth_mm, _radius(deposits)), gas_map(_radius(deposits))
        loss = np.exp(-deposits.depth_mm / drift_velocity(at.field_v_cm) / built.lifetime_us)
        ideal = PmtSignals(s1 * light, s2 * gas * loss, s1, s2)
    else:
        deposits = draw_deposits(population, n, rng)
        ideal = engine(deposits, built, at.field_v_cm, at.lifetime_us, rng)
    return _read_out(ideal, deposits, at, rng)


def _read_out(ideal: PmtSignals, deposits: Deposits, at: RunConditions, rng: np.random.Generator) -> Floats:
    """Return the events that are seen (seen, column), after gains, a flashing tube, a gas pocket, thresholds and the
    resolution of the position."""
    correction1, correction2 = (ideal[k + 2] / np.maximum(ideal[k], 1e-9) for k in (0, 1))
    hot = rng.exponential(at.hot_pmt_phd, len(deposits)) if at.hot_pmt_phd > 0 else np.zeros(len(deposits))
    inside = np.hypot(deposits.x_mm - POCKET_MM[0], deposits.y_mm - POCKET_MM[1]) < POCKET_RADIUS_MM
    s1 = at.s1_gain * ideal.s1_phd + hot
    s2 = at.s2_gain * ideal.s2_phd * (1 - at.gas_pocket * inside) + HOT_PMT_S2 * hot
    pull = HOT_PMT_S2 * hot / np.maximum(s2, 1.0)
    blur = RESOLUTION_MM * np.sqrt(1e4 / np.maximum(s2, 1.0)) * rng.standard_normal((2, len(deposits)))
    x, y = (
        true + pull * (tube - true) + shake
        for true, tube, shake in zip((deposits.x_mm, deposits.y_mm), HOT_PMT_MM, blur, strict=True)
    )
    drift_us = deposits.depth_mm / drift_velocity(at.field_v_cm)
    seen = (s1 > at.s1_threshold_phd) & (s2 > at.s2_threshold_phd) & (ideal.s1_phd > 0) & (ideal.s2_phd > 0)
    return np.stack([s1, s2, s1 * correction1, s2 * correction2, drift_us, x, y], axis=1)[seen]


def _radius(deposits: Deposits) -> Floats:
    return np.hypot(deposits.x_mm, deposits.y_mm)


@dataclass(frozen=True)
class Noble:
    """A stream of runs, one an hour, a batch each: kind cloud, one sample per run.

    `events`: mean number of a run; `fault`: healthy, one of FAULTS, or all in turn; `size` of it (nan: the usual one);
    `source` kr83m, ambe or "" (calibration source in or out); `detector` LZ_WS2022 or LZ_WS2024; `engine` surrogate or
    nest; `variation` scales how good runs differ. Run k of a seed is the same however many there are. Truth: 0 or 1 +
    the fault's place in FAULTS; meta: run, events, fault, change, population_changed, variables, size, and
    `population` (1, n) of each event, its number in noble_populations.NAMES. Raises SettingsError.
    """

    runs: int = 20
    events: float = 1000.0
    seed: int = 1
    fault: str = "healthy"
    size: float = float("nan")
    source: str = "kr83m"
    detector: str = "LZ_WS2022"
    engine: str = "surrogate"
    variation: float = 1.0
    schema: ClassVar[Schema] = SCHEMA

    def __post_init__(self) -> None:
        for name in ("runs", "seed"):
            number = getattr(self, name)
            if not isinstance(number, int) or number < 0:
                raise SettingsError(f"sim://noble: {name} must be a whole number, not negative, got {number!r}")
        for name in ("events", "size", "variation"):
            if not isinstance(getattr(self, name), int | float):
                raise SettingsError(f"sim://noble: {name} must be a number, got {getattr(self, name)!r}")
        if self.engine not in ENGINES:
            raise SettingsError(f"sim://noble: engine {self.engine!r} is not one of {', '.join(ENGINES)}")
        for fault in self.faults:
            fault.plant(self.conditions)  # raises what is wrong with it before the first run

    @cached_property
    def conditions(self) -> RunConditions:
        """Return the conditions of an average run without a fault."""
        return RunConditions(float(self.events), self.source, self.detector)

    @cached_property
    def faults(self) -> tuple[NobleFault, ...]:
        """Return the faults that runs have in turn; none where all are healthy."""
        kinds = {"healthy": (), "all": tuple(FAULTS)}.get(self.fault, (self.fault,))
        return tuple(NobleFault(kind, float(self.size)) for kind in kinds)

    def __len__(self) -> int:
        return self.runs

    def of_length(self, samples: int) -> Self:
        """Return the same simulation with so many runs."""
        return replace(self, runs=samples)

    def run(self, number: int) -> NobleRun:
        """Simulate the run of that number, from 0."""
        rng = np.random.default_rng([self.seed, number])
        faults = self.faults[number % len(self.faults) :][:1] if self.faults else ()
        differ = Variation(*(self.variation * usual for usual in astuple(Variation())))
        return simulate_run(self.conditions, rng, faults, ENGINES[self.engine], differ)

    def __iter__(self) -> Iterator[Batch]:
        for number in range(self.runs):
            yield as_batch(self.run(number), f"run{number:05d}", START_NS + number * HOUR_NS)


def as_batch(run: NobleRun, name: str, time_ns: int = START_NS) -> Batch:
    """Return a run as a batch of one sample, with its truth in the meta."""
    truth = run.truth
    number = 1 + list(FAULTS).index(truth.fault) if truth.fault in FAULTS else 0
    meta: dict[str, Any] = {
        "run": name, "events": float(len(run)), "fault": truth.fault, "change": truth.change,
        "population_changed": truth.population, "variables": " ".join(truth.variables), "size": truth.size,
    }  # fmt: skip
    columns = {key: np.array([value]) for key, value in meta.items()} | {"population": run.population[None]}
    mask = np.ones((1, len(run)), bool)
    return Batch(SCHEMA, run.values()[None], np.array([time_ns]), mask, np.array([number]), meta=columns)
