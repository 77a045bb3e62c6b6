"""Columns of clouds as read: one number or word of each sample, or a list of numbers of each (Jagged)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Array
from lynkeus.core.packed import Group

NUMBER, TEXT, LIST = "number", "text", "list"  # kinds of columns; what is none of them is not read


@dataclass(frozen=True)
class Jagged:
    """A list of numbers of each sample: `values` (all of them,), those of sample k from `offsets[k]` to
    `offsets[k + 1]`."""

    values: Array
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Return (n,) how many numbers each sample has."""
        return np.diff(self.offsets)

    @classmethod
    def of_lengths(cls, values: Array, lengths: Array) -> Self:
        """Return the numbers of samples that have so many of them, one after the other."""
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    def __getitem__(self, index: Any) -> Jagged:
        """The samples that a slice, a mask or an array of numbers chooses."""
        group = Group(self.values, self.offsets).take(np.arange(len(self))[index])
        return Jagged(group.values, group.offsets)


Column = Array | Jagged
Table = dict[str, Column]  # name -> (n,) numbers or words, or a list of numbers of each sample


def rows_of(table: Mapping[str, Column]) -> int:
    """Return how many samples a table has."""
    return len(next(iter(table.values()))) if table else 0


def chosen(table: Mapping[str, Column], index: Any) -> Table:
    """Return the samples of a table that a slice, a mask or an array of numbers chooses."""
    return {name: column[index] for name, column in table.items()}


def joined(tables: Sequence[Mapping[str, Column]]) -> Table:
    """Return the samples of several tables of the same columns, one after the other."""
    if len(tables) == 1:
        return dict(tables[0])
    found: Table = {}
    for name in tables[0]:
        parts = [table[name] for table in tables]
        lists = [part for part in parts if isinstance(part, Jagged)]
        if lists:
            values, lengths = [part.values for part in lists], [part.lengths for part in lists]
            found[name] = Jagged.of_lengths(np.concatenate(values), np.concatenate(lengths))
        else:
            found[name] = np.concatenate([part for part in parts if isinstance(part, np.ndarray)])
    return found


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; nearest is NAME" for the name that is there and looks most alike, '' where none does."""
    found = difflib.get_close_matches(name, list(known), 1, 0.6)
    return f"; nearest is {found[0]}" if found else ""
