"""States of channels: alive, held, gone or stalled; what changes is said in one line for all that it happened to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from enum import Enum

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.streams.update import DISCONNECTED

NS = 1_000_000_000
STEADY = 5  # updates at the pace of the samples after which a channel is waited for
SELDOM = 2  # updates in a row that are further apart: the channel is slow


class State(Enum):
    """UNSEEN: never connected; ALIVE: comes with every sample; HELD: its last value holds; STALLED: connected, but
    nothing comes; GONE: not connected."""

    UNSEEN = "never connected"
    ALIVE = "alive"
    HELD = "held"
    STALLED = "stalled"
    GONE = "gone"


class States:
    """The state of each channel, from what arrives; `tell` is given what changed whenever it is `told`."""

    def __init__(self, names: tuple[str, ...], lost_s: float, tell: Callable[[str], None]) -> None:
        self.names, self.lost_ns, self.tell = names, round(lost_s * NS), tell
        self.of = [State.UNSEEN] * len(names)
        self.arrived_ns = [0] * len(names)
        self.steady = [0] * len(names)
        self.slow = [False] * len(names)  # known to come more seldom than the samples
        self._at_ns = [0] * len(names)  # of the last update, by the clock that its pace is judged by
        self._moved = [False] * len(names)  # came with the samples once
        self._changes: dict[str, list[str]] = defaultdict(list)

    @property
    def awaited(self) -> Array:
        """Return (channels,) bool: which a sample waits for."""
        return np.array([state is State.ALIVE for state in self.of])

    @property
    def any_alive(self) -> bool:
        """Return whether anything comes with the samples."""
        return State.ALIVE in self.of

    def gone(self, k: int, says: str) -> bool:
        """A channel was lost, or is none; return whether that is news."""
        if self.of[k] in (State.GONE, State.UNSEEN) and not says:
            return False
        news = self.of[k] is not State.GONE and (self.of[k] is not State.UNSEEN or says != DISCONNECTED)
        if news:
            self._changes[f"{says}; masked until it is back"].append(self.names[k])
        self.of[k] = State.GONE if self.of[k] is not State.UNSEEN or news else State.UNSEEN
        self.steady[k] = 0
        return news

    def begin(self, k: int, slow: bool, now_ns: int) -> None:
        """Take a channel that was seen already."""
        self.of[k] = State.HELD if slow else State.ALIVE
        self.slow[k], self._moved[k], self.arrived_ns[k] = slow, not slow, now_ns

    def first(self, k: int, now_ns: int) -> bool:
        """A value of long ago may have come, as on connecting; return whether it holds until the next one. That of a
        channel that came with every sample before it was lost does not: it would be mixed with values of other
        samples."""
        self.arrived_ns[k] = now_ns
        if self.of[k] in (State.UNSEEN, State.GONE):
            self.of[k] = State.STALLED if self._moved[k] else State.HELD
        return self.of[k] is State.HELD

    def came(self, k: int, now_ns: int, period_ns: int, at_ns: int = 0) -> bool:
        """A value arrived; return whether the state changed. `at_ns`: the time by which its pace is judged, where that
        is not when it arrived."""
        before, at_ns = self.of[k], at_ns or now_ns
        quick = at_ns - self._at_ns[k] < 2 * period_ns
        self.arrived_ns[k], self._at_ns[k] = now_ns, at_ns
        self.steady[k] = max(self.steady[k], 0) + 1 if quick else min(self.steady[k], 0) - 1
        self.slow[k] = self.slow[k] or self.steady[k] <= -SELDOM
        if before is State.ALIVE or (before is State.HELD and self.steady[k] < STEADY):
            return False
        if before in (State.GONE, State.STALLED):
            self._changes["back"].append(self.names[k])
        if before is State.STALLED or self._moved[k] or self.steady[k] >= STEADY:
            self.of[k], self.slow[k], self._moved[k] = State.ALIVE, False, True
        else:
            self.of[k] = State.HELD
        return True

    def stall(self, now_ns: int) -> bool:
        """Find those of which nothing comes any more; return whether there are new ones."""
        found = False
        for k, state in enumerate(self.of):
            if state is State.ALIVE and now_ns - self.arrived_ns[k] > self.lost_ns:
                self.of[k], found = State.STALLED, True
                self._changes[f"no update for {self.lost_ns / NS:g} s; masked until one comes"].append(self.names[k])
        return found

    def note(self, k: int, says: str) -> None:
        """Have something said of a channel, together with the others of which it is true."""
        self._changes[says].append(self.names[k])

    def told(self) -> None:
        """Tell what changed since the last time."""
        for says, names in self._changes.items():
            self.tell(f"{listed(names)}: {says}")
        self._changes.clear()
