"""Unseen: the rows that a monitor has not seen yet, and how many were missed between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lynkeus.core import Batch, SettingsError, Source
from lynkeus.sources.wrappers.time_order import GAP_PERIODS
from lynkeus.sources.wrappers.wrapper import Wrapper


class NewRows(Wrapper):
    """The rows after `after_ns` (None: all). The step from there to the first of them may be a gap as well.

    Raises SettingsError for rows without times.
    """

    def __init__(self, source: Source, after_ns: int | None = None) -> None:
        super().__init__(source)
        self.after_ns = after_ns
        rate_hz = source.schema.sample_rate_hz if source.schema.kind in ("table", "image") else None
        self.period_ns = 1e9 / rate_hz if rate_hz else np.inf
        self.gaps: list[tuple[int, int]] = []  # time of the row after a gap, samples missed in it

    def __iter__(self) -> Iterator[Batch]:
        before_ns = self.after_ns
        for batch in self.source:
            if batch.time_ns is None:
                raise SettingsError("rows without times cannot be watched; give times in the layout or the file")
            if before_ns is not None and len(batch) and batch.time_ns[0] <= before_ns:
                batch = batch[batch.time_ns > before_ns]
            if not len(batch) or batch.time_ns is None:
                continue
            steps = np.diff(batch.time_ns, prepend=batch.time_ns[0] if before_ns is None else before_ns)
            for row in np.flatnonzero(steps > GAP_PERIODS * self.period_ns):
                self.gaps.append((int(batch.time_ns[row]), round(float(steps[row] / self.period_ns)) - 1))
            before_ns = int(batch.time_ns[-1])
            yield batch

    def missed_until(self, time_ns: int) -> int:
        """Samples missed before the rows up to a time; each gap is told once, so that a restart counts none twice."""
        told = sum(missed for at_ns, missed in self.gaps if at_ns <= time_ns)
        self.gaps = [gap for gap in self.gaps if gap[0] > time_ns]
        return told
