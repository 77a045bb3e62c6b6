"""Study: one question to data, with everything that is needed to ask it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lynkeus.core.errors import SettingsError
from lynkeus.core.protocols import Source


@dataclass(frozen=True)
class Check:
    """One number that a run must reach: `metric` is a key of the run's metrics, `at_least` or `at_most` its bound."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: float) -> bool:
        """Whether the value is within the bounds; NaN never is."""
        low = self.at_least is None or value >= self.at_least
        high = self.at_most is None or value <= self.at_most
        return bool(value == value and low and high)


@dataclass(frozen=True)
class Study:
    """`name, question, train, reference, test (Sources), scorers, budget, checks`.

    `scorers`: names as on the command line with their options; the first is the one that is recommended and checked.
    `reference`: what false alarms are calibrated on (None: the training data, without its own incidents). `window`:
    rows per sample (0: single rows). `faults`: what is planted into `test`, kind -> sizes, each `per_case` times.
    `data` says in words what the sources are.
    """

    name: str
    question: str
    train: Source
    test: Source
    scorers: Mapping[str, Mapping[str, Any]]
    faults: Mapping[str, Sequence[float]]
    reference: Source | None = None
    window: int = 0
    budget_per_hour: float = 1.0
    per_case: int = 60
    checks: tuple[Check, ...] = ()
    data: str = ""

    def __post_init__(self) -> None:
        if not self.scorers:
            raise SettingsError(f"the study {self.name!r} names no scorer")
        if not self.budget_per_hour > 0:
            raise SettingsError(f"the study {self.name!r} needs a positive alarm budget")
