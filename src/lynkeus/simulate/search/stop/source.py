"""Events of a toy search for stops: a table of their quantities, with weights and the process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.search.stop.events import CLASSES, COLUMNS, UNITS, draw_events

CHUNK = 20_000
SCHEMA = Schema("table", COLUMNS, UNITS, (len(COLUMNS),), classes=CLASSES, instrument="stop")
SIGNAL_PB, BACKGROUND_PB = (
    17.6 * 0.059 / 1000,
    844_000 * 8.2e-4 / 1000,
)  # times the share that is selected, arXiv:1806.00322


@dataclass(frozen=True)
class StopSearch:
    """`n` events, half of them stops, in random order; `weight` makes them those expected in `luminosity` (1/fb), 31.2
    stops and 20,760 top pairs in 30/fb. Truth: 1 of a stop. Raises SettingsError."""

    n: int = 20_000
    seed: int = 1
    luminosity: float = 30.0
    schema: Schema = SCHEMA

    def __post_init__(self) -> None:
        for name in ("n", "seed"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise SettingsError(f"sim://stop: {name} must be a whole number, not negative, got {value!r}")
        if not self.luminosity > 0:
            raise SettingsError(f"sim://stop: luminosity must be positive, got {self.luminosity!r}")

    def __len__(self) -> int:
        return self.n

    def of_length(self, samples: int) -> Self:
        """Return the same simulation with so many events."""
        return replace(self, n=samples)

    def __iter__(self) -> Iterator[Batch]:
        truth = np.random.default_rng([self.seed, 0]).permutation(np.arange(self.n) % 2)
        stops = max(1, int(truth.sum()))
        expected = 1000.0 * self.luminosity * np.array([BACKGROUND_PB / max(1, self.n - stops), SIGNAL_PB / stops])
        for start in range(0, self.n, CHUNK):
            own = truth[start : start + CHUNK]
            values = draw_events(own, np.random.default_rng([self.seed, 1 + start]))
            yield Batch(self.schema, values, truth=own, weight=expected[own], meta={"process": np.array(CLASSES)[own]})
