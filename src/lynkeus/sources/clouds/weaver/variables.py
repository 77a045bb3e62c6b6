"""Variables: columns of a file and new ones made of them, each computed when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SettingsError
from lynkeus.sources.clouds.columns import Column, Jagged, rows_of
from lynkeus.transforms.expressions import Expression, evaluate


class Variables(Mapping[str, Any]):
    """The columns of a piece of a file as awkward arrays, and `new` variables by their expressions.

    A new variable stands before a column of its name. Raises SettingsError for one that is defined by itself.
    """

    def __init__(self, columns: Mapping[str, Column], new: Mapping[str, Expression], where: str) -> None:
        self.columns, self.new, self.where = columns, new, where
        self.known: dict[str, Any] = {}
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> Any:
        if name not in self.known:
            if name in self.asked:
                raise SettingsError(f"new variables are defined by each other: {' -> '.join([*self.asked, name])}")
            if name not in self.new:
                self.known[name] = as_awkward(self.columns[name])
            else:
                self.asked.append(name)
                self.known[name] = evaluate(self.new[name], self, f"{self.where}: {name}")
                self.asked.pop()
        return self.known[name]

    def __contains__(self, name: object) -> bool:
        return name in self.new or name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter({**self.new, **self.columns})

    def __len__(self) -> int:
        return len({**self.new, **self.columns})

    @property
    def rows(self) -> int:
        """Return how many samples there are."""
        return rows_of(dict(self.columns))

    def plain(self, name: str) -> Array:
        """Return one number or word of each sample. Raises SettingsError for a variable that is none."""
        return plain_of(self[name], self.rows, f"{self.where}: {name}")

    def value(self, expression: Expression, what: str) -> Array:
        """Return the value of an expression, one of each sample. Raises SettingsError where it is another."""
        where = f"{self.where}: {what}"
        return plain_of(evaluate(expression, self, where), self.rows, where)

    def lists(self, name: str) -> Jagged:
        """Return a list of numbers of each sample; one number of each is a list of one."""
        held = self[name]
        if isinstance(held, np.ndarray):
            if held.ndim == 1 and len(held) == self.rows:
                return Jagged(held, np.arange(self.rows + 1, dtype=np.int64))
            if held.ndim == 2 and len(held) == self.rows:
                return Jagged.of_lengths(held.reshape(-1), np.full(self.rows, held.shape[1]))
        return _lists(held, self.rows, f"{self.where}: {name}")


def needed(names: Iterable[str], new: Mapping[str, Expression]) -> dict[str, str]:
    """Return the columns that variables are made of, each with the variable that needs it."""
    found: dict[str, str] = {}
    queue = [(name, name) for name in names]
    seen: set[str] = set()
    while queue:
        name, why = queue.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if name in new:
            queue += [(other, name) for other in new[name].names]
        else:
            found[name] = why
    return found


def as_awkward(column: Column) -> Any:
    """Return a column as expressions see it: numbers and lists as awkward arrays, words as they are."""
    import awkward as ak

    if isinstance(column, Jagged):
        offsets = ak.index.Index64(np.ascontiguousarray(column.offsets))
        return ak.Array(
            ak.contents.ListOffsetArray(offsets, ak.contents.NumpyArray(np.ascontiguousarray(column.values)))
        )
    return column if column.dtype.kind in "US" else ak.Array(np.ascontiguousarray(column))


def plain_of(held: Any, rows: int, where: str) -> Array:
    """Return a value as one number or word of each sample. Raises SettingsError for anything else."""
    import awkward as ak

    if np.isscalar(held):
        return np.full(rows, held)
    if getattr(held, "ndim", 0) != 1 or len(held) != rows:
        raise SettingsError(
            f"{where}: must be one number of each sample, and is {_shape(held)}; take its sum or another"
        )
    if isinstance(held, np.ndarray):
        return held
    filled = ak.fill_none(held, np.nan) if "?" in str(held.type) else held
    return np.asarray(ak.to_numpy(filled))


def _lists(held: Any, rows: int, where: str) -> Jagged:
    import awkward as ak

    if not isinstance(held, ak.Array) or held.ndim not in (1, 2) or len(held) != rows:
        raise SettingsError(f"{where}: must be a list of numbers of each sample, and is {_shape(held)}")
    filled = ak.fill_none(held, np.nan, axis=-1) if "?" in str(held.type) else held
    if filled.ndim == 1:
        return Jagged(np.asarray(ak.to_numpy(filled)), np.arange(rows + 1, dtype=np.int64))
    return Jagged.of_lengths(np.asarray(ak.to_numpy(ak.flatten(filled, axis=1))), np.asarray(ak.num(filled, axis=1)))


def _shape(held: Any) -> str:
    return f"of type {held.type}" if hasattr(held, "type") else f"{type(held).__name__} {np.shape(held)}"


def shortened(lists: Jagged, length: int | None) -> Jagged:
    """Return the lists with at most so many entries each, the first ones."""
    if length is None or not len(lists) or int(lists.lengths.max()) <= length:
        return lists
    place = np.arange(len(lists.values)) - np.repeat(lists.offsets[:-1], lists.lengths)
    return Jagged.of_lengths(lists.values[place < length], np.minimum(lists.lengths, length))
