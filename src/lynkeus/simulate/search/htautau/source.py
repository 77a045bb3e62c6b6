"""Events with a pair of taus, as a table of the inputs of a search for Higgs bosons: with weights and process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.search.htautau.columns import (
    CHANNELS,
    COLUMNS,
    HADRONIC,
    PROCESSES,
    UNITS,
    YIELDS,
    columns_of,
)
from lynkeus.simulate.search.htautau.events import draw

CHUNK = 5000
LUMINOSITY = 36.0  # 1/fb of the yields
ALL = "all"


@dataclass(frozen=True)
class HiggsToTaus:
    """`n` events of `processes` ("ggh,qqh,ztt": as many of each), in random order, of final state `channel` (em, et,
    mt, tt, or all). `weight` makes them those expected in `luminosity` (1/fb), by yields that are set by hand. Inputs
    are those of a search by a network of several classes; of jets that are not there 0. Truth: the process. Raises
    SettingsError."""

    n: int = 20_000
    seed: int = 1
    channel: str = "tt"
    processes: str = ",".join(PROCESSES)
    luminosity: float = LUMINOSITY

    def __post_init__(self) -> None:
        for name in ("n", "seed"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise SettingsError(f"sim://htautau: {name} must be a whole number, not negative, got {value!r}")
        if self.channel not in (*CHANNELS, ALL):
            raise SettingsError(f"sim://htautau: channel must be {', '.join(CHANNELS)} or {ALL}, got {self.channel!r}")
        wrong = [name for name in self.wanted if name not in PROCESSES]
        if wrong or not self.wanted:
            raise SettingsError(f"sim://htautau: processes are {', '.join(PROCESSES)}, got {self.processes!r}")
        if not self.luminosity > 0:
            raise SettingsError(f"sim://htautau: luminosity must be positive, got {self.luminosity!r}")

    @property
    def wanted(self) -> tuple[str, ...]:
        """Return the processes that were asked for."""
        return tuple(name.strip() for name in str(self.processes).split(",") if name.strip())

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the final states that were asked for."""
        return CHANNELS if self.channel == ALL else (self.channel,)

    @property
    def schema(self) -> Schema:
        """Return the schema: the columns; the classes are the processes."""
        return Schema("table", COLUMNS, UNITS, (len(COLUMNS),), classes=self.wanted, instrument="htautau")

    def __len__(self) -> int:
        return self.n

    def of_length(self, samples: int) -> Self:
        """Return the same simulation with so many events."""
        return replace(self, n=samples)

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng([self.seed, 0])
        kinds = len(self.wanted) * len(self.channels)
        kind = rng.permutation(np.arange(self.n) % kinds)
        made = np.bincount(kind, minlength=kinds)
        weights = np.array([
            YIELDS[channel][PROCESSES.index(process)] * self.luminosity / LUMINOSITY
            for process in self.wanted for channel in self.channels
        ]) / np.maximum(made, 1)  # fmt: skip
        for start in range(0, self.n, CHUNK):
            own = kind[start : start + CHUNK]
            values = np.empty((len(own), len(COLUMNS)))
            for number in np.unique(own):
                process, channel = divmod(int(number), len(self.channels))
                rows, name = np.flatnonzero(own == number), self.channels[channel]
                draws = np.random.default_rng([self.seed, 1 + start, int(number)])
                values[rows] = columns_of(draw(self.wanted[process], name, len(rows), draws), HADRONIC[name])
            truth, place = np.divmod(own, len(self.channels))
            meta = {"process": np.array(self.wanted)[truth], "channel": np.array(self.channels)[place]}
            yield Batch(self.schema, values, truth=truth, weight=weights[own], meta=meta)
