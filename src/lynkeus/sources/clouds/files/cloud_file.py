"""CloudFile: what every format of clouds gives: its columns with their kinds, its rows, and blocks of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Protocol

from lynkeus.sources.clouds.columns import Table


class Stretch(NamedTuple):
    """Rows of a file that are read one after the other: from `first` up to `last`, which is not part of it."""

    first: int
    last: int


class CloudFile(Protocol):
    """A file of clouds.

    `types`: kind of each column (number, text, list), or what else it is, of those that are not read; `rows`: how many
    samples; `class_names` of columns of numbers that stand for classes, where the format says them; `messages`: how it
    is read.
    """

    path: Path
    rows: int
    types: Mapping[str, str]
    class_names: Mapping[str, tuple[str, ...]]
    messages: list[str]

    def stretches(self, count: int) -> list[Stretch]:
        """Return about so many stretches in which the file can be read without reading anything twice."""

    def tables(self, names: Sequence[str], stretch: Stretch, rows: int) -> Iterator[Table]:
        """Yield these columns of a stretch, at most so many rows at a time. Raises SourceError where it is damaged."""


def even_stretches(rows: int, count: int, least: int = 1) -> list[Stretch]:
    """Return rows cut into so many stretches of about one length, of at least `least` rows each."""
    count = max(1, min(count, rows // max(least, 1)))
    edges = [rows * k // count for k in range(count + 1)]
    return [Stretch(first, last) for first, last in pairwise(edges) if last > first]
