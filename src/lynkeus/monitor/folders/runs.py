"""A folder of runs as it is watched: each run gets a verdict, kept in the store with all its plots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lynkeus.core.progress import silent
from lynkeus.files.journal import Stamp, stamp_of
from lynkeus.fitting.verdicts import RunVerdicts
from lynkeus.monitor import run_records
from lynkeus.monitor.folders.watch import Judged
from lynkeus.monitor.keeper import Keeper
from lynkeus.monitor.store import Store
from lynkeus.sources.runs.folder import RunFile, open_runs


class WatchedRuns:
    """The runs of a folder, or those that `find` names, see `Files`.

    Raises SourceError, at the first look or later, where there is none.
    """

    def __init__(
        self, verdicts: RunVerdicts, data: str, store: Store, find: Callable[[], list[RunFile]] | None = None
    ) -> None:
        self.verdicts, self.store = verdicts, store
        self.find = find or (lambda: open_runs(data, verdicts.view.columns.tree))
        self.model = str(verdicts.fitted.lineage.get("name", ""))
        self._files: list[RunFile] = []

    def look(self) -> dict[str, Stamp]:
        """Return the runs with the stamps of their files."""
        self._files = list(self.find())
        return {run.name: stamp_of(run.path) for run in self._files}

    def judge(self, now: Mapping[str, Stamp]) -> Iterator[Judged]:
        """Judge those that are new to the store."""
        keep = Keeper(self.store)
        new = [run for run in self._files if run.name in now and self._is_new(run)]
        for record in self.verdicts.of(new, silent):
            keep(record)
            yield Judged(record.run, record.verdict, record.reason)
        keep.flush()

    def messages(self) -> list[str]:
        """Return nothing: all that there is to say is in the verdicts."""
        return []

    def _is_new(self, run: RunFile) -> bool:
        """Return whether a run was not judged by the model since its file was written."""
        history = run_records.verdict_history(self.store, self.model, run.name)
        if not history:
            return True
        return run.path is not None and Path(run.path).stat().st_mtime_ns > history[0][1]
