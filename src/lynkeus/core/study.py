"""Study: one question to data, with everything that is needed to ask it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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

    `reference` is what the false-alarm rate is counted on (None: the training data, minus its own incidents).
    `scorers` are names on the command line with their options; `budget_per_hour` is the alarm budget.
    """

    name: str
    question: str
    train: Source
    test: Source
    scorers: Mapping[str, Mapping[str, Any]]
    reference: Source | None = None
    budget_per_hour: float = 1.0
    checks: tuple[Check, ...] = ()
    data: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    extra: Callable[..., None] | None = None

    def __post_init__(self) -> None:
        if not self.scorers:
            raise SettingsError(f"the study {self.name!r} names no scorer")
        if not self.budget_per_hour > 0:
            raise SettingsError(f"the study {self.name!r} needs a positive alarm budget")
