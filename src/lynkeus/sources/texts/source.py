"""TextSource: texts as samples, with all that is known of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import SourceError
from lynkeus.files.damaged import one_line
from lynkeus.sources.texts.records import Records, is_database, read_database, read_records

TEXT = "text"
BATCH = 1000
LONGEST = 100_000  # letters of a text that are read
LONGEST_KNOWN = 200  # letters of what is known of it
OF_TASKS = {"name", "parameters", "errors"}
USUAL = ("text", "description", "desc", "body", "message", "content", "entry")


class TextSource:
    """The texts of a column of a file, a folder of text files or a table of a database; other columns are meta.

    `column` "": one that is usually called so, else the one with the longest entries; `expected`: as a model calls it,
    to which another name is taken where there is only one. Raises SourceError where there is no such column or text.
    """

    start_ns = None

    def __init__(self, data: str | Path, column: str = "", expected: str = "") -> None:
        self.files = () if is_database(str(data)) else (Path(data).expanduser(),)
        if self.files:
            with one_line(self.files[0]):
                self.records = read_records(self.files[0])
        else:
            self.records = read_database(str(data))
        if not column and set(self.records.columns) == OF_TASKS:
            raise SourceError(
                f"{data}: holds failed tasks, not texts; a model of those reads it, or --text names a column"
            )
        self.column, self.notes = _column(self.records, str(data).rpartition("@")[2], column, expected)
        self.schema = Schema(TEXT, names=(expected or self.column,), shape=())
        texts = self.records.columns[self.column]
        long, empty = sum(len(text) > LONGEST for text in texts), sum(not text.strip() for text in texts)
        if empty == len(texts):
            raise SourceError(f"{data}: the column {self.column!r} holds no text; name another by --text")
        if long:
            self.notes.append(f"of {long} texts only the first {LONGEST} letters are read")
        if empty:
            self.notes.append(f"{empty} texts are empty")

    @property
    def messages(self) -> list[str]:
        """Return how the texts were read."""
        return [*self.records.messages, *self.notes]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Batch]:
        columns = {name: own for name, own in self.records.columns.items() if name != self.column}
        for first in range(0, len(self), BATCH):
            part = slice(first, first + BATCH)
            values = objects([text[:LONGEST] for text in self.records.columns[self.column][part]])
            meta = {name: np.array([one[:LONGEST_KNOWN] for one in own[part]]) for name, own in columns.items()}
            yield Batch(self.schema, values, meta=meta)


def objects(texts: list[str]) -> Array:
    """Return texts as an array of objects: one long text does not make all of them long."""
    found = np.empty(len(texts), object)
    found[:] = texts
    return found


def _column(records: Records, data: str, column: str, expected: str) -> tuple[str, list[str]]:
    names = list(records.columns)
    if column:
        if column not in names:
            raise SourceError(f"{data}: has no column {column!r} (--text); columns are: {', '.join(names)}")
        return column, []
    if expected in names:
        return expected, []
    called = [name for name in names if name.lower() in USUAL]
    longest = max(names, key=lambda name: sum(map(len, records.columns[name])), default="")
    found = called[0] if called else longest
    return found, [] if found.lower() == TEXT else [f"the texts are in the column {found!r}; --text names another"]
