"""Update: one value of one channel on its way to a sample; Inbox: the bounded queue in which it waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

DISCONNECTED = "is not connected"
INVALID = 3  # severity of an alarm in EPICS: the value is not to be believed


class Update(NamedTuple):
    """`channel` number; `stamp_ns` of the device, 0 where it has none; `tag`: number of the pulse, 0 where there is
    none; `value`: a number or a vector, None where the channel is gone, with `says` why; `severity` of its alarm;
    `arrived_ns`: by this machine's steady clock; `parts`: what each number of a vector is called after the name of its
    channel, where it is not [0], [1], ..."""

    channel: int
    stamp_ns: int
    tag: int
    value: Any
    severity: int
    arrived_ns: int
    says: str = ""
    parts: tuple[str, ...] = ()


class Transport(Protocol):
    """A client of a control system: it puts updates into an inbox from threads of its own.

    `begin` subscribes to addresses, in order of the channels; `again` looks for lost ones anew; `close` ends all of it.
    More is optional: `stale_first` (True): the first update after connecting may be a value of long ago; `replays`
    (False): it plays a recording back, by its own times; `discover(seconds)`: names of channels, where none are given;
    `begin_after(time_ns)`: where to go on; `waiting`: set to a function that says how many updates wait; `tell`: set to
    what takes lines for people; `counts`: of what was lost.
    """

    def begin(self, addresses: tuple[str, ...], put: Callable[[Update], None]) -> None: ...

    def again(self, channels: Sequence[int]) -> None: ...

    def close(self) -> None: ...


class Inbox:
    """At most `limit` updates that wait; the oldest one is dropped where a new one finds no place, and `dropped` counts
    exactly. Safe between threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.dropped = 0
        self._waiting: deque[Update] = deque()
        self._filled = threading.Condition()

    def put(self, update: Update) -> None:
        """Take one update."""
        with self._filled:
            if len(self._waiting) >= self.limit:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(update)
            # Who waits is woken by the first one only: thousands of wake-ups a second cost more than the updates.
            if len(self._waiting) == 1:
                self._filled.notify()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, timeout_s: float) -> list[Update]:
        """Return all that wait; nothing where nothing comes in time."""
        until = time.monotonic() + timeout_s
        with self._filled:
            while not self._waiting:
                left = until - time.monotonic()
                if left <= 0:
                    return []
                self._filled.wait(left)
            found = list(self._waiting)
            self._waiting.clear()
            return found
