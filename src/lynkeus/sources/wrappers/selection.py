"""InMemory, Select and Exclude: a Source of one Batch, and parts of a Source by row, time or mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lynkeus.core.batch import Array, Batch
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.core.protocols import Source
from lynkeus.sources.formats.tables import BATCH_ROWS
from lynkeus.sources.wrappers.wrapper import Wrapper


class InMemory:
    """A Source over one Batch that is already in memory, cut into batches of `batch_size`."""

    def __init__(self, batch: Batch, batch_size: int = BATCH_ROWS) -> None:
        if batch_size < 1:
            raise SettingsError(f"batch_size must be at least 1, got {batch_size}")
        self.batch = batch
        self.schema = batch.schema
        self.batch_size = batch_size

    def __len__(self) -> int:
        return len(self.batch)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.batch), self.batch_size):
            yield self.batch[start : start + self.batch_size]


class Select(Wrapper):
    """The samples that are in all of: `rows` [from, to), `times_ns` [from, to), and a boolean `mask` over all samples.

    None as a bound leaves that side open. Rows are counted along the source, from 0. Raises SourceError where the
    mask is not as long as the source.
    """

    def __init__(
        self,
        source: Source,
        rows: tuple[int | None, int | None] = (None, None),
        times_ns: tuple[int | None, int | None] = (None, None),
        mask: Array | None = None,
    ) -> None:
        super().__init__(source)
        if any(bound is not None and bound < 0 for bound in rows):
            raise SettingsError(f"rows are counted from 0, got {rows}")
        self.rows, self.times_ns, self.mask = rows, times_ns, mask

    def __len__(self) -> int:
        if self.times_ns != (None, None):
            raise TypeError("how many samples are in a span of time is not known before they are read")
        total = len(self.source)  # type: ignore[arg-type]
        chosen = slice(*self.rows)
        return len(range(*chosen.indices(total))) if self.mask is None else int(self.mask[chosen].sum())

    def __iter__(self) -> Iterator[Batch]:
        first = 0
        for batch in self.source:
            last = first + len(batch)
            if self.mask is not None and last > len(self.mask):
                raise SourceError(f"the mask has {len(self.mask)} entries, the source more; make one per sample")
            keep = self._keep(batch, first)
            if keep.all():
                yield batch
            elif keep.any():
                yield batch[keep]
            first = last
            if self._is_past(batch, first):
                return
        if self.mask is not None and first < len(self.mask):
            raise SourceError(f"the mask has {len(self.mask)} entries, the source only {first}; make one per sample")

    def _keep(self, batch: Batch, first: int) -> Array:
        row = np.arange(first, first + len(batch))
        keep = _within(row, self.rows)
        if self.times_ns != (None, None):
            if batch.time_ns is None:
                raise SourceError("this source has no times, so none can be selected; select rows instead")
            keep &= _within(batch.time_ns, self.times_ns)
        if self.mask is not None:
            keep &= self.mask[first : first + len(batch)]
        return keep

    def _is_past(self, batch: Batch, first: int) -> bool:
        if self.rows[1] is not None and first >= self.rows[1]:
            return True
        until = self.times_ns[1]
        return until is not None and batch.time_ns is not None and len(batch) > 0 and batch.time_ns[-1] >= until


class Exclude(Wrapper):
    """The samples that touch none of the `intervals` [start_ns, end_ns): known incidents, kept out of a reference.

    A window counts from its time to its meta `end_ns`. Samples that are known to be anomalous (truth not 0) stay: there
    is something to learn from them.
    """

    def __init__(self, source: Source, intervals: Sequence[tuple[int, int]]) -> None:
        super().__init__(source)
        for start, end in intervals:
            if end < start:
                raise SettingsError(f"an interval must not end before it starts, got [{start}, {end})")
        self.intervals = _merged(intervals)

    def __iter__(self) -> Iterator[Batch]:
        starts, ends = np.array(self.intervals, np.int64).reshape(-1, 2).T
        for batch in self.source:
            if batch.time_ns is None:
                raise SourceError("this source has no times, so no interval can be excluded")
            until = batch.meta.get("end_ns", batch.time_ns + 1)
            # Intervals that ended before the sample, against those that began before its end: any in between?
            clear = np.searchsorted(ends, batch.time_ns, "right") >= np.searchsorted(starts, until, "left")
            if batch.truth is not None:
                clear |= batch.truth != 0
            if clear.all():
                yield batch
            elif clear.any():
                yield batch[clear]


def _within(column: Array, bounds: tuple[int | None, int | None]) -> Array:
    keep = np.ones(len(column), bool)
    if bounds[0] is not None:
        keep &= column >= bounds[0]
    if bounds[1] is not None:
        keep &= column < bounds[1]
    return keep


def _merged(intervals: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
