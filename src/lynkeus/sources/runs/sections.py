"""Sections of runs of events: lumisections by a column of whole numbers, or the minutes of a column of times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SettingsError
from lynkeus.sources.runs.events import Events
from lynkeus.sources.runs.folder import TIME, Reader, Run, RunFile, unreadable
from lynkeus.transforms.event_columns import is_text

MINUTE_NS = 60 * 10**9
MOST_SECTIONS = 100_000
DEAD = "no events in this section"


@dataclass(frozen=True)
class Sections:
    """The sections of one run, cut at the values of `column`; of `time_ns` a minute each, counted from the first.

    The events of a run lie in its file in the order of sections, so that a run of any length needs no memory.
    """

    run: RunFile
    column: str

    def read(self, reader: Reader) -> Iterator[Run]:
        """Yield a run named `run/section` of each section; of those between them that have no events (dead time) with a
        `problem`.

        Raises SettingsError where the column is not there, or does not rise.
        """
        last: int | None = None
        for section, parts in groupby(self._parts(), key=lambda part: part[0]):
            for dead in range(section if last is None else last + 1, section):
                yield unreadable(self._file(dead, iter(())), reader, DEAD)
            yield reader.read(self._file(section, (piece for _, piece in parts)))
            last = section

    def _file(self, section: int, pieces: Iterator[Events]) -> RunFile:
        return RunFile(f"{self.run.name}/{section}", lambda: pieces, self.run.path)

    def _parts(self) -> Iterator[tuple[int, Events]]:
        """Yield the number of a section and some of its events, in the order of the file."""
        last: int | None = None
        first_ns: int | None = None
        for piece in self.run.pieces():
            numbers = self._numbers(piece)
            if not len(numbers):
                continue
            if self.column == TIME:
                first_ns = int(numbers.min()) if first_ns is None else first_ns
                numbers = (numbers - first_ns) // MINUTE_NS
            order = np.argsort(numbers, kind="stable")
            rising = numbers[order]
            for start, stop in pairwise([0, *(np.flatnonzero(np.diff(rising)) + 1), len(rising)]):
                section = int(rising[start])
                if last is not None and not 0 <= section - last <= MOST_SECTIONS:
                    raise SettingsError(
                        f"{self.run.where}: the column {self.column!r} goes from {last} to {section}; sort the events "
                        "by it, or name the column of sections"
                    )
                last = section
                yield section, {name: column[order[start:stop]] for name, column in piece.items()}

    def _numbers(self, piece: Events) -> Array:
        column = piece.get(self.column)
        if column is None:
            raise SettingsError(
                f"{self.run.where}: there is no column {self.column!r} to cut it into sections; it has "
                f"{', '.join(piece)}"
            )
        if is_text(column) or not (np.isfinite(column) & (column == np.floor(column))).all():
            raise SettingsError(f"{self.run.where}: the column {self.column!r} must hold a whole number for each event")
        return column.astype(np.int64)
