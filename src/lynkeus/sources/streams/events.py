"""Events: updates of many channels become samples, by pulse id where there is one, else by time within a tolerance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats

NS = 1_000_000_000
FAR_BEHIND, ANEW = 10, 3  # pulses behind the last; so many updates of each channel in a row
HALT = 2.5  # periods without a sample
MARGIN, FADES = 2, 0.9  # times the usual span of stamps; what is left of it with each sample whose span is less


class Rule(NamedTuple):
    """How updates are joined: `period_ns` between samples, widest span of stamps in one (`tolerance_ns`), how long it
    waits for the rest (`wait_ns`), and whether the numbers of pulses join (`by_tag`), one sample every `tag_step`."""

    period_ns: int
    tolerance_ns: int
    wait_ns: int
    by_tag: bool = False
    tag_step: int = 1


@dataclass
class Event:
    """One sample that is being built. `first_ns`: the stamp that began it; `opened_ns`: when, by the steady clock.
    `in_burst`: it began so soon after the one before that a stamp may seem to belong to both."""

    first_ns: int
    opened_ns: int
    low_ns: int
    high_ns: int
    tag: int
    values: Floats
    there: Array = field(repr=False)
    count: int = 0  # of the channels that are waited for
    in_burst: bool = False

    def span_with(self, time_ns: int) -> int:
        """Return the span of stamps that there would be with this one."""
        return max(self.high_ns, time_ns) - min(self.low_ns, time_ns)


class Events:
    """Builds samples of `width` numbers from updates of channels, each of which has the columns `places[channel]`.

    `add` takes an update, `ready` gives the samples that are done, in order of time. A sample is done when all channels
    that are `awaited` have come, when a later one is done, or when it has waited too long; what then misses is NaN.
    `counts`: late, repeated, out of order, missed pulses.
    """

    def __init__(self, places: list[slice], width: int, rule: Rule) -> None:
        self.places, self.width, self.rule = places, width, rule
        self.awaited = np.zeros(len(places), bool)
        self.waiting_for = 0
        self.held: dict[int, tuple[Any, int]] = {}  # of a channel: its last value, and from when on it may be used
        self.counts: Counter[str] = Counter()
        self.last_ns = self.last_tag = 0
        self._open: list[Event] = []
        self._last: Event | None = None
        self._usual_ns = float(rule.tolerance_ns)  # span of the stamps of a sample, lately
        self._newest = [-1] * len(places)  # time or tag of the latest update of each channel
        self._behind = 0  # updates in a row of pulses that are over

    def await_only(self, awaited: Array) -> None:
        """Say for which channels a sample waits, (channels,) bool."""
        self.awaited = awaited.copy()
        self.waiting_for = int(awaited.sum())
        for event in self._open:
            event.count = int((event.there & self.awaited).sum())

    def hold(self, channel: int, value: Any, from_ns: int = 0) -> None:
        """Use a value for samples that begin at `from_ns` of the steady clock or later, where no other comes."""
        self.held[channel] = (value, from_ns)

    def add(self, channel: int, time_ns: int, tag: int, value: Any, arrived_ns: int) -> None:
        """Put one value where it belongs; one that comes too late or again is counted and left out."""
        if self.rule.by_tag and self._began_anew(tag):
            self._begin_anew()
        key = tag if self.rule.by_tag else time_ns
        newest = self._newest[channel]
        if key == newest:
            self.counts["repeated"] += 1
            return
        if key < newest:
            self.counts["out of order"] += 1
        self._newest[channel] = max(newest, key)
        event = self._event(channel, time_ns, tag, arrived_ns)
        if event is None:
            self.counts["late"] += 1
            return
        event.low_ns, event.high_ns = min(event.low_ns, time_ns), max(event.high_ns, time_ns)
        event.values[self.places[channel]] = value
        event.there[channel] = True
        event.count += bool(self.awaited[channel])

    def _began_anew(self, tag: int) -> bool:
        """Whether the numbers of pulses count from the beginning again, as after a restart of the timing: nothing but
        numbers that are over, more of them than channels may be late."""
        self._behind = self._behind + 1 if tag < self.last_tag - FAR_BEHIND * self.rule.tag_step else 0
        return self._behind > ANEW * max(len(self.places), 1)

    def _begin_anew(self) -> None:
        self.counts["restarts of the pulse numbers"] += 1
        self._open, self.last_tag, self._behind = [], 0, 0
        self._newest = [-1] * len(self.places)

    def _event(self, channel: int, time_ns: int, tag: int, arrived_ns: int) -> Event | None:
        """Return the event that an update belongs to, a new one where there is none; None where it is over."""
        best: Event | None = None
        for event in self._open:
            if event.there[channel] or (self.rule.by_tag and event.tag != tag):
                continue
            if not self.rule.by_tag and event.span_with(time_ns) > self._widest(event):
                continue
            if best is None or abs(event.first_ns - time_ns) < abs(best.first_ns - time_ns):
                best = event
        if best is not None:
            return best
        over = tag <= self.last_tag if self.rule.by_tag else self._over(channel, time_ns)
        if over or (self.rule.by_tag and any(event.tag == tag for event in self._open)):
            return None
        if self.rule.by_tag:  # times must rise with the numbers
            time_ns = max(time_ns, self.last_ns + 1)
        values, there = np.full(self.width, np.nan), np.zeros(len(self.places), bool)
        made = Event(time_ns, arrived_ns, time_ns, time_ns, tag, values, there, in_burst=self._is_burst(time_ns))
        self._open.append(made)
        self._open.sort(key=lambda event: event.tag if self.rule.by_tag else event.first_ns)
        return made

    def _over(self, channel: int, time_ns: int) -> bool:
        """Whether a stamp is of a sample that was given already: of one that lacks this channel, or before it."""
        last = self._last
        lacks = last is not None and not last.there[channel] and last.span_with(time_ns) <= self._widest(last)
        return time_ns <= self.last_ns or lacks

    def _is_burst(self, time_ns: int) -> bool:
        """Whether a sample that begins then is nearer to the one before than stamps of one sample may be apart, or the
        first after a halt, which the next ones may follow as closely."""
        before = [event.first_ns for event in self._open if event.first_ns < time_ns]
        since_ns = time_ns - max(before, default=self.last_ns)
        return 0 < since_ns < self.rule.tolerance_ns or since_ns > HALT * self.rule.period_ns

    def _widest(self, event: Event) -> float:
        """Return the widest span of stamps of a sample. Of samples that follow each other within it, as what a server
        had not sent may come all at once, a value that is lost would be taken from the next one: of these it is what
        stamps of one sample are apart otherwise."""
        return min(self.rule.tolerance_ns, MARGIN * self._usual_ns) if event.in_burst else self.rule.tolerance_ns

    def _learn_span(self, event: Event) -> None:
        if event.count >= self.waiting_for > 0 and not event.in_burst:
            self._usual_ns = max(float(event.high_ns - event.low_ns), FADES * self._usual_ns)

    def ready(self, now_ns: int) -> list[Event]:
        """Return what is done by now, of the steady clock, in order of time."""
        done = 0
        for number, event in enumerate(self._open, 1):
            # All that wait before one that is complete have lost what still misses.
            if event.count >= self.waiting_for > 0 or now_ns - event.opened_ns > self.rule.wait_ns:
                done = number
        found, self._open = self._open[:done], self._open[done:]
        kept = [event for event in found if event.first_ns > self.last_ns or self._follows(event)]
        for event in kept:
            if lacking := int((self.awaited & ~event.there).sum()):
                self.counts["values that did not come"] += lacking
            for channel, (value, from_ns) in self.held.items():
                if not event.there[channel] and event.opened_ns >= from_ns:
                    event.values[self.places[channel]] = value
            if self.rule.by_tag and self.last_tag:
                self.counts["missed pulses"] += max(0, round((event.tag - self.last_tag) / self.rule.tag_step) - 1)
            self._learn_span(event)
            self._last = event
            self.last_ns, self.last_tag = event.first_ns, max(event.tag, self.last_tag)
        return kept

    def _follows(self, event: Event) -> bool:
        """An event of a later pulse whose stamp is not later is moved behind the one before."""
        if not self.rule.by_tag:
            return False
        event.first_ns = self.last_ns + 1
        return True
