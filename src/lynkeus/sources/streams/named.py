"""Named: updates of channels that messages speak of, whatever brings the messages."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from lynkeus.sources.streams.nats.messages import values_in
from lynkeus.sources.streams.update import DISCONNECTED, Update

AGAIN_NS = 600 * 1_000_000_000  # before messages that make no sense are said again
MOST_EARLY = 100_000  # updates that are kept until somebody asks for their channels


class Named:
    """Takes messages and puts updates of the channels that were asked for (`give_to`). What came before is kept until
    then; `names`: of which channels it was. `counts` what is left out; `tell` is given the first of its kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.tell: Callable[[str], None] = lambda line: None
        self._numbers: dict[str, int] = {}
        self._names: dict[str, None] = {}
        self._early: deque[tuple[str, Update]] = deque()
        self._put: Callable[[Update], None] | None = None
        self._lock = threading.Lock()
        self._silent_until_ns = 0

    @property
    def names(self) -> list[str]:
        """Return the channels that messages spoke of before anybody asked for some."""
        with self._lock:
            return list(self._names)

    @property
    def early(self) -> int:
        """Return how many updates wait for somebody to ask."""
        return len(self._early)

    def give_to(self, addresses: tuple[str, ...], put: Callable[[Update], None]) -> None:
        """Give updates of these channels from now on, and those that came before."""
        with self._lock:
            self._numbers = {name: number for number, name in enumerate(addresses)}
            self._put = put
            for name, update in self._early:
                self._give(name, update)
            self._early.clear()

    def take(self, subject: str, content: bytes, sent_ns: int = 0) -> None:
        """Take one message; `sent_ns`: when it was sent, for one that says no time."""
        now = time.monotonic_ns()
        try:
            found = values_in(content, subject)
        except ValueError as error:
            self.counts["not as the layout says"] += 1
            if now > self._silent_until_ns:
                self._silent_until_ns = now + AGAIN_NS
                self.tell(f"a message of {subject} {error}; such ones are left out and counted")
            return
        with self._lock:
            for one in found:
                stamp = one.stamp_ns or sent_ns
                self._give(one.name, Update(0, stamp, one.tag, one.value, one.severity, now))

    def _give(self, name: str, update: Update) -> None:
        if self._put is None:
            self._names.setdefault(name)
            self._early.append((name, update))
            if len(self._early) > MOST_EARLY:
                self._early.popleft()
                self.counts["dropped before anybody listened"] += 1
            return
        number = self._numbers.get(name)
        if number is None:
            self.counts["of channels that nobody asked for"] += 1
            return
        self._put(update._replace(channel=number))

    def lost(self) -> None:
        """Say of all channels that they are not connected."""
        if self._put is not None:
            now = time.monotonic_ns()
            for number in range(len(self._numbers)):
                self._put(Update(number, 0, 0, None, 0, now, DISCONNECTED))
