"""Pulses of a two-phase xenon TPC of the classes S1, S2, SPE, MPE, SE and other: quantities or waveforms, with truth.

They are taken under the same conditions, with the same faults, as the events of simulate/xenon/source.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.pulses import light
from lynkeus.simulate.pulses.light import SAMPLES, STEP_NS, draw_waveforms
from lynkeus.simulate.xenon.conditions import NobleFault, RunConditions, Variation
from lynkeus.transforms.pulse_quantities import QUANTITIES, measure_pulses

CLASSES = ("other", "S1", "S2", "SPE", "MPE", "SE")  # truth is the place in this list
MAKERS: dict[str, light.Maker] = {
    "other": light.anything_else, "S1": light.s1, "S2": light.s2,
    "SPE": light.single_photon, "MPE": light.photons_by_chance, "SE": light.single_electron,
}  # fmt: skip
MIX = {"other": 0.07, "S1": 0.13, "S2": 0.13, "SPE": 0.35, "MPE": 0.12, "SE": 0.20}
MULTIPLE = 0.3  # share of the S1 and S2 that are of events with several scatters
THRESHOLD_PHD = 0.06  # a sample, ten times the noise
HOT_PHD = 10.0  # of a flashing tube: with so many the number of single photons doubles
COLUMNS = (*QUANTITIES, "top_bottom_asymmetry", "tubes")
UNITS = ("phd", "phd/ns", "ns", "ns", "ns", "ns", "phd/ns", "", "")
SCHEMAS = {
    "table": Schema("table", COLUMNS, UNITS, (len(COLUMNS),), instrument="noble"),
    "waveform": Schema("waveform", ("sum",), ("phd",), (1, SAMPLES), 1e9 / STEP_NS, instrument="noble"),
    "cloud": Schema("cloud", COLUMNS, UNITS, (None, len(COLUMNS)), instrument="noble"),
}


class SensorPulses(NamedTuple):
    """n pulses: `quantities` (n, COLUMNS), `waveforms` (n, SAMPLES) in phd a sample, `truth` (n,) number of the class,
    and `group` (n,): the class, of S1 and S2 with [SS] or [MS] for single or multiple scatters."""

    quantities: Floats
    waveforms: Floats
    truth: Array
    group: Array


def draw_pulses(
    n: int, rng: np.random.Generator, conditions: RunConditions | None = None, mix: Mapping[str, float] | None = None
) -> SensorPulses:
    """n pulses in random order; `mix`: share of each class."""
    at, shares = conditions or RunConditions(), np.array([(mix or MIX).get(name, 0.0) for name in CLASSES])
    shares[CLASSES.index("SPE")] *= 1 + at.hot_pmt_phd / HOT_PHD
    truth = np.sort(rng.choice(len(CLASSES), n, p=shares / shares.sum()))
    multiple = rng.random(n) < MULTIPLE
    parts = []
    for number, name in enumerate(CLASSES):
        of_class = multiple[truth == number]
        parts.append(draw_waveforms(MAKERS[name](len(of_class), of_class, at, rng), rng))
    waves, asymmetry, tubes = map(np.concatenate, zip(*parts, strict=True))
    quantities = np.column_stack([measure_pulses(waves, STEP_NS, THRESHOLD_PHD), asymmetry, tubes])
    group = np.array(CLASSES)[truth].astype("<U8")
    scatters = np.isin(group, ("S1", "S2"))
    group[scatters] = np.char.add(group[scatters], np.where(multiple[scatters], " [MS]", " [SS]"))
    order = rng.permutation(n)
    return SensorPulses(quantities[order], waves[order], truth[order], group[order])


class PulseRuns:
    """A stream of runs of `pulses` each, a batch each: kind table or waveform (one sample a pulse, truth: its class),
    or cloud (one sample a run, with meta `group`, truth as in simulate.noble). `fault` and `size`: see NobleFault;
    meta `run` names the run. Raises SettingsError."""

    def __init__(
        self,
        kind: str = "table",
        runs: int = 5,
        pulses: int = 2000,
        seed: int = 1,
        fault: str = "healthy",
        size: float = float("nan"),
    ) -> None:
        if kind not in SCHEMAS:
            raise SettingsError(f"sim://pulses: kind {kind!r} is not one of {', '.join(SCHEMAS)}")
        for name, number in (("runs", runs), ("pulses", pulses), ("seed", seed)):
            if not isinstance(number, int) or number < 0:
                raise SettingsError(f"sim://pulses: {name} must be a whole number, not negative, got {number!r}")
        self.kind, self.runs, self.pulses, self.seed, self.schema = kind, runs, pulses, seed, SCHEMAS[kind]
        self.fault = None if fault == "healthy" else NobleFault(fault, float(size))

    def __len__(self) -> int:
        return self.runs if self.kind == "cloud" else self.runs * self.pulses

    def of_length(self, samples: int) -> Self:
        """Return the same simulation with at least so many samples, in whole runs."""
        runs = samples if self.kind == "cloud" else -(-samples // max(1, self.pulses))
        fault, size = ("healthy", float("nan")) if self.fault is None else (self.fault.kind, self.fault.size)
        return type(self)(self.kind, runs, self.pulses, self.seed, fault, size)

    def __iter__(self) -> Iterator[Batch]:
        for number in range(self.runs):
            rng = np.random.default_rng([self.seed, number])
            at = Variation().of(RunConditions(), rng)
            pulses = draw_pulses(self.pulses, rng, self.fault.plant(at) if self.fault else at)
            yield self._batch(pulses, f"run{number:05d}")

    def _batch(self, pulses: SensorPulses, run: str) -> Batch:
        if self.kind == "cloud":
            mask = np.ones((1, self.pulses), bool)
            meta = {"run": np.array([run]), "events": np.array([float(self.pulses)]), "group": pulses.group[None]}
            return Batch(
                self.schema, pulses.quantities[None], mask=mask, truth=np.array([int(bool(self.fault))]), meta=meta
            )
        values = pulses.quantities if self.kind == "table" else pulses.waveforms[:, None].astype(np.float32)
        meta = {"run": np.full(self.pulses, run), "group": pulses.group}
        return Batch(self.schema, values, truth=pulses.truth, meta=meta)
