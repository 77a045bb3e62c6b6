"""Logbook: entries of shifts; a fault is reported, its consequences and its end follow in later entries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.logbook.phrases import (
    AUTHORS,
    ENDS,
    FOLLOWS,
    LANGUAGES,
    MAJOR,
    MINOR,
    ROUTINE,
    SHORT,
    SYSTEMS,
    Both,
    Fault,
    System,
)

BATCH = 1000
START_NS = 1_704_067_200_000_000_000  # 2024-01-01 UTC
HOUR_NS = 3_600_000_000_000
ENTRIES_A_DAY = 24.0
FOLLOWING = 1.2  # mean number of entries about an event after the first, before its end
WITHIN_H = 3.0  # mean time between entries about an event
NONE = "none"


class Entry(NamedTuple):
    """A shift entry with the truth about it; `event` -1: it is about none."""

    time_ns: int
    text: str
    system: str
    topic: str
    severity: str
    device: str
    event: int
    first: bool
    language: str


@dataclass
class Logbook:
    """`n` entries in the order of time, about 24 a day.

    `german`: share of entries in German, the others are English; `typos`: share of words with one; `short`: share of
    words that are abbreviated where there is a short form; `routine`: share of entries about no fault; `unnamed`: share
    of the later entries about one that do not name the device. Meta: name, author, `system`, `topic`, `severity` (none,
    minor, major), `device`, `event` (number, -1: none), `first_report` (1: of its event) and `language`. Raises
    SettingsError for values out of range.
    """

    n: int = 2000
    seed: int = 0
    german: float = 0.5
    typos: float = 0.03
    short: float = 0.3
    routine: float = 0.25
    unnamed: float = 0.0

    def __post_init__(self) -> None:
        if self.n < 1:
            raise SettingsError(f"n must be at least 1, got {self.n}")
        for name in ("german", "typos", "short", "routine", "unnamed"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} is a share, from 0 to 1, got {getattr(self, name)}")
        if self.routine == 1:
            raise SettingsError("routine must be below 1: a logbook without faults has nothing to tell")
        self.schema = Schema("text", names=("text",), shape=())

    def __len__(self) -> int:
        return self.n

    def of_length(self, samples: int) -> Logbook:
        """Return as many entries of the same kind."""
        return replace(self, n=samples)

    def __iter__(self) -> Iterator[Batch]:
        entries = self._entries(np.random.default_rng(self.seed))
        for first in range(0, self.n, BATCH):
            yield self._batch(entries[first : first + BATCH], first)

    def _entries(self, rng: np.random.Generator) -> list[Entry]:
        """Return the first `n` entries: events until there are enough, then all by time."""
        found: list[Entry] = []
        last_h, event = 0.0, 0
        while len(found) < self.n + 20:  # the last events go on behind what is taken
            last_h += float(rng.exponential(24.0 / ENTRIES_A_DAY * (3.2 if rng.random() >= self.routine else 1.0)))
            if rng.random() < self.routine * 2.2 / (1.0 + 1.2 * self.routine):
                found.append(self._entry(rng, last_h, rng.choice(np.array(ROUTINE, object)), None))
            else:
                found += self._event(rng, last_h, event)
                event += 1
        return sorted(found)[: self.n]

    def _event(self, rng: np.random.Generator, at_h: float, number: int) -> Iterator[Entry]:
        """Yield what is written about a fault: the first report, what followed, and its end."""
        system = SYSTEMS[rng.integers(len(SYSTEMS))]
        fault = system.faults[rng.integers(len(system.faults))]
        device = system.device.format(int(rng.integers(1, system.many + 1)))
        about = _About(system, fault, device, "major" if rng.random() < fault.major else "minor", number)
        more = MAJOR if about.severity == "major" else MINOR
        says, then = (pool[rng.integers(len(pool))] for pool in (fault.says, more))
        first: Both = tuple(f"{a}, {b}" for a, b in zip(says, then, strict=True))  # type: ignore[assignment]
        yield self._entry(rng, at_h, first, about, first=True)
        for k in range(rng.poisson(FOLLOWING) + 1):
            at_h += float(rng.exponential(WITHIN_H))
            pool = ENDS if k and rng.random() < 0.5 else FOLLOWS
            says = pool[rng.integers(len(pool))]
            if self.unnamed and rng.random() < self.unnamed:
                says = (says[0].replace("{d}", "it"), says[1].replace("{d}", "wie eben"))
            yield self._entry(rng, at_h, says, about)

    def _entry(
        self, rng: np.random.Generator, at_h: float, says: Both, about: _About | None, first: bool = False
    ) -> Entry:
        which = int(rng.random() < self.german)
        text = says[which].format(d=about.device if about else "", m=int(rng.integers(2, 60)))
        text = self._typed(rng, text, about.device if about else "")
        time_ns = START_NS + int(at_h * HOUR_NS)
        if about is None:
            return Entry(time_ns, text, NONE, "routine", NONE, "", -1, False, LANGUAGES[which])
        return Entry(
            time_ns, text, about.system.name, about.fault.topic, about.severity, about.device, about.number, first,
            LANGUAGES[which],
        )  # fmt: skip

    def _typed(self, rng: np.random.Generator, text: str, device: str) -> str:
        """Return a text as it is typed at night: abbreviated, and with typos, but never in the name of a device."""
        for long, brief in SHORT.items():
            if long in text and rng.random() < self.short:
                text = text.replace(long, brief)
        words = text.split(" ")
        for k, word in enumerate(words):
            if len(word) > 3 and device not in word and rng.random() < self.typos:
                at = int(rng.integers(1, len(word) - 1))
                words[k] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return " ".join(words)

    def _batch(self, entries: list[Entry], first: int) -> Batch:
        texts = np.empty(len(entries), object)
        texts[:] = [entry.text for entry in entries]
        meta: dict[str, Any] = {name: np.array([getattr(one, name) for one in entries])
                                for name in ("system", "topic", "severity", "device", "event", "language")}  # fmt: skip
        meta["first_report"] = np.array([one.first for one in entries]).astype(np.int8)
        meta["name"] = np.array([f"entry_{first + k:06d}" for k in range(len(entries))])
        meta["author"] = np.array([AUTHORS[one.time_ns // (8 * HOUR_NS) % len(AUTHORS)] for one in entries])
        return Batch(self.schema, texts, time_ns=np.array([one.time_ns for one in entries], np.int64), meta=meta)


class _About(NamedTuple):
    """A fault of a device."""

    system: System
    fault: Fault
    device: str
    severity: str
    number: int
