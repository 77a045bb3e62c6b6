"""Replay: a recorded Source as if it came live, at any speed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from lynkeus.core.batch import Batch
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.core.protocols import Source
from lynkeus.sources.wrappers.wrapper import Wrapper

TICK_S = 0.02  # shortest wait: at high speeds rows come in small bunches


class Replay(Wrapper):
    """The same samples, each not before its time: `speed` 1 is real time, 100 a hundred times faster.

    Speed 0 or infinity: as fast as possible. A batch holds at most `chunk` samples, all of whose time has come; who
    reads too slowly gets them later, none is dropped.
    """

    def __init__(self, source: Source, speed: float = 1.0, chunk: int = 600) -> None:
        super().__init__(source)
        if not speed >= 0:
            raise SettingsError(f"the replay speed must be 0 (as fast as possible) or positive, got {speed}")
        if chunk < 1:
            raise SettingsError(f"chunk must be at least 1, got {chunk}")
        self.speed, self.chunk = speed, chunk

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        begun_s, first_ns = time.monotonic(), None
        for batch in self.source:
            if self.speed in (0, np.inf):
                yield from (batch[start : start + self.chunk] for start in range(0, len(batch), self.chunk))
                continue
            if batch.time_ns is None:
                raise SourceError("this source has no times, so it cannot be replayed at a speed; use speed 0")
            first_ns = int(batch.time_ns[0]) if first_ns is None else first_ns
            due_s = begun_s + (batch.time_ns - first_ns) / (1e9 * self.speed)
            start = 0
            while start < len(batch):
                now = time.monotonic()
                stop = min(int(np.searchsorted(due_s, now, "right")), start + self.chunk)
                if stop > start:
                    yield batch[start:stop]
                    start = stop
                else:
                    time.sleep(max(due_s[start] - now, TICK_S))
