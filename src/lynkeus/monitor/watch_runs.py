"""Watch a folder of runs: each run that appears in it gets a verdict, kept in the store with all its plots.

What is in the store already is not judged again, so that a watch that was killed goes on; a file that is still being
written is left until its size stands still.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lynkeus.core import Verdict
from lynkeus.core.progress import silent
from lynkeus.files.journal import stamp_of
from lynkeus.fitting.verdicts import RunVerdicts
from lynkeus.monitor import run_records
from lynkeus.monitor.keeper import Keeper
from lynkeus.monitor.store import Store
from lynkeus.sources.runs.folder import RunFile, open_runs

PAUSE_S = 5.0  # between two looks into the folder


@dataclass
class RunsWatched:
    """What a watch of runs did so far: `judged` runs, how many of them are `flagged`, how many could not be judged
    (`unjudged`), and a line on each of these (`messages`)."""

    judged: int = 0
    flagged: int = 0
    unjudged: int = 0
    messages: list[str] = field(default_factory=list)


def watch_runs(
    verdicts: RunVerdicts, data: str, store: Store, follow: bool, tick: Callable[[RunsWatched], None] | None = None,
    pause_s: float = PAUSE_S,
) -> RunsWatched:  # fmt: skip
    """Judge all runs of a folder that the store has not seen; `follow`: then wait for new ones until interrupted.

    Raises SourceError where there is no run at all.
    """
    model = str(verdicts.fitted.lineage.get("name", ""))
    done, seen = RunsWatched(), dict[str, list[int]]()
    while True:
        files = open_runs(data, verdicts.view.columns.tree)
        # A file that changed between two looks is still being written; it is read when it has come to rest.
        ready = [run for run in files if not follow or seen.get(run.name) == stamp_of(run.path)]
        seen = {run.name: stamp_of(run.path) for run in files}
        keep = Keeper(store)
        for record in verdicts.of([run for run in ready if _is_new(store, model, run)], silent):
            keep(record)
            done.judged += 1
            done.flagged += record.verdict in (Verdict.WARN, Verdict.BAD)
            done.unjudged += record.verdict == Verdict.NOT_ENOUGH_DATA
            if record.verdict != Verdict.GOOD:
                done.messages.append(f"{record.run}: {record.verdict.value.upper()}, {record.reason}")
        keep.flush()
        if tick is not None:
            tick(done)
        if not follow:
            return done
        time.sleep(pause_s)


def _is_new(store: Store, model: str, run: RunFile) -> bool:
    """Return whether a run was not judged by the model since its file was written."""
    history = run_records.verdict_history(store, model, run.name)
    if not history:
        return True
    return run.path is not None and Path(run.path).stat().st_mtime_ns > history[0][1]
