"""The conditions of a run of a two-phase xenon TPC, how they vary from good run to good run, and faults with truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from lynkeus.core.errors import SettingsError
from lynkeus.simulate.xenon.detector import Detector, detector_of
from lynkeus.simulate.xenon.populations import POPULATIONS, RATES, SOURCES


@dataclass(frozen=True)
class RunConditions:
    """What a run was taken with. `events`: mean number of interactions; `rates`: of each population, relative to it.

    Field and lifetime: nan means the detector's own. `s1_gain`, `s2_gain`: what the photomultipliers (of both arrays,
    of the top one) and the gas give, relative to the usual. Events need more than the thresholds, in raw areas.
    `hot_pmt_phd`: what a flashing tube adds to an S1 on average; `gas_pocket`: share of S2 lost in a part of the plane.
    Raises SettingsError.
    """

    events: float = 1000.0
    source: str = "kr83m"
    detector: str = "LZ_WS2022"
    rates: Mapping[str, float] = field(default_factory=lambda: dict(RATES))
    field_v_cm: float = float("nan")
    lifetime_us: float = float("nan")
    s1_gain: float = 1.0
    s2_gain: float = 1.0
    s1_threshold_phd: float = 3.0
    s2_threshold_phd: float = 300.0
    hot_pmt_phd: float = 0.0
    gas_pocket: float = 0.0

    def __post_init__(self) -> None:
        built = detector_of(self.detector)
        if self.source not in SOURCES:
            raise SettingsError(f"calibration source {self.source!r} is not one of {', '.join(SOURCES)} (or empty)")
        unknown = sorted(set(self.rates) - set(POPULATIONS))
        if unknown:
            raise SettingsError(f"rates: {', '.join(unknown)} not known; populations are {', '.join(POPULATIONS)}")
        for name, usual in (("field_v_cm", built.field_v_cm), ("lifetime_us", built.lifetime_us)):
            if np.isnan(getattr(self, name)):
                object.__setattr__(self, name, usual)
        positive = (self.field_v_cm, self.lifetime_us, self.s1_gain, self.s2_gain)
        if min(positive) <= 0 or self.events < 0 or min(self.rates.values(), default=0.0) < 0:
            raise SettingsError("RunConditions: field, lifetime and gains are positive, events and rates not negative")

    @property
    def built(self) -> Detector:
        """Return the detector of that name."""
        return detector_of(self.detector)

    def expected(self) -> dict[str, float]:
        """Return the mean number of interactions of each population, calibration source included."""
        added = SOURCES[self.source]
        return {name: self.events * (self.rates.get(name, 0.0) + added.get(name, 0.0)) for name in POPULATIONS}


@dataclass(frozen=True)
class Variation:
    """How much good runs differ: relative rms of the gains, of the lifetime, and of the rate of each population."""

    gain: float = 0.002
    lifetime: float = 0.03
    rate: float = 0.03

    def of(self, usual: RunConditions, rng: np.random.Generator) -> RunConditions:
        """Draw the conditions of one good run: gains, lifetime and rates are log-normal about those of an average
        run."""
        gain1, gain2, life = np.exp(rng.standard_normal(3) * (self.gain, self.gain, self.lifetime)).tolist()
        rates = {name: rate * np.exp(self.rate * rng.standard_normal()) for name, rate in usual.rates.items()}
        gains = {"s1_gain": usual.s1_gain * gain1, "s2_gain": usual.s2_gain * gain2}
        return replace(usual, lifetime_us=usual.lifetime_us * life, rates=rates, **gains)


class Truth(NamedTuple):
    """The truth of a run: the planted `fault` of FAULTS ("healthy"), `change` none, shifted, gone or new, of which
    `population` ("all"), in which `variables` (any of them is right), by how much (see FAULTS)."""

    fault: str = "healthy"
    change: str = "none"
    population: str = ""
    variables: tuple[str, ...] = ()
    size: float = 0.0


HEALTHY = Truth()


class XenonFault(NamedTuple):
    """`usual`: size where none is given; `plant`: from conditions and size to conditions."""

    change: str
    population: str
    variables: tuple[str, ...]
    usual: float
    plant: Callable[[RunConditions, float], RunConditions]


S1, S2 = ("s1_phd", "s1c_phd"), ("s2_phd", "s2c_phd")


def _more(name: str) -> Callable[[RunConditions, float], RunConditions]:
    """Return a fault that adds so large a share of the events to a population."""
    return lambda at, size: replace(at, rates={**at.rates, name: at.rates.get(name, 0.0) + size})


def _less(name: str) -> Callable[[RunConditions, float], RunConditions]:
    """Return a fault that takes a share of a population away, its calibration source included."""

    def plant(at: RunConditions, size: float) -> RunConditions:
        added = SOURCES[at.source].get(name, 0.0)
        there = at.rates.get(name, 0.0) + added
        if not there:
            raise SettingsError(f"fault no_{name}: a run with source {at.source!r} has no {name}; nothing can be gone")
        source = "" if added else at.source
        return replace(at, rates={**at.rates, name: (1 - size) * there}, source=source)

    return plant


# Sizes of shifts are relative, of what is new a share of the events, of what is gone the share that is missing.
FAULTS = {
    "s2_shift": XenonFault("shifted", "all", S2, 0.05, lambda at, d: replace(at, s2_gain=at.s2_gain * (1 + d))),
    "s1_shift": XenonFault("shifted", "all", S1, 0.05, lambda at, d: replace(at, s1_gain=at.s1_gain * (1 + d))),
    "lifetime": XenonFault("shifted", "all", S2, 0.4, lambda at, d: replace(at, lifetime_us=at.lifetime_us * (1 - d))),
    "field": XenonFault(
        "shifted", "all", (*S1, *S2, "drift_time_us"), 0.3,
        lambda at, d: replace(at, field_v_cm=at.field_v_cm * (1 - d)),
    ),
    "gas_pocket": XenonFault("shifted", "all", S2, 0.2, lambda at, d: replace(at, gas_pocket=d)),  # share of S2 there
    "hot_pmt": XenonFault("shifted", "all", S1, 10.0, lambda at, d: replace(at, hot_pmt_phd=d)),  # phd
    "threshold": XenonFault(  # by how much both rise, relative: events of the smallest pulses are missing
        "gone", "all", S1 + S2, 4.0,
        lambda at, d: replace(
            at, s1_threshold_phd=at.s1_threshold_phd * (1 + d), s2_threshold_phd=at.s2_threshold_phd * (1 + d)
        ),
    ),
    **{f"new_{name}": XenonFault("new", name, S1 + S2, 0.02, _more(name)) for name in ("nr", "line", "blob")},
    **{f"more_{name}": XenonFault("new", name, S1 + S2, 0.03, _more(name)) for name in ("wall", "accidental")},
    **{f"no_{name}": XenonFault("gone", name, S1 + S2, 1.0, _less(name)) for name in ("kr83m", "xe131m", "alpha")},
}  # fmt: skip


@dataclass(frozen=True)
class NobleFault:
    """A fault of FAULTS and its size (nan: the usual one). Raises SettingsError."""

    kind: str
    size: float = float("nan")

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise SettingsError(f"fault {self.kind!r} is not one of {', '.join(FAULTS)}")
        if np.isnan(self.size):
            object.__setattr__(self, "size", FAULTS[self.kind].usual)

    @property
    def truth(self) -> Truth:
        """Return what a scorer should find in a run with this fault."""
        of = FAULTS[self.kind]
        return Truth(self.kind, of.change, of.population, of.variables, self.size)

    def plant(self, conditions: RunConditions) -> RunConditions:
        """Return the conditions with this fault in them."""
        return FAULTS[self.kind].plant(conditions, self.size)
