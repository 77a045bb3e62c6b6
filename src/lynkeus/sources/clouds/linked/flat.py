"""Flat: columns of an event as seen from some of its entries, one value each; new ones are computed when asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.sources.clouds.columns import Jagged
from lynkeus.sources.clouds.kinematics import delta_phi
from lynkeus.sources.clouds.linked.layout import LinkedGroup
from lynkeus.sources.clouds.weaver.variables import Variables, plain_of
from lynkeus.transforms.expressions import Expression, evaluate

Index = npt.NDArray[np.int64]


class Events:
    """A piece of a file: its collections, whose columns all have one length in each event. `first` row of the file.

    Raises SourceError naming file and branch for a column that is longer or shorter than the others of its collection.
    """

    def __init__(self, held: Variables, collections: tuple[str, ...], path: Path, first: int) -> None:
        self.held, self.path, self.first = held, path, first
        self.collections = sorted(collections, key=len, reverse=True)
        self.lengths: dict[str, tuple[str, Index]] = {}

    def collection_of(self, name: str) -> str:
        """Return the collection that a column is of, '' for one of the event as a whole."""
        return next((own for own in self.collections if name.startswith(f"{own}_")), "")

    def column(self, name: str) -> Array:
        """Return all entries of a column, one event after the other."""
        return self.lists(name).values

    def lists(self, name: str) -> Jagged:
        """Return a column of a collection by event."""
        found = self.held.lists(name)
        own = self.collection_of(name)
        known, offsets = self.lengths.setdefault(own, self._counted(own) or (name, found.offsets))
        if not np.array_equal(offsets, found.offsets):
            row = int(np.argmax(np.diff(offsets) != found.lengths))
            raise SourceError(
                f"{self.path}: {name} has {found.lengths[row]} entries in event {self.first + row}, where {known} says "
                f"{np.diff(offsets)[row]}; the file was written wrongly: leave {name} out, or write it again"
            )
        return found

    def offsets(self, collection: str, name: str) -> Index:
        """Return the offsets of a collection by event, known from its counter or a column of it."""
        self.lists(name)
        return self.lengths[collection][1]

    def _counted(self, collection: str) -> tuple[str, Index] | None:
        counter = f"n{collection}"
        if counter not in self.held.columns:
            return None
        counts = self.held.plain(counter)
        return counter, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


@dataclass
class Flat(Mapping[str, Any]):
    """The columns of events as seen from entries: `rows` has, by collection, which of its entries each entry is or
    points at; `event`: of which event it is; `new`: expressions by name; `known`: columns that are there already."""

    events: Events
    rows: Mapping[str, Index]
    event: Index
    new: Mapping[str, Expression]
    where: str
    known: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        if name not in self.known:
            if name in self.new and name not in self.new[name].names:
                self.known[name] = self.value(self.new[name], name)
            else:
                collection = self.events.collection_of(name)
                self.known[name] = (
                    self.events.column(name)[self.rows[collection]]
                    if collection
                    else self.events.held.plain(name)[self.event]
                )
        return self.known[name]

    def value(self, expression: Expression, what: str) -> Array:
        """Return the value of an expression for each entry."""
        where = f"{self.where}: {what}"
        found = evaluate(expression, self, where)
        return plain_of(np.asarray(found) if np.ndim(found) else found, len(self.event), where)

    def taken(self, index: Any) -> Flat:
        """Return the same as seen from the entries that a mask or numbers choose."""
        rows = {name: own[index] for name, own in self.rows.items()}
        known = {name: np.asarray(own)[index] for name, own in self.known.items()}
        return Flat(self.events, rows, self.event[index], self.new, self.where, known)

    def __contains__(self, name: object) -> bool:
        held, own = self.events.held, str(name)
        collection = self.events.collection_of(own)
        there = own in held and (not collection or collection in self.rows)
        return own in self.known or own in self.new or there

    def __iter__(self) -> Iterator[str]:
        return iter({**self.new, **self.known, **dict.fromkeys(self.events.held)})

    def __len__(self) -> int:
        return len(list(iter(self)))


def entries_of(
    group: LinkedGroup, samples: Flat, sample: str, notes: Counter[str]
) -> tuple[npt.NDArray[np.int64], Flat]:
    """Return of which sample each entry of a group is (samples first), and the columns as seen from the entries.

    Entries that point at what is not there are left out, and counted.
    """
    events = samples.events
    jets, own = samples.rows[sample], samples.event
    if not group.collections:
        return np.arange(len(jets)), Flat(events, dict(samples.rows), own, {}, samples.where)
    if group.links:
        at, rows = _linked(group, samples, sample, notes)
    elif group.near:
        at, rows = _near(group, samples, sample)
    else:
        at, rows = _indexed(group, samples)
    order = np.argsort(at, kind="stable")
    rows = {name: index[order] for name, index in rows.items()} | {sample: jets[at[order]]}
    return at[order], Flat(events, rows, own[at[order]], {}, samples.where)


def _linked(group: LinkedGroup, samples: Flat, sample: str, notes: Counter[str]) -> tuple[Index, dict[str, Index]]:
    events = samples.events
    lists = events.lists(group.sample)
    event = np.repeat(np.arange(len(lists)), lists.lengths)
    number, good = _pointed(lists.values, event, samples_offsets(samples, sample))
    rows = {group.links: np.arange(len(event))}
    for name, branch in group.of.items():
        reference = next((own for own in events.lengths if own == name), None)
        offsets = events.lengths[name][1] if reference else events.offsets(name, _any_column(events, name))
        rows[name], there = _pointed(events.column(branch), event, offsets)
        good &= there
    lost = int((~good).sum())
    if lost:
        what = " or ".join([sample, *group.of])
        notes[f"entries of {group.links} that point at no {what} that is there, left out"] += lost
    place = np.full(int(samples_offsets(samples, sample)[-1]), -1, np.int64)
    place[samples.rows[sample]] = np.arange(len(samples.event))
    at = np.where(good, place[np.where(good, number, 0)] if len(place) else -1, -1)
    kept = at >= 0
    return at[kept], {name: index[kept] for name, index in rows.items()}


def _near(group: LinkedGroup, samples: Flat, sample: str) -> tuple[Index, dict[str, Index]]:
    events, name = samples.events, group.near
    eta, phi = events.lists(f"{name}_eta"), events.lists(f"{name}_phi")
    count = eta.lengths[samples.event]
    at = np.repeat(np.arange(len(samples.event)), count)
    inside = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    entry = eta.offsets[samples.event][at] + inside
    deta = eta.values[entry] - np.asarray(samples[f"{sample}_eta"])[at]
    dphi = delta_phi(phi.values[entry], np.asarray(samples[f"{sample}_phi"])[at])
    close = np.hypot(deta, dphi) < group.radius
    return at[close], {name: entry[close]}


def _indexed(group: LinkedGroup, samples: Flat) -> tuple[Index, dict[str, Index]]:
    (name, branches), *_ = group.index.items()
    offsets = samples.events.offsets(name, _any_column(samples.events, name))
    numbers = np.stack([np.asarray(samples[branch]) for branch in branches], axis=1)
    at = np.repeat(np.arange(len(numbers)), len(branches))
    entry, good = _pointed(numbers.reshape(-1), samples.event[at], offsets)
    return at[good], {name: entry[good]}


def samples_offsets(samples: Flat, sample: str) -> Index:
    """Return the offsets of the collection of samples by event."""
    return samples.events.lengths[sample][1]


def _pointed(number: Array, event: Index, offsets: Index) -> tuple[Index, npt.NDArray[np.bool_]]:
    """Return the entries that numbers within an event point at, and which of them are there."""
    good = (number >= 0) & (number < np.diff(offsets)[event])
    return np.where(good, offsets[event] + number, 0).astype(np.int64), good


def _any_column(events: Events, collection: str) -> str:
    known = [name for name in events.held.columns if events.collection_of(name) == collection]
    if not known:
        raise SourceError(f"{events.path}: no branch of {collection} is read, at which others point; use one of it")
    return known[0]
