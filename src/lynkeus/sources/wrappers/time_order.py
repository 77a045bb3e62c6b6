"""Ordered: a Source whose times only go forward; duplicates are dropped, gaps are counted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lynkeus.core.batch import Batch, TimesNs
from lynkeus.core.errors import SourceError
from lynkeus.core.protocols import Source
from lynkeus.sources.wrappers.wrapper import Wrapper, files_of

HOUR_NS, CLOSE_NS = 3_600_000_000_000, 600_000_000_000  # local clocks go back by an hour, less a step
MANY, FEWEST_MANY = 0.25, 100  # share of rows with the time of the one before, and how many, that are too many to drop
GAP_PERIODS = 1.5  # a longer step between two rows means that samples were missed


class Ordered(Wrapper):
    """The same rows in time order: of rows with one time the first stays, missed samples are counted.

    Raises SourceError where time goes backwards, or where a good part of the rows would be dropped.
    `len` counts the rows before duplicates are dropped.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        rate_hz = source.schema.sample_rate_hz if source.schema.kind == "table" else None
        self.period_ns = 1e9 / rate_hz if rate_hz else None
        self.duplicates = self.gaps = self.longest_ns = 0

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        self.duplicates = self.gaps = self.longest_ns = self.own_missed = 0
        self.own_messages.clear()
        last_ns: int | None = None
        first_row = 0
        for batch in self.source:
            read = len(batch)
            if batch.time_ns is not None and read:
                before = batch.time_ns[0] - 1 if last_ns is None else last_ns
                steps = np.diff(batch.time_ns, prepend=before)
                if steps.min() <= 0:
                    self._refuse_backwards(batch, steps, first_row)
                    batch = batch[steps > 0]
                    self.duplicates += read - len(batch)
                    self._refuse_many(first_row + read)
                self._count_gaps(steps)
                last_ns = int(before + steps.sum())
                self.own_messages[:] = self._say()
            first_row += read
            if len(batch):
                yield batch

    def _refuse_backwards(self, batch: Batch, steps: TimesNs, first_row: int) -> None:
        if steps.min() == 0:
            return
        row = int(np.argmax(steps < 0))
        assert batch.time_ns is not None
        now = int(batch.time_ns[row])
        back = int(-steps[row])
        earlier = now + back
        files = files_of(self.source)
        number = int(batch.meta["file"][row]) if "file" in batch.meta and files else 0
        where = f"{files[number]}: " if files else ""
        position = int(batch.meta["position"][row]) if "position" in batch.meta else first_row + row
        from_to = f"at row {position}, from {_when(earlier)} to {_when(now)}"
        if HOUR_NS - CLOSE_NS <= back <= HOUR_NS and self.period_ns != HOUR_NS:
            raise SourceError(
                f"{where}an hour comes twice {from_to}: it looks like local time at the end of summer time; write the "
                "times in UTC, or with an offset such as +01:00 (sorting them would mix two hours)"
            )
        if len(steps) > 2 and (steps[1:] < 0).all():
            raise SourceError(f"{where}the newest row comes first {from_to}; write the rows with the oldest first")
        raise SourceError(f"{where}time goes backwards {from_to}; sort the rows by time, or split the data there")

    def _refuse_many(self, rows: int) -> None:
        """A file of which half is left out is no matter of one quiet line."""
        if self.duplicates >= FEWEST_MANY and self.duplicates > MANY * rows:
            files = files_of(self.source)
            raise SourceError(
                f"{f'{files[0]}: ' if files else ''}{self.duplicates} of {rows} rows have the time of the row before; "
                "remove the rows that are there twice, or write times that tell rows apart"
            )

    def _count_gaps(self, steps: TimesNs) -> None:
        if self.period_ns is None:
            return
        long = steps[steps > GAP_PERIODS * self.period_ns]
        if len(long):
            self.gaps += len(long)
            self.own_missed += int(np.rint(long / self.period_ns).sum()) - len(long)
            self.longest_ns = max(self.longest_ns, int(long.max()))

    def _say(self) -> list[str]:
        said = []
        if self.duplicates:
            said.append(f"{self.duplicates} rows with the time of the row before were dropped")
        if self.gaps:
            longest = f"the longest {self.longest_ns / 1e9:g} s"
            said.append(f"{self.own_missed} samples were missed in {self.gaps} gaps, {longest}")
        return said


def _when(time_ns: int) -> str:
    """Return a time for people; damaged files hold numbers that are none."""
    return str(np.datetime64(time_ns, "ns")) if abs(time_ns) < 2**63 else f"{time_ns} ns"
