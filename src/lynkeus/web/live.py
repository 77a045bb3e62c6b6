"""One reader of the store for all who look at the first page: however many listen, it is read once a second."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from lynkeus.core.errors import StoreError

READERS = 2  # threads: pages that are slow to read do not keep others from being read
KEPT = 64  # selections that are remembered
AGE_S = 1.0


class Query(NamedTuple):
    """Which alarms the first page shows; None: all."""

    monitor: str | None = None
    output: str | None = None
    status: str | None = None
    before: int | None = None


class Reading(NamedTuple):
    """What was read of the store: the live part of the page and its count of open alarms, or what the `trouble` is."""

    begun_s: float
    html: str = ""
    open: int = 0
    trouble: str = ""


@dataclass
class _Kept:
    reading: Reading | None = None
    running: asyncio.Task[Reading] | None = None


class Live:
    """Readings by query; `read` makes the live part of the page and counts open alarms."""

    def __init__(self, read: Callable[[Query], tuple[str, int]]) -> None:
        self._read = read
        self._threads = ThreadPoolExecutor(READERS, "live")
        self._kept: OrderedDict[Query, _Kept] = OrderedDict()

    async def fresh(self, query: Query) -> Reading:
        """A reading that began after this call; all who wait for one share it."""
        return await self._since(query, time.monotonic())

    async def shared(self, query: Query) -> Reading:
        """A reading that is at most AGE_S old."""
        return await self._since(query, time.monotonic() - AGE_S)

    async def _since(self, query: Query, at_s: float) -> Reading:
        kept = self._kept.setdefault(query, _Kept())
        self._kept.move_to_end(query)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        while kept.reading is None or kept.reading.begun_s < at_s:
            loop = asyncio.get_running_loop()
            if kept.running is None or kept.running.done() or kept.running.get_loop() is not loop:
                kept.running = loop.create_task(self._begin(query))
            kept.reading = await asyncio.shield(kept.running)
        return kept.reading

    async def _begin(self, query: Query) -> Reading:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._reading, query)

    def _reading(self, query: Query) -> Reading:
        begun_s = time.monotonic()
        try:
            return Reading(begun_s, *self._read(query))
        except StoreError as error:
            return Reading(begun_s, trouble=str(error))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
