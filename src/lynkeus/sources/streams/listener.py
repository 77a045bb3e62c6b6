"""Listener: takes updates from a client and gives samples, whatever networks, clocks and servers do meanwhile."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.streams.clocks import Clocks
from lynkeus.sources.streams.events import Event, Events, Rule
from lynkeus.sources.streams.pva import as_numbers
from lynkeus.sources.streams.states import State, States
from lynkeus.sources.streams.update import INVALID, Inbox, Transport, Update

NS = 1_000_000_000
POLL_S = 0.05
CHUNK = 512  # updates
NOW_S = 60.0
CALM = 20  # periods without what was wrong, before that is said to be over
REVIEW_S = 0.25  # between two looks at who is silent
AGAIN_S = (0.5, 3.0, 60.0)  # first wait between searches, doubled to the longest: for lost channels, and for unknown


class Columns(NamedTuple):
    """Where each channel stands in a row: `places`, and the `width` of the row; `scalar`: which are single numbers."""

    places: list[slice]
    width: int
    scalar: list[bool]


class Listener:
    """Builds samples of updates. `tell` is given a line for everything that a person should know at once; `counts` are
    of what was lost on the way. `lost`: nothing comes from any channel."""

    def __init__(self, names: tuple[str, ...], columns: Columns, rule: Rule, tell: Callable[[str], None]) -> None:
        self.names, self.columns, self.rule, self.tell = names, columns, rule, tell
        self.events = Events(columns.places, columns.width, rule)
        self.clocks = Clocks(names, tell)
        self.states = States(names, 2.0, tell)
        self.counts: Counter[str] = Counter()
        self.lost = False
        self.samples = 0
        self.given_ns = time.monotonic_ns()  # when the last sample was
        self._lost_at: tuple[int, int] = (0, 0)
        self._strange: dict[int, int] = {}  # when a channel was so last
        self._invalid: dict[int, int] = {}
        self._untagged: dict[int, int] = {}
        self._not_finite: set[int] = set()
        self.stale_first, self.replays = True, False  # see Transport
        self._fresh = [True] * len(names)  # what comes on connecting may be of long ago
        self._await_later = False
        self._told_ns = self._again_ns = 0
        self._again_s = AGAIN_S[0]

    def take(self, update: Update) -> None:
        """Take one update."""
        k = update.channel
        if update.value is None:
            self._fresh[k] = True
            if self.states.gone(k, update.says):
                self.events.held.pop(k, None)
                self.events.await_only(self.states.awaited)
            return
        self._fresh[k] = self._fresh[k] and self.stale_first
        if self._lacks_tag(update):
            return
        if self._fresh[k] and update.stamp_ns <= 0:
            self._fresh[k] = False
            self._hold(k, update)
            return
        value = self._value(update)
        # What is played back comes faster than it was taken.
        if self.states.came(k, update.arrived_ns, self.rule.period_ns, update.stamp_ns if self.replays else 0):
            self._await_it()
        if self.states.of[k] is State.ALIVE:
            self.events.held.pop(k, None)
        if self._fresh[k]:
            self._fresh[k] = False
            self._hold(k, update)
            return
        time_ns = self.clocks.time_of(update, self.rule.period_ns)
        if self.states.of[k] is State.HELD:
            self._hold(k, update)
        if self.rule.by_tag and not update.tag:
            self._hold(k, update)
            return
        self.events.add(k, time_ns, update.tag, value, update.arrived_ns)

    def _lacks_tag(self, update: Update) -> bool:
        """Whether an update belongs to no pulse, where pulses join and its channel comes with each: as if it had not
        come, which is said."""
        k = update.channel
        if not self.rule.by_tag or update.tag or self.states.of[k] in (State.HELD, State.UNSEEN):
            self._is_over(self._untagged, k, update.arrived_ns)
            return False
        self.counts["without the number of a pulse"] += 1
        if k not in self._untagged:
            self.states.note(k, "comes without the number of its pulse; masked until it has one")
        self._untagged[k] = update.arrived_ns
        return True

    def _await_it(self) -> None:
        """Wait for those that are alive now. Where nobody was waited for, all are back soon: who is the first does not
        end the samples of the others."""
        if self.events.waiting_for:
            self.events.await_only(self.states.awaited)
        else:
            self._await_later = True

    def _hold(self, k: int, update: Update) -> None:
        """Keep a value that holds until the next one; of a channel that comes with every sample none is kept. While it
        is not known how often it comes, the value is used only after two periods without another one."""
        if self.states.first(k, update.arrived_ns):
            from_ns = 0 if self.states.slow[k] else update.arrived_ns + 2 * self.rule.period_ns
            self.events.hold(k, self._value(update), from_ns)

    def _value(self, update: Update) -> Any:
        """Return the number or vector; NaN where it is INVALID or not what it was."""
        k = update.channel
        place = self.columns.places[k]
        width = place.stop - place.start
        numbers = as_numbers(update.value)
        fits = isinstance(numbers, float) if self.columns.scalar[k] else isinstance(numbers, np.ndarray)
        fits = fits and np.size(numbers) == width
        if not fits:
            self.counts["of another type or length"] += 1
            if k not in self._strange:
                kind = "text" if isinstance(update.value, str) else type(update.value).__name__
                now = f"{len(update.value)} numbers" if isinstance(numbers, np.ndarray) else kind
                usual = "one number" if self.columns.scalar[k] else width
                self.tell(f"{self.names[k]} sends {now}, expected {usual}; masked until it is as it was")
            self._strange[k] = update.arrived_ns
            return np.nan
        self._is_over(self._strange, k, update.arrived_ns)
        if update.severity >= INVALID:
            self.counts["INVALID"] += 1
            if k not in self._invalid:
                self.tell(f"{self.names[k]} is INVALID, says its source; masked while it is")
            self._invalid[k] = update.arrived_ns
            return np.nan
        if self._is_over(self._invalid, k, update.arrived_ns):
            self.tell(f"{self.names[k]} is valid again")
        return self._finite(k, numbers)

    def _is_over(self, since: dict[int, int], k: int, now_ns: int) -> bool:
        """Whether what was wrong with a channel has been over for a while: one that is wrong now and then is not said
        to be so again and again."""
        if k not in since or now_ns - since[k] < CALM * self.rule.period_ns:
            return False
        del since[k]
        return True

    def _finite(self, k: int, numbers: Any) -> Any:
        """Return numbers with NaN in place of what is infinite; that there is such is said once for each channel."""
        if math.isfinite(numbers) if isinstance(numbers, float) else np.isfinite(numbers).all():
            return numbers
        self.counts["NaN or infinite"] += 1
        if k not in self._not_finite:
            self._not_finite.add(k)
            self.tell(f"{self.names[k]} sends values that are NaN or infinite; masked while it does")
        return math.nan if isinstance(numbers, float) else np.where(np.isfinite(numbers), numbers, np.nan)

    def begin(self, slow: list[bool], counts: list[int]) -> None:
        """Say which channels are held and which come with the samples, by what was seen so far."""
        held = [name for name, it, count in zip(self.names, slow, counts, strict=True) if it and count]
        now = time.monotonic_ns()
        for k, count in enumerate(counts):
            self.states.slow[k] = slow[k]
            if count:
                self.states.begin(k, slow[k], now)
        if held:
            self.tell(f"{listed(held)}: slower than the samples; the last value holds until the next one")
        unseen = [name for name, count in zip(self.names, counts, strict=True) if not count]
        if unseen:
            self.tell(f"{listed(unseen)}: not connected; masked until it is there")
        self.events.await_only(self.states.awaited)

    def samples_of(self, inbox: Inbox, transport: Transport) -> Iterator[list[Event]]:
        """Give what is done, again and again; an empty list where nothing is."""
        while True:
            found: list[Event] = []
            updates = inbox.take(POLL_S)
            for start in range(0, len(updates), CHUNK):  # of a burst: what is done leaves before more is begun
                for update in updates[start : start + CHUNK]:
                    self.take(update)
                # By when it came: the rest of a sample may have waited as long, and be read next.
                found += self.events.ready(updates[min(start + CHUNK, len(updates)) - 1].arrived_ns)
            now = time.monotonic_ns()
            if now - self._told_ns > REVIEW_S * NS:
                self._review(now, transport)
            found += self.events.ready(updates[-1].arrived_ns if updates and len(inbox) else now)
            self.samples += len(found)
            self.given_ns = now if found else self.given_ns
            if self.lost and self._is_now(now):
                found = [*found, *self._nothing(now)]
            yield found

    def _review(self, now_ns: int, transport: Transport) -> None:
        self._told_ns = now_ns
        if self.states.stall(now_ns) or self._await_later:
            self.events.await_only(self.states.awaited)
            self._await_later = False
        self.states.told()
        lost = not self.states.any_alive and self.samples > 0
        if lost and not self.lost:
            self._lost_at = (now_ns, self.events.last_ns)
            self.tell("source lost: no channel sends anything; what comes meanwhile has no values")
        elif self.lost and not lost:
            self.tell(f"source is back after {(now_ns - self._lost_at[0]) / NS:.1f} s")
        self.lost = lost
        self._search(now_ns, transport)

    def _search(self, now_ns: int, transport: Transport) -> None:
        """Look for those that are gone, ever more seldom, and not all monitors of a site at once."""
        gone = [k for k, state in enumerate(self.states.of) if state is State.GONE]
        unseen = [k for k, state in enumerate(self.states.of) if state is State.UNSEEN]
        if not gone and not unseen:
            self._again_s = AGAIN_S[0]
        elif now_ns > self._again_ns:
            if self._again_ns:  # not at once: the library may find them by itself
                transport.again(gone or unseen)
            # Those that were never there are looked for ever more seldom, those that were there soon again.
            longest = AGAIN_S[1] if gone else AGAIN_S[2]
            self._again_s = min(self._again_s, longest)
            self._again_ns = now_ns + round(self._again_s * random.uniform(0.8, 1.2) * NS)
            self._again_s = min(2 * self._again_s, longest)

    def _is_now(self, now_ns: int) -> bool:
        """Whether time goes on without values: not where what was recorded is played back, by times of its own."""
        return not self.replays or abs(self.clocks.now_ns(self._lost_at[0]) - self._lost_at[1]) < NOW_S * NS

    def _nothing(self, now_ns: int) -> Iterator[Event]:
        """Rows without values at the usual pace, so that time passes for who reads; stamped by the last time of the
        devices and what has passed since, a little behind so that those that come back are not too late."""
        begun_ns, last_ns = self._lost_at
        until_ns = last_ns + now_ns - begun_ns - self.rule.wait_ns
        width, none = self.columns.width, np.zeros(len(self.names), bool)
        while self.events.last_ns + self.rule.period_ns <= until_ns:
            at = self.events.last_ns + self.rule.period_ns
            self.events.last_ns = at
            self.counts["without values while the source was lost"] += 1
            empty: Floats = np.full(width, np.nan)
            yield Event(at, now_ns, at, at, 0, empty, none)
