"""Runs in short, for the first page: of each model how many there are, and which are not good."""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple

from lynkeus.monitor import run_records
from lynkeus.monitor.run_records import RunFilter, StoredRun
from lynkeus.monitor.store import Store

MODELS, LATEST, FLAGGED = 4, 40, 5


class RunsInShort(NamedTuple):
    """`latest` runs of a model, the last one last; `flagged` ones, the last one first; how many there are of each."""

    model: str
    latest: list[StoredRun]
    total: int
    flagged: list[StoredRun]
    flagged_total: int


class RunsReader:
    """Reads them anew only where a run was judged, or something was said, since."""

    def __init__(self) -> None:
        self._stamp: tuple[int, int] | None = None
        self._found: list[RunsInShort] = []
        self._lock = Lock()

    def read(self, store: Store) -> list[RunsInShort]:
        """Return the models that judged runs, the one that judged last first."""
        with self._lock:
            stamp = run_records.stamp(store)
            if stamp != self._stamp:
                self._found = [_of(store, model) for model in run_records.models(store)[:MODELS]]
                self._stamp = stamp
            return self._found


def _of(store: Store, model: str) -> RunsInShort:
    latest, total = run_records.runs(store, RunFilter(model), LATEST)
    flagged, flagged_total = run_records.runs(store, RunFilter(model, "flagged"), FLAGGED)
    return RunsInShort(model, latest[::-1], total, flagged, flagged_total)
