"""The journal of a judging of runs, beside the table that it will become: killed and started again, it goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from lynkeus.files.model_folder import SUMS
from lynkeus.sources.runs.folder import RunFile

SUFFIX = ".journal"


@dataclass
class RunJournal:
    """Lines of JSON: `head`, what the verdicts depend on, then each run with its rows of the table and the size and
    time of its file. `runs` that are judged; those `waiting` to be written;
    `parts` of a run that is being judged."""

    path: Path
    head: dict[str, Any]
    stamps: dict[str, list[int]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def open(cls, output: Path, model: Path, files: Sequence[RunFile], **settings: Any) -> Self:
        """The journal of a table, of verdicts by a model with these settings; begun afresh where anything differs.

        Runs whose files have changed since, or are no longer there, are forgotten.
        """
        sums = hashlib.sha256((model / SUMS).read_bytes()).hexdigest()
        found = cls(output.with_name(output.name + SUFFIX), {"model": sums, **settings})
        found.stamps = {file.name: _stamp(file) for file in files}
        head, *lines = _lines(found.path) or [{}]
        if head == found.head:
            found.runs = {line["run"]: line for line in lines if found.stamps.get(line["run"]) == line["stamp"]}
        kept = "".join(_json(line) for line in [found.head, *found.runs.values()])
        found.path.parent.mkdir(parents=True, exist_ok=True)
        found.path.write_text(kept, encoding="utf-8")
        return found

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Of all runs, in the order of the files, each before its sections."""
        return [row for name in self.stamps if name in self.runs for row in self.runs[name]["rows"]]

    def left(self, files: Sequence[RunFile]) -> list[RunFile]:
        """The runs that are not judged yet."""
        return [file for file in files if file.name not in self.runs]

    def add(self, row: Mapping[str, Any]) -> None:
        """A row of the table; that of a run comes after those of its sections. `commit` writes it, once all else that
        is kept of the run is safe."""
        self.parts.append(dict(row))
        name = row["run"]
        if name in self.stamps:
            rows = [self.parts[-1], *self.parts[:-1]]
            self.runs[name] = {"run": name, "stamp": self.stamps[name], "rows": rows}
            self.waiting.append(name)
            self.parts = []

    def commit(self) -> None:
        """Write the runs that were added."""
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(_json(self.runs[name]) for name in self.waiting)
        self.waiting = []

    def remove(self) -> None:
        """The table is written: the journal is not needed any more."""
        self.path.unlink(missing_ok=True)


def _lines(path: Path) -> list[dict[str, Any]]:
    """All whole lines; the last one may have been cut by a kill."""
    found = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            found.append(json.loads(line))
    except (OSError, ValueError):
        pass
    return found


def _json(line: Mapping[str, Any]) -> str:
    return json.dumps(line) + "\n"


def _stamp(file: RunFile) -> list[int]:
    if file.path is None:
        return []
    about = file.path.stat()
    return [about.st_size, about.st_mtime_ns]
