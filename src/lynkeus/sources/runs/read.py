"""RunFolder and ReadRuns: runs as Sources, as they lie in their files and as a model reads them, one batch per run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SourceError
from lynkeus.sources.runs.folder import Reader, Run, RunFile


@dataclass(frozen=True)
class RunFolder:
    """The runs of a folder before it is known which of their columns count: what `fit` and `score` are given.

    A model reads them by its own columns and plots (`ReadRuns`); without one they have no common shape.
    """

    runs: Sequence[RunFile]

    @property
    def schema(self) -> Schema:
        """Return a schema of clouds of events, of columns that are not known yet."""
        return Schema("cloud", shape=(None, None))

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files, of runs that have one."""
        return tuple(run.path for run in self.runs if run.path is not None)

    @property
    def origin(self) -> dict[str, Any]:
        """Return how many runs these are, and the names of the first and the last: there may be too many to read them
        again."""
        names = [run.name for run in self.runs]
        return {"runs": len(names), "first": names[0] if names else "", "last": names[-1] if names else ""}

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Batch]:
        raise SourceError("runs of events are read by a model of runs; fit one with lynkeus fit DATA --run-per-file")


@dataclass(frozen=True)
class ReadRuns:
    """Runs as a model reads them: `kind` "cloud" (their events) or "histogram" (their plots), a batch of one sample
    each, so that long runs never lie side by side.

    `meta`: name of the `run`, number of `events`, `counts` (1, bins) of its plots, `start_ns` (0: not known), the
    `group` of each event, the `problem` of a run that cannot be judged, a `note` on what is not judged of it, and in
    JSON the `new_labels` of its plots, and whether people called it `good`.
    """

    reader: Reader
    runs: Sequence[Run | RunFile]
    kind: str

    @property
    def schema(self) -> Schema:
        """Return the schema of clouds of the columns, or of the bins of all plots in a row."""
        names = self.reader.columns.names
        return Schema("cloud", names, shape=(None, len(names))) if self.kind == "cloud" else self.reader.book.schema

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Batch]:
        for run in self.runs:
            yield self.batch(run if isinstance(run, Run) else self.reader.read(run))

    def batch(self, run: Run) -> Batch:
        """Return one run as a batch of one sample."""
        meta: dict[str, Any] = {
            "run": np.array([run.name]),
            "events": np.array([run.events]),
            "counts": run.counts[None],
            "start_ns": np.array([run.start_ns or 0]),
            "problem": np.array([run.problem]),
            "note": np.array([run.note]),
            "new_labels": np.array([json.dumps(run.new_labels)]),
            "good": np.array([run.good]),
        }
        if self.kind == "histogram":
            return Batch(self.schema, run.counts[None], meta=meta)
        if self.reader.columns.group:
            meta["group"] = run.group[None]
        return Batch(self.schema, run.values[None], mask=np.ones((1, len(run.values)), bool), meta=meta)
