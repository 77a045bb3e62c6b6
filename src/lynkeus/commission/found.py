"""What a commissioning found: turn-on points, false alarms on good data, and what it was found with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lynkeus.commission.settings import PER_HOUR, Budget, CommissionSettings
from lynkeus.commission.turn_on import TurnOn
from lynkeus.core import Alarm
from lynkeus.core.calibration import NS_PER_HOUR
from lynkeus.core.incident import incidents
from lynkeus.metrics.rates import false_alarms_per_hour, wilson_interval


@dataclass(frozen=True)
class FalseAlarms:
    """What one output of one scorer did on good data: `count` alarms in `exposure` hours, or of so many samples, by the
    `unit` of the budget.

    The `alarms` may be real events: look at them; `left_out` counts the faults that were not used because they
    coincide with one. `extrapolated`: the `reference`, in hours or samples, is too small to have seen anything as rare
    as the budget. `of`: which good data; `seen`: samples that the model learned from; `unjudged`: those that could not
    be scored; `ms` of processor time a sample (NaN: not measured); `quiet_s`: seconds until it is quiet again after all
    channels moved and stayed, median (NaN: not asked).
    """

    scorer: str
    output: str
    count: int
    exposure: float
    unit: str
    reference: float
    extrapolated: bool
    alarms: tuple[Alarm, ...] = ()
    left_out: int = 0
    of: str = "as they are"
    seen: int = 0
    unjudged: int = 0
    ms: float = float("nan")
    quiet_s: float = float("nan")

    @property
    def says(self) -> str:
        """Return in words how much good data alarm, as a share or a rate with its interval."""
        rate, low, high = self.rate
        numbers = [f"{value:.3g}" if self.unit == PER_HOUR else f"{100 * value:.3g} %" for value in (rate, low, high)]
        what = "alarms per hour on" if self.unit == PER_HOUR else "alarms on"
        return f"{self.scorer} {self.output}: {numbers[0]} ({numbers[1]} to {numbers[2]}) {what} good data"

    @property
    def incidents(self) -> int:
        """Alarms that are one problem, counted once: see `core.incident`."""
        return len(incidents(self.alarms))

    @property
    def in_alarm(self) -> float:
        """The share of the time in alarm; NaN where the data have no times."""
        if self.unit != PER_HOUR or not self.exposure:
            return float("nan")
        return sum((one.end_ns or one.peak_ns) - one.start_ns for one in self.alarms) / NS_PER_HOUR / self.exposure

    @property
    def rate(self) -> tuple[float, float, float]:
        """Alarms per hour, low, high (90 %, Poisson), or the share of the samples with its interval (Wilson)."""
        if self.unit == PER_HOUR:
            return false_alarms_per_hour(self.count, self.exposure)
        number = round(self.exposure)
        return (self.count / max(number, 1), *wilson_interval(self.count, number))


@dataclass(frozen=True)
class Commissioning:
    """Turn-on `rows`, `false_alarms` of each scorer and output, and what they were found with: the `budget`, `lineages`
    by scorer (the commissioned one first), the `files` and `samples` of the data, from `start_ns` to `end_ns` (0: no
    times).

    `kinds`: of each fault, what it does in words; `says`: how the faults came into the data, in a sentence; `notes`:
    what helps to read the sizes; `messages`: what was left out.
    """

    rows: tuple[TurnOn, ...]
    false_alarms: tuple[FalseAlarms, ...]
    settings: CommissionSettings
    budget: Budget
    lineages: Mapping[str, Mapping[str, Any]]
    files: tuple[str, ...]
    samples: int
    kinds: Mapping[str, str]
    says: str
    start_ns: int = 0
    end_ns: int = 0
    planted: bool = True
    notes: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[str, ...] = ()

    @property
    def too_many(self) -> tuple[FalseAlarms, ...]:
        """Return what alarms on good data beyond the budget, chance aside: what it finds says little."""
        return tuple(counted for counted in self.false_alarms if counted.rate[1] > self.budget.value)

    @property
    def learned_from(self) -> tuple[str, ...]:
        """Return a line for each scorer that learned from these data: it knows them too well for a proof."""
        seen = {counted.scorer: counted.seen for counted in self.false_alarms if counted.seen}
        return tuple(
            f"{scorer} learned from {number} of these samples: alarms on them are too few, and planted faults are "
            "measured against what it remembers of the very same sample; give good data that it has not seen"
            for scorer, number in seen.items()
        )
