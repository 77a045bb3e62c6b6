"""Wrong tokens: after some tries an address has to wait, twice as long each time."""

from __future__ import annotations

import time
from collections import OrderedDict
from threading import Lock

FREE = 8  # wrong tokens before the first wait
LONGEST_S = 300.0
FORGOTTEN_S = 900.0  # after the last wrong one
REMEMBERED = 10_000  # addresses


class Tries:
    """Wrong tokens by address; also a right one is refused while an address has to wait, or it would be guessed."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many, when the last one came
        self._lock = Lock()

    def wait_s(self, address: str) -> float:
        """How long an address has to wait; 0 where it may try."""
        with self._lock:
            count, last_s = self._known(address)
        if count < FREE:
            return 0.0
        return max(0.0, last_s + min(2.0 ** (count - FREE), LONGEST_S) - time.monotonic())

    def wrong(self, address: str) -> None:
        """Remember a wrong token."""
        with self._lock:
            count, _ = self._known(address)
            self._wrong[address] = (count + 1, time.monotonic())
            self._wrong.move_to_end(address)
            while len(self._wrong) > REMEMBERED:
                self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        """Forget the wrong ones of an address."""
        with self._lock:
            self._wrong.pop(address, None)

    def _known(self, address: str) -> tuple[int, float]:
        count, last_s = self._wrong.get(address, (0, 0.0))
        return (0, 0.0) if time.monotonic() - last_s > FORGOTTEN_S else (count, last_s)
