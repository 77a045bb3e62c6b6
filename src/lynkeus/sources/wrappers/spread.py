"""Spread: rows that share a stamp, because it was written in whole seconds, keep their order and share the second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lynkeus.core.batch import Batch, TimesNs, concatenate
from lynkeus.core.protocols import Source
from lynkeus.sources.formats.tables import RATE_ROWS, rate_of
from lynkeus.sources.wrappers.wrapper import Wrapper

SECOND_NS = 10**9
STEPS_NS = {60 * SECOND_NS: "minutes", SECOND_NS: "seconds", 10**6: "milliseconds", 1000: "microseconds"}
OFTEN = 0.05  # of the rows share their stamp with the one before; finer stamps than seconds are then too coarse
FEWEST_STAMPS = 4  # of fewer it is not known how many rows share one


class Spread(Wrapper):
    """The same rows, those of one stamp evenly within the step in which stamps were written.

    Stamps of whole seconds; coarser and finer ones where many rows share them. Rows that share an exact stamp are left
    to Ordered. `messages` says how many they were. Where the source knows no rate, for its stamps repeat, it is
    measured from what is read first.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.moved, self.step, self.usual = 0, 0, 1
        start_ns = getattr(source, "start_ns", None)
        if source.schema.kind == "table" and source.schema.sample_rate_hz is None and start_ns is not None:
            self.schema = replace(source.schema, sample_rate_hz=self._measured())

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        self.moved = 0
        self.own_messages.clear()
        held: Batch | None = None
        begins = True
        for batch in self.source:
            if batch.time_ns is None or not len(batch):
                yield self._with_schema(batch)
                continue
            rows = batch if held is None else concatenate([held, batch])
            assert rows.time_ns is not None
            if (rows.time_ns % (self.step or SECOND_NS)).any():
                held, begins = None, False
                yield self._with_schema(rows)
                continue
            last = int(np.searchsorted(rows.time_ns, rows.time_ns[-1]))  # its other rows may be in the next batch
            held = rows[last:]
            if last:
                yield self._spread(rows[:last], begins, False)
                begins = False
        if held is not None:
            yield self._spread(held, begins, True)

    def _spread(self, rows: Batch, begins: bool, ends: bool) -> Batch:
        assert rows.time_ns is not None
        time_ns = spread(rows.time_ns, self.step or SECOND_NS, begins, ends, self.usual)
        self.moved += int((np.diff(rows.time_ns) == 0).sum())
        if self.moved:
            self.own_messages[:] = [
                f"{self.moved} rows had the time of the row before, as times are written in whole "
                f"{STEPS_NS[self.step or SECOND_NS]}: they keep their order and were spread within them"
            ]
        return self._with_schema(replace(rows, time_ns=time_ns))

    def _with_schema(self, batch: Batch) -> Batch:
        return batch if batch.schema is self.schema else replace(batch, schema=self.schema)

    def _measured(self) -> float | None:
        """The rate of the spread rows, as far as it is known; with the step of the stamps and how many rows share
        one."""
        parts: list[TimesNs] = []
        for batch in self.source:
            if batch.time_ns is None:
                return None
            parts.append(batch.time_ns)
            if sum(map(len, parts)) >= RATE_ROWS:
                break
        time_ns = np.concatenate(parts) if parts else np.empty(0, np.int64)
        self.step = step_of(time_ns)
        if not self.step:
            return None
        counts = np.unique(time_ns, return_counts=True)[1]
        self.usual = int(np.median(counts))
        return rate_of(spread(time_ns, self.step, True, True, self.usual)) if len(counts) >= FEWEST_STAMPS else None


def step_of(time_ns: TimesNs) -> int:
    """Return the step in ns in which stamps were written, where rows share one for that reason; else 0."""
    steps = np.diff(time_ns)
    if not len(steps) or steps.min() != 0:
        return 0
    often = float(np.mean(steps == 0)) >= OFTEN
    whole = (ns for ns in STEPS_NS if not (time_ns % ns).any() and (ns == SECOND_NS or often))
    return next(whole, 0)


def spread(time_ns: TimesNs, step: int, begins: bool, ends: bool, usual: int) -> TimesNs:
    """Return times of which those that are alike are spread evenly over the step.

    Where the data begin or end within a step, its fewer rows are as far apart as the `usual` ones, at its end or its
    begin.
    """
    first = np.flatnonzero(np.diff(time_ns, prepend=time_ns[:1] - 1))
    count = np.diff(np.append(first, len(time_ns)))
    shared, late = count.copy(), np.zeros(len(count), np.int64)
    if ends:
        shared[-1] = max(usual, count[-1])
    if begins:
        shared[0] = max(usual, count[0])
        late[0] = shared[0] - count[0]
    place = np.arange(len(time_ns)) - np.repeat(first - late, count)
    return time_ns + place * step // np.repeat(shared, count)
