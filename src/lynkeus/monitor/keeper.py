"""Keeper: records of runs on their way into a store, some at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lynkeus.core import RunRecord
from lynkeus.monitor.run_records import add_runs
from lynkeus.monitor.store import Store

STORED_TOGETHER = 20  # records that are committed at once


class Keeper:
    """Takes records and commits them to a store; those that wait are committed by `flush`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.waiting: list[RunRecord] = []

    def __call__(self, record: RunRecord) -> bool:
        """Take a record; return whether none waits any more."""
        self.waiting.append(record)
        if len(self.waiting) >= STORED_TOGETHER:
            self.flush()
        # The journal of a table may call a run done only when the store has it, else a kill would lose it there.
        return not self.waiting

    def flush(self) -> None:
        """Commit the records that wait."""
        if self.waiting:
            add_runs(self.store, self.waiting)
            self.waiting = []


@contextlib.contextmanager
def keeper(url: str | None) -> Iterator[Keeper | None]:
    """Give a Keeper for the store at a URL, and commit what waits at the end; None where there is no store."""
    if url is None:
        yield None
        return
    with contextlib.closing(Store(url)) as store:
        keep = Keeper(store)
        yield keep
        keep.flush()
