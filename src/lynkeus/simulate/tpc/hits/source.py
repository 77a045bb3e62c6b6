"""Hits of a time projection chamber: clusters of events with tracks and noise, with truth and a tracker's labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.tpc.hits.clusters import PATCH
from lynkeus.simulate.tpc.hits.event import KINDS, Conditions, Event, make_event
from lynkeus.simulate.tpc.hits.noise import NoiseRates, hot_pads
from lynkeus.simulate.tpc.hits.volume import Volume

SCALARS = ("row", "pad", "time", "charge", "height", "pad_width", "time_width", "cells")
UNITS = ("1", "pads", "bins", "counts", "counts", "pads", "bins", "1")
NAMES = (*SCALARS, *(f"adc[{pad},{time}]" for pad in range(PATCH[0]) for time in range(PATCH[1])))


@dataclass(frozen=True)
class TpcHits:
    """About `n` hits, whole events until there are as many, or exactly `events` events, of `tracks` tracks on average.

    `noise`: how much there is of hot pads, bursts, sparks and delta electrons (1: as usual), `electronic`: noise of a
    cell in ADC counts; `field`: in T; `rows`, `pads`, `times`: of the volume; `flips`: share of the labels of the
    tracker that are turned over besides its own mistakes; `detector`: number of the chamber, by which pads differ;
    `seed` of the events. In meta: `event`, `on_track` (1: the tracker has put the hit on a track), `found_track`,
    `true_track` (-1: none), `kind` in words; truth: 0 of a track, 1 anything else. Raises SettingsError for values out
    of range.
    """

    n: int = 20_000
    events: int = 0
    tracks: float = 22.0
    noise: float = 1.0
    electronic: float = 1.2
    field: float = 1.2
    rows: int = 48
    pads: int = 128
    times: int = 200
    flips: float = 0.0
    detector: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n", "events", "detector", "seed"):
            least = 1 if name == "n" else 0
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise SettingsError(f"{name} must be a whole number from {least} on, got {value!r}")
        for own in fields(self):
            if not isinstance(getattr(self, own.name), int | float):
                raise SettingsError(f"{own.name} must be a number, got {getattr(self, own.name)!r}")
        if not 0 <= self.tracks <= 500:
            raise SettingsError(f"tracks must lie from 0 to 500, got {self.tracks!r}")
        if not 0 <= self.flips < 0.5:
            raise SettingsError(f"flips must lie from 0 to 0.5, got {self.flips!r}")
        self.conditions()

    @property
    def schema(self) -> Schema:
        """Return hits: columns of numbers, the ADC counts of the cells around each among them."""
        units = (*UNITS, *["counts"] * (len(NAMES) - len(UNITS)))
        return Schema("hit", NAMES, units, (len(NAMES),), instrument="tpc")

    def of_length(self, samples: int) -> TpcHits:
        """Return a source of at least so many hits."""
        return replace(self, n=samples, events=0)

    def __len__(self) -> int:
        """Return how many hits are asked for; the events that they belong to are whole, so that there may be more."""
        return self.n

    def conditions(self) -> Conditions:
        """Return what all events have in common."""
        volume = Volume(
            rows=int(self.rows), pads=int(self.pads), times=int(self.times), field_t=float(self.field),
            noise=float(self.electronic),
        )  # fmt: skip
        rates = NoiseRates(scale=float(self.noise))
        random = np.random.default_rng([self.detector, 0])
        gain = 1.0 + volume.gain_spread * random.normal(size=(volume.rows, volume.pads))
        return Conditions(volume, rates, hot_pads(volume, rates, random), gain, float(self.tracks))

    def simulate(self) -> Iterator[Event]:
        """Yield the events without end."""
        run, number = self.conditions(), 0
        while True:
            yield make_event(run, np.random.default_rng([self.detector, self.seed, number]))
            number += 1

    def __iter__(self) -> Iterator[Batch]:
        made = 0
        for number, event in enumerate(self.simulate()):
            if (number >= self.events) if self.events else (made >= self.n or number >= self.n):
                return
            batch = self.batch(event, number)
            made += len(batch)
            if len(batch):
                yield batch

    def batch(self, event: Event, number: int) -> Batch:
        """Return the hits of an event."""
        own = event.clusters
        scalars = [own.row, own.pad, own.time, own.charge, own.height, own.pad_width, own.time_width, own.cells]
        values = np.concatenate(
            [np.stack(scalars, axis=1), own.adc.reshape(len(own.row), -1)], axis=1, dtype=np.float32
        )
        random = np.random.default_rng([self.detector, self.seed, number, 1])
        turned = random.uniform(size=len(own.row)) < self.flips
        meta = {
            "event": np.full(len(own.row), number),
            "on_track": ((event.found >= 0) ^ turned).astype(np.int64),
            "found_track": event.found,
            "true_track": event.track,
            "kind": np.array(KINDS)[event.kind],
        }
        truth = (event.kind != KINDS.index("track")).astype(np.int64)
        return Batch(self.schema, values, truth=truth, meta=meta)
