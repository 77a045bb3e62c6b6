"""TaskSource: failed tasks of one file, of JSON lines, or of a folder with a file for each."""

from __future__ import annotations

import gc
import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Batch
from lynkeus.core.errors import SourceError
from lynkeus.files.damaged import one_line
from lynkeus.sources.tasks.record import NAMES, PARAMETERS, TASK, Record, is_task, record_of
from lynkeus.sources.texts.decoded import decoded
from lynkeus.transforms.counts import TASKS, counted

ENDINGS = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz")
BATCH = 2000
HEAD = 65_536  # bytes in which the first task must begin


class TaskRecords:
    """Tasks that were read, in their order. Meta: `task`, the name of each, and each parameter as text, '' where a task
    does not have it. `files`: those that were read. `messages` says how (`said`), and what was left out (`notes`).
    Raises SourceError naming `where`, if a task is there twice.
    """

    schema = TASKS
    start_ns = None
    files: tuple[Path, ...] = ()

    def __init__(
        self, records: Sequence[Record], where: str, notes: Counter[str] | None = None, said: Sequence[str] = ()
    ) -> None:
        self.said = list(said)
        self.notes: Counter[str] = Counter() if notes is None else notes
        self.records = records
        names = Counter(record.name for record in records)
        twice = [name for name, many in names.items() if many > 1]
        if twice:
            raise SourceError(f"{where}: the task {twice[0]!r} is there twice ({len(twice)} such); keep one of each")
        self._known = sorted({name for record in records for name in record.parameters})

    @property
    def messages(self) -> list[str]:
        """Return how it was read, and what was left out, with how often."""
        return [*self.said, *(f"{what}: {count}" for what, count in self.notes.items())]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Batch]:
        for first in range(0, len(self.records), BATCH):
            part = self.records[first : first + BATCH]
            meta = {name: np.array([one.parameters.get(name, "") for one in part]) for name in self._known}
            meta[TASK] = np.array([one.name for one in part])
            yield counted([one.keys for one in part], [one.counts for one in part], meta)


class TaskSource(TaskRecords):
    """The tasks of `files`. Raises SourceError naming the file, and of JSON the line."""

    def __init__(self, path: Path) -> None:
        self.files = tuple(files_in(path))
        if not self.files:
            raise SourceError(f"{path}: holds no file of {', '.join(ENDINGS)}; check the path")
        notes: Counter[str] = Counter()
        said: list[str] = []
        super().__init__(self._read(notes, said), str(path), notes, said)

    def _read(self, notes: Counter[str], said: list[str]) -> list[Record]:
        records: list[Record] = []
        for file in self.files:
            with one_line(file, mend="write it again"), _without_collections():
                text, lines = decoded(file)
                said += [f"{file.name}: {line}" for line in lines]
                for name, found in _tasks_of(file, text):
                    records.append(record_of(name, found, notes, str(file)))
        if not records:
            raise SourceError(f"{self.files[0]}: holds no task; there is nothing to read")
        return records


@contextmanager
def _without_collections() -> Iterator[None]:
    """Keep the garbage collector from the millions of tables that JSON becomes: none is in a cycle, and going through
    all of them again and again takes a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def files_in(path: Path) -> list[Path]:
    """Return the files of tasks that a path names."""
    if path.is_dir():
        return sorted(one for one in path.iterdir() if one.name.lower().endswith(ENDINGS) and one.is_file())
    return [path] if path.name.lower().endswith(ENDINGS) and path.is_file() else []


def holds_tasks(path: Path) -> bool:
    """Return whether a path is a file of JSON, or a folder whose first one looks as if it held tasks."""
    found = files_in(path)
    if not found or path.is_file():
        return bool(found)
    with one_line(found[0]), _open(found[0]) as file:
        head = file.read(HEAD)
    return '"errors"' in head or f'"{PARAMETERS}"' in head


def _open(file: Path) -> Any:
    if file.suffix.lower() == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig", errors="replace")
    return file.open(encoding="utf-8-sig", errors="replace")


def _tasks_of(file: Path, text: str) -> Iterator[tuple[str, Any]]:
    """Yield the name of each task of a file and what JSON says of it."""
    if any(ending in file.name.lower() for ending in (".jsonl", ".ndjson")):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield from named_tasks(_parsed(line, file, number), file, f"{file.stem}:{number}")
    else:
        yield from named_tasks(_parsed(text, file, 1), file, file.stem)


def _parsed(text: str, file: Path | str, first: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = f"line {first + error.lineno - 1}, column {error.colno}"
        raise SourceError(f"{file}: is no JSON at {at} ({error.msg}); mend that line") from error
    except RecursionError as error:
        raise SourceError(f"{file}: is nested too deep; write a task as parameters and errors") from error


def named_tasks(found: Any, file: Path | str, alone: str) -> Iterator[tuple[str, Any]]:
    """Yield tasks: of a table by name, of a list, or one that stands alone."""
    if isinstance(found, list):
        for number, one in enumerate(found, 1):
            yield _name(one, f"{alone}:{number}"), one
    elif is_task(found):
        yield _name(found, alone), found
    elif isinstance(found, dict):
        yield from found.items()
    else:
        raise SourceError(f"{file}: holds {type(found).__name__} where tasks are meant; write them by name")


def _name(found: Any, otherwise: str) -> str:
    named = [str(found[name]) for name in NAMES if isinstance(found, dict) and found.get(name)]
    return named[0] if named else otherwise
