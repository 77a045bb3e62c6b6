"""EventSource: files of events as a table, as a layout says; and the plain columns that a search reads."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats, Schema
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.core.extras import needing
from lynkeus.sources.clouds.columns import LIST, NUMBER, TEXT, Jagged, Table, nearest, rows_of
from lynkeus.sources.clouds.weaver.variables import as_awkward, needed, plain_of
from lynkeus.sources.events.files import EventFile, event_files
from lynkeus.sources.events.layout import event_layout
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.tables import listed
from lynkeus.transforms.expressions import Expression, evaluate, parse

PROCESS, REGION, WEIGHT = "process", "region", "weight"
BESIDE = ("truth", "time_ns", "position", "event", "run")  # columns of numbers that are no quantity of an event


class Columns(Mapping[str, Any]):
    """The columns of a piece of a file as expressions see them, and new variables, computed when they are asked for.

    Columns of one number each stay NumPy arrays; lists are awkward arrays, which need the extra `hep`.
    """

    def __init__(self, table: Table, new: Mapping[str, Expression], where: str) -> None:
        self.table, self.new, self.where, self.rows = table, new, where, rows_of(table)
        self.known: dict[str, Any] = {}
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> Any:
        if name in self.asked:
            raise SettingsError(f"variables are defined by each other: {' -> '.join([*self.asked, name])}")
        if name not in self.known:
            if name in self.new:
                self.asked.append(name)
                self.known[name] = evaluate(self.new[name], self, f"{self.where}: {name}")
                self.asked.pop()
            else:
                self.known[name] = _seen(self.table[name])
        return self.known[name]

    def __contains__(self, name: object) -> bool:
        return name in self.new or name in self.table

    def __iter__(self) -> Iterator[str]:
        return iter({**self.new, **self.table})

    def __len__(self) -> int:
        return len({**self.new, **self.table})

    def value(self, expression: Expression, what: str) -> Array:
        """Return one number or word of each event. Raises SettingsError where the expression gives something else."""
        where = f"{self.where}: {what}"
        held = evaluate(expression, self, where)
        if isinstance(held, np.ndarray) and held.shape == (self.rows,):
            return held
        if np.isscalar(held):
            return np.full(self.rows, held)
        found: Array = plain_of(held, self.rows, where)
        return found


def _plain(name: str) -> bool:
    """Return whether an expression may name a column: an index that pandas wrote (__index_level_0__) is none."""
    return name.isidentifier() and not name.startswith("_")


def _seen(column: Any) -> Any:
    if not isinstance(column, Jagged):
        return column
    with needing("lists of each event", "hep"):
        return as_awkward(column)


class EventSource:
    """The events of a file, a folder or a pattern, by the table [events] of a layout.

    Values are its columns, or those of the schema that is `expected`; in meta: process, region, observers, weights and
    columns with a systematic up and down. What data do not have of the latter is left out, and said. Raises SourceError
    or SettingsError naming file and field.
    """

    def __init__(self, path: Path, layout: Layout, expected: Schema | None = None) -> None:
        self.events = event_layout(layout.events or {}, layout.name or "layout")
        self.path = path
        self.readers = event_files(path, self.events.tree)
        self.files = tuple(reader.path for reader in self.readers)
        self.messages: list[str] = []
        self.notes: Counter[str] = Counter()
        self.weight = self.events.weight or (parse(layout.weight, "--weights") if layout.weight else None)
        self.columns = self._columns(expected, layout.truth)
        self.optional = self._optional(layout.truth)
        if self.weight is not None and (lost := self._lost(self.weight)):
            self.messages.append(f"{lost}: its events weigh 1")
            self.weight = None
        for what, expression in [("select", self.events.select), *self.columns.items()]:
            if expression is not None and (lost := self._lost(expression)):
                raise SourceError(f"{lost} ({what} of {layout.name or 'the layout'})")
        self.processes, self.regions = (self._conditions(part) for part in ("processes", "regions"))
        names = tuple(self.columns)
        self.schema = Schema("table", names, (layout.unit,) if layout.unit else (), (len(names),), None, (),
                             layout.instrument)  # fmt: skip

    def __iter__(self) -> Iterator[Batch]:
        first = 0
        for columns, weight in self.tables():
            values = np.column_stack([np.asarray(columns.pop(name), float) for name in self.columns])
            columns["position"] = np.arange(first, first + len(values))
            first += len(values)
            yield Batch(self.schema, values, weight=weight, meta=columns)

    def tables(self) -> Iterator[tuple[dict[str, Array], Floats | None]]:
        """Yield pieces: all columns of the selected events by name, and their weights (None: there are none), which may
        be negative here."""
        self.notes.clear()
        seen = 0
        for number, reader in enumerate(self.readers):
            names = [name for name in needed(self._names(), self.events.variables) if name in reader.types]
            for table in reader.pieces(names or list(reader.types)[:1]):
                columns, weight = self._piece(Columns(table, self.events.variables, str(reader.path)), reader)
                columns["file"] = np.full(len(next(iter(columns.values()))), number)
                seen += len(columns["file"])
                if seen and len(columns["file"]):
                    yield columns, weight
        self.messages = [line for line in self.messages if not line.startswith("events ")]
        self.messages += [f"events {what}: {count}" for what, count in self.notes.items() if count]
        if not seen:
            raise SourceError(f"{self.path}: no event is selected; change select in the layout, or the file")

    def _piece(self, held: Columns, reader: EventFile) -> tuple[dict[str, Array], Floats | None]:
        kept = np.ones(held.rows, bool)
        if self.events.select is not None:
            kept = held.value(self.events.select, "select").astype(bool)
            self.notes["left out by the selection"] += int((~kept).sum())
        found = {name: held.value(own, name)[kept] for name, own in (self.columns | self.optional).items()}
        for name, conditions in ((PROCESS, self.processes), (REGION, self.regions)):
            if conditions:
                found[name] = self._first(conditions, held, name)[kept]
        if self.events.files:
            found[PROCESS] = np.full(int(kept.sum()), self._of_file(reader.path))
        if self.weight is None:
            return found, None
        weight = held.value(self.weight, WEIGHT).astype(float)[kept]
        bad = np.flatnonzero(~np.isfinite(weight))
        if len(bad):
            raise SourceError(
                f"{reader.path}: the weight of selected event {bad[0]} is {weight[bad[0]]:g}, as of {len(bad)} in all; "
                "leave such events out by select, or write the weights again"
            )
        return found, weight

    def _first(self, conditions: Mapping[str, Expression], held: Columns, what: str) -> Array:
        """Return (n,) the first name whose condition holds, '' where none does."""
        found = np.full(held.rows, "", dtype=f"<U{max(map(len, conditions))}")
        for name, condition in reversed(list(conditions.items())):
            found[held.value(condition, f"{what} {name}").astype(bool)] = name
        self.notes[f"of no {what}"] += int((found == "").sum())
        return found

    def _of_file(self, path: Path) -> str:
        for pattern, process in self.events.files.items():
            if fnmatch.fnmatch(path.name, pattern) or fnmatch.fnmatch(str(path), pattern):
                return process
        raise SourceError(f"{path}: none of the patterns in files of the layout says of which process it is; add one")

    def _columns(self, expected: Schema | None, label: str) -> dict[str, Expression]:
        """Return the columns by name; without any in the layout every number of the file that is none beside."""
        given = dict(self.events.columns)
        types = self.readers[0].types
        if not given:
            used = {label, *(self.weight.names if self.weight else ()), *BESIDE, *self.events.observers}
            given = {name: parse(name, name) for name, kind in types.items()
                     if kind == NUMBER and name not in used and _plain(name)}  # fmt: skip
            hidden = [name for name, kind in types.items() if kind == NUMBER and not _plain(name)]
            if hidden:
                self.messages.append(f"{self.path}: columns that no expression can name left out: {listed(hidden)}")
        if expected is not None:
            lacking = [name for name in expected.names if name not in given]
            if lacking:
                raise SourceError(
                    f"{self.path}: no column {lacking[0]}, which the model reads{nearest(lacking[0], given)}; name it "
                    "in the layout"
                )
            return {name: given[name] for name in expected.names}
        if not given:
            raise SourceError(f"{self.path}: holds no column of numbers for events; it has {listed(list(types))}")
        return given

    def _optional(self, label: str) -> dict[str, Expression]:
        """Return what is known beside the values; what files lack, as data lack weights, is left out and said."""
        found, lost = dict[str, Expression](), list[str]()
        wanted = self.events.optional
        for name in (label, PROCESS, REGION):
            if name and name not in wanted and all(name in reader.types for reader in self.readers):
                wanted[name] = parse(name, name)
        if not self.events.columns:  # a file read as it is: all that it says of an event in words
            wanted |= {name: parse(name, name) for name, kind in self.readers[0].types.items()
                       if (kind == TEXT or name in BESIDE) and _plain(name)}  # fmt: skip
        for name, expression in wanted.items():
            if self._lost(expression):
                lost.append(name)
            elif name not in self.columns:
                found[name] = expression
        if lost:
            self.messages.append(f"{self.path}: has nothing for {listed(lost)}; left out")
        return found

    def _conditions(self, part: str) -> dict[str, Expression]:
        """Return the conditions of processes or regions; none where files lack their columns, as data do."""
        found: Mapping[str, Expression] = getattr(self.events, part)
        lost = next((lost for own in found.values() if (lost := self._lost(own))), "")
        if lost:
            self.messages.append(f"{lost}: no {part} are told")
        return {} if lost else dict(found)

    def _names(self) -> list[str]:
        used: Iterable[Expression | None] = [
            self.events.select, self.weight, *self.columns.values(), *self.optional.values(),
            *self.processes.values(), *self.regions.values(),
        ]  # fmt: skip
        return list(dict.fromkeys(name for one in used if one is not None for name in one.names))

    def _lost(self, expression: Expression) -> str:
        """Return which file lacks what of an expression, '' where all have it."""
        for column in needed(expression.names, self.events.variables):
            for reader in self.readers:
                kind = reader.types.get(column, "")
                if kind not in (NUMBER, TEXT, LIST):
                    what = f"column {column} holds {kind}" if kind else f"has no column {column}"
                    return f"{reader.path}: {what}{nearest(column, reader.types) if not kind else ''}"
        return ""
