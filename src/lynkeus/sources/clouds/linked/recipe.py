"""LinkedRecipe: a sample for each jet (or another entry) of each event, with the entries of lists that belong to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Array, Schema
from lynkeus.core.errors import SourceError
from lynkeus.core.packed import Group, Packed
from lynkeus.sources.clouds.columns import Table, nearest, rows_of
from lynkeus.sources.clouds.files.cloud_file import CloudFile
from lynkeus.sources.clouds.linked.flat import Events, Flat, entries_of
from lynkeus.sources.clouds.linked.layout import Choice, Linked, LinkedGroup
from lynkeus.sources.clouds.recipe import UNKNOWN, Clouds
from lynkeus.sources.clouds.weaver.variables import Variables, needed
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.tables import listed
from lynkeus.transforms.expressions import Expression

COUNT = "n_"  # before the name of a group: how many of its entries a sample has, before `length` cuts them


class LinkedRecipe:
    """Samples by a table [clouds]; see `Linked`. Of what may be written in several ways the first that all files have
    is read. Raises SourceError naming file and branch for what is not there."""

    def __init__(self, files: Sequence[CloudFile], given: Linked, layout: Layout, expected: Schema | None) -> None:
        self.given, self.name, self.files = given, layout.name, files
        self.layout = layout.to_dict()
        self.messages: list[str] = []
        self.groups = [group for group in given.groups if self._is_there(group)]
        if not self.groups:
            raise SourceError(f"{files[0].path}: has none of the groups {listed([g.name for g in given.groups])}")
        self.collections = tuple(dict.fromkeys([given.sample, *(c for g in given.groups for c in g.collections)]))
        self.own: dict[str, dict[str, Expression]] = {}
        self.orders: dict[str, list[Expression]] = {}
        self.selects: dict[str, Expression] = {}
        for group in self.groups:
            names = set(group.features) | {f"{COUNT}{other.name}" for other in self.groups}
            where = f"group {group.name} of {self.name}"
            self.own[group.name] = {
                k: self._chosen(own, f"{where}, feature {k}", names) for k, own in group.features.items()
            }
            self.orders[group.name] = [self._chosen(own, f"{where}, order", names) for own in group.order]
            if group.select:
                self.selects[group.name] = self._chosen(group.select, f"{where}, select", names)
        self.select = self._chosen(given.select, f"select of {self.name}") if given.select else None
        self.observers = {k: own for k, choice in given.observers.items() if (own := self._optional(choice, k))}
        self.classes = self._conditions(expected)
        features = tuple(f"{group}/{feature}" for group, own in self.own.items() for feature in own)
        classes = (expected.classes if expected is not None else ()) or tuple(self.classes)
        self.schema = Schema("cloud", features, (), (None, None), classes=classes)

    def needs(self, file: CloudFile) -> list[str]:
        """Return the branches that are read; see Recipe."""
        wanted = [*(name for group in self.groups for name in group.branches(self.given.sample))]
        for expression in self._expressions():
            wanted += expression.names
        collections = {name for name in self.collections if f"n{name}" in file.types}
        there = needed(wanted, self.given.variables)
        return list(
            dict.fromkeys([*(n for n in there if n in file.types), *(f"n{name}" for name in sorted(collections))])
        )

    def clouds(self, table: Table, path: Path, first: int, notes: Counter[str]) -> Clouds:
        """Return the samples of a piece; see Recipe."""
        held = Variables(table, self.given.variables, str(path))
        events = Events(held, self.collections, path, first)
        samples = self._samples(events, rows_of(table), notes)
        count = len(samples.event)
        groups, counts = dict[str, Group](), dict[str, Array]()
        for group in sorted(self.groups, key=lambda own: not own.collections):  # counts of the others come first
            at, seen = entries_of(group, samples, self.given.sample, notes)
            seen.new = self.own[group.name]
            if not group.collections:
                seen.known |= {f"{COUNT}{name}": own for name, own in counts.items()}
            groups[group.name], counts[group.name] = self._group(group, at, seen, count)
        packed = Packed({group.name: groups[group.name] for group in self.groups})
        leading = next((group.name for group in self.groups if group.collections), self.groups[0].name)
        empty = int((counts[leading] == 0).sum())
        if empty:
            notes[f"samples without {leading}"] += empty
        meta = {name: samples.value(own, name) for name, own in self.observers.items()}
        start = samples_start(samples, self.given.sample)
        meta |= {"entry": samples.rows[self.given.sample] - start[samples.event]}
        return Clouds(packed, samples.event, meta, self._truth(samples, notes))

    def role(self, name: str) -> str:
        """Return what a branch is read as."""
        if name in {own for group in self.groups for own in group.branches(self.given.sample)}:
            return "which entries belong to a sample"
        for group, own in self.own.items():
            if any(name in needed(expression.names, self.given.variables) for expression in own.values()):
                return f"feature of {group}"
        used = needed((n for own in self._expressions() for n in own.names), self.given.variables)
        return "read" if name in used else "not read"

    def _samples(self, events: Events, rows: int, notes: Counter[str]) -> Flat:
        sample = self.given.sample
        column = next(name for name in events.held.columns if events.collection_of(name) == sample)
        offsets = events.offsets(sample, column)
        event = np.repeat(np.arange(rows), np.diff(offsets))
        samples = Flat(events, {sample: np.arange(len(event))}, event, {}, str(events.path))
        if self.select is None:
            return samples
        kept = samples.value(self.select, "select").astype(bool)
        if not kept.all():
            notes["samples left out by the selection"] += int((~kept).sum())
        return samples.taken(kept)

    def _group(self, group: LinkedGroup, at: Any, seen: Flat, count: int) -> tuple[Group, Array]:
        select = self.selects.get(group.name)
        if select is not None:
            kept = seen.value(select, "select").astype(bool)
            at, seen = at[kept], seen.taken(kept)
        keys = [seen.value(own, "order") for own in self.orders[group.name]]
        order = (
            np.lexsort((*(np.nan_to_num(key, nan=np.inf) for key in reversed(keys)), at))
            if keys
            else np.arange(len(at))
        )
        lengths = np.bincount(at, minlength=count)
        place = np.arange(len(at)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        kept = order if group.length is None else order[place < group.length]
        values = np.empty((len(kept), len(group.features)), np.float32)
        for k, (name, expression) in enumerate(self.own[group.name].items()):
            with np.errstate(over="ignore"):
                values[:, k] = seen.value(expression, name)[kept]
        return Group.of_lengths(values, np.minimum(lengths, group.length) if group.length else lengths), lengths

    def _truth(self, samples: Flat, notes: Counter[str]) -> Array | None:
        if not self.classes:
            return None
        number = {name: k for k, name in enumerate(self.schema.classes)}
        truth = np.full(len(samples.event), UNKNOWN, np.int64)
        for name, condition in reversed(self.classes.items()):
            truth[samples.value(condition, f"classes.{name}").astype(bool)] = number.get(name, UNKNOWN)
        lost = int((truth == UNKNOWN).sum())
        if lost:
            notes[f"samples of none of the classes {', '.join(self.schema.classes)}"] += lost
        return truth

    def _conditions(self, expected: Schema | None) -> dict[str, Expression]:
        found = {name: self._optional(choice, "") for name, choice in self.given.classes.items()}
        lost = next((name for name, own in found.items() if own is None), "")
        if lost:
            missing = self._missing(self.given.classes[lost][0], set())
            if expected is None:
                self.messages.append(f"no classes: {missing}")
            return {}
        return {name: own for name, own in found.items() if own is not None}

    def _is_there(self, group: LinkedGroup) -> bool:
        names = set(group.features) | {f"{COUNT}{other.name}" for other in self.given.groups}
        for file in self.files:
            lost = [name for name in group.branches(self.given.sample) if name not in file.types]
            if lost and group.optional:
                self.messages.append(f"{file.path}: no {group.name}, as there is no branch {lost[0]}")
                return False
            if lost:
                what = f"by which {self.name} finds {group.name}{nearest(lost[0], file.types)}"
                raise SourceError(f"{file.path}: has no branch {lost[0]}, {what}; another layout may fit: lynkeus look")
        for choice in (*group.features.values(), *group.order) if group.optional else ():
            if all(self._missing(expression, names) for expression in choice):
                self.messages.append(f"no {group.name}: {self._missing(choice[0], names)}")
                return False
        return True

    def _chosen(self, choice: Choice, what: str, names: set[str] | None = None) -> Expression:
        for expression in choice:
            if not self._missing(expression, names or set()):
                return expression
        raise SourceError(f"{self._missing(choice[0], names or set())} ({what})")

    def _optional(self, choice: Choice, what: str) -> Expression | None:
        found = next((own for own in choice if not self._missing(own, set())), None)
        if found is None and what:
            self.messages.append(f"{what} is left out: {self._missing(choice[0], set())}")
        return found

    def _missing(self, expression: Expression, names: set[str]) -> str:
        """Return which file lacks what of an expression, '' where all of it is there; `names` are known otherwise."""
        for column in needed((n for n in expression.names if n not in names), self.given.variables):
            for file in self.files:
                if column not in file.types:
                    return f"{file.path}: has no branch {column}{nearest(column, file.types)}"
        return ""

    def _expressions(self) -> Iterable[Expression]:
        for group in self.own:
            yield from self.own[group].values()
            yield from self.orders[group]
        yield from self.selects.values()
        yield from self.observers.values()
        yield from self.classes.values()
        if self.select is not None:
            yield self.select


def samples_start(samples: Flat, sample: str) -> Array:
    """Return (events,) the first entry of each event in the collection of samples."""
    return samples.events.lengths[sample][1][:-1]
