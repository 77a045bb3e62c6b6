"""Planting: which faults go where in which pass over the data, so that many kinds and sizes share one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from lynkeus.commission.jitter import Jitter
from lynkeus.core import SettingsError, SourceError
from lynkeus.transforms.faults import FAULTS, Fault, plan_faults

# In jitters of the channel (gain: share of the deviation); a kind without a size has the single entry 1.
FAULT_SIZES: Mapping[str, tuple[float, ...]] = {
    "noisy": (0.5, 1.0, 2.0, 3.0, 5.0),
    "offset": (0.5, 1.0, 2.0, 3.0, 5.0),
    "drift": (1.0, 2.0, 5.0),
    "gain": (0.5, 1.0, 2.0),
    "stuck": (1.0,),
    "swapped": (1.0,),
    "dropout": (1.0,),
    "kick": (1.0, 2.0, 5.0, 10.0, 20.0),
    "step": (1.0, 2.0, 5.0, 10.0, 20.0),
    "flip": (1.0,),
    "frozen": (1.0,),
}
WITHOUT_SIZE = ("stuck", "swapped", "dropout", "flip", "frozen")
QUICK = 15


@dataclass(frozen=True)
class CommissionSettings:
    """What to plant: `faults` kind -> sizes, each `per_case` times; one fault of `length` rows in every `every` rows.

    `budget_per_hour`: false alarms an hour that are accepted; efficiencies are counted at the threshold it sets.
    """

    budget_per_hour: float = 1.0
    faults: Mapping[str, Sequence[float]] = field(default_factory=lambda: dict(FAULT_SIZES))
    length: int = 60
    every: int = 600
    per_case: int = 60
    seed: int = 0

    def __post_init__(self) -> None:
        for kind, sizes in self.faults.items():
            if kind not in FAULTS:
                raise SettingsError(f"no fault called {kind!r}; there are: {', '.join(FAULTS)}")
            if not sizes or not np.isfinite(sizes).all():
                raise SettingsError(f"{kind}: give at least one size, all of them finite, got {tuple(sizes)}")
        if not self.faults or self.per_case < 1:
            raise SettingsError("commissioning needs at least one kind of fault, planted at least once")
        if not self.budget_per_hour > 0:
            raise SettingsError(f"the alarm budget must be positive, got {self.budget_per_hour!r} per hour")
        if not 1 <= self.length <= self.every:
            raise SettingsError(f"a fault of {self.length} rows does not fit into every {self.every} rows")

    @classmethod
    def quick(cls) -> Self:
        """Few faults of each kind and size: wide intervals, for a demonstration."""
        return cls(per_case=QUICK)

    def at(self, budget_per_hour: float) -> Self:
        """The same faults at another budget."""
        return replace(self, budget_per_hour=budget_per_hour)

    @property
    def cases(self) -> tuple[tuple[str, float], ...]:
        """Every (kind, size)."""
        return tuple((kind, float(size)) for kind, sizes in self.faults.items() for size in sizes)


def plan_passes(settings: CommissionSettings, known: Jitter, channels: Sequence[int]) -> list[tuple[Fault, ...]]:
    """The faults of each pass in time order: one in each stretch of rows, all cases mixed, equally often in total.

    Long data need few passes and are planted thinly; short data are passed often. Raises SourceError where the data
    hold no stretch.
    """
    slots, cases = known.rows // settings.every, settings.cases
    if not slots:
        raise SourceError(
            f"{known.rows} rows are fewer than the {settings.every} rows of which each carries a fault: give more data"
        )
    wanted = settings.per_case * len(cases)
    passes = -(-wanted // slots)
    used = -(-wanted // passes)
    rng = np.random.default_rng(settings.seed)
    rounds = [rng.permutation(len(cases)) for _ in range(-(-passes * used // len(cases)))]
    order = np.concatenate(rounds)[:wanted].tolist()
    every = known.rows // used
    planned = []
    for number in range(passes):
        chosen = [cases[index] for index in order[number * used : (number + 1) * used]]
        faults = [_plan(case, slot, every, settings.length, channels, rng) for slot, case in enumerate(chosen)]
        planned.append(tuple(_with_pattern(fault, known, rng) for fault in faults))
    return [faults for faults in planned if faults]


def _plan(
    case: tuple[str, float], slot: int, every: int, length: int, channels: Sequence[int], rng: np.random.Generator
) -> Fault:
    kind, size = case
    (fault,) = plan_faults(kind, size, every, length, every, channels, int(rng.integers(2**32)))
    return replace(fault, start=fault.start + slot * every)


def _with_pattern(fault: Fault, known: Jitter, rng: np.random.Generator) -> Fault:
    """A kick follows one of the strongest directions of the data, a step any mixture of them."""
    if fault.kind == "kick":
        return replace(fault, pattern=tuple(known.directions[rng.integers(len(known.directions))].tolist()))
    if fault.kind == "step":
        return replace(fault, pattern=tuple(known.mixture(rng).tolist()))
    return fault
