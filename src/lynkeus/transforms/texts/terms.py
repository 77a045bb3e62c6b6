"""Terms: words or groups of letters of texts, each by how rare it is (tf-idf), as sparse rows of length 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from lynkeus.core import Floats
from lynkeus.transforms.texts.hashed import BUCKETS, NOWHERE, READ, Found, Part, columns_of, counted

FEWEST = 2  # texts in which a term occurs
FACTORS = (1.0 + np.log(np.maximum(np.arange(4096), 1.0))).astype(np.float32)  # of what is there so often


@dataclass(frozen=True)
class Terms:
    """Terms `made_of` words, letters (groups of 3 to 5 within words) or opening (such at the beginning), which occur
    in at least FEWEST texts: their hashed `columns`, rising, and how `rare` each is (inverse document frequency);
    `method` of hashing."""

    made_of: str
    columns: npt.NDArray[np.int64]
    rare: Floats
    method: str = "rolling"

    @classmethod
    def of(cls, kind: str, texts: Sequence[str]) -> tuple[Self, Any]:
        """Return the terms of texts, and the texts as sparse rows of them."""
        counts = counted(kind, texts)
        many = np.bincount(counts.column, minlength=BUCKETS)
        fewest = FEWEST if len(texts) > 50 else 1
        columns = np.flatnonzero(many >= fewest)
        rare = np.log((1.0 + len(texts)) / (1.0 + many[columns])) + 1.0
        terms = cls(kind, columns, rare)
        return terms, terms._weighted(counts, False)

    def rows(self, texts: Sequence[str], whole: bool = False) -> Any:
        """Return texts as sparse rows (n, terms) of length 1; `whole`: the length is that with all terms, so that a
        text of which little is known is like nothing."""
        return self._weighted(counted(self.made_of, texts, self.method), whole)

    def rows_of(self, part: Part) -> Any:
        """Return some texts as sparse rows (n, terms) of length 1, as `rows` does."""
        return self._scaled(part.counted(self.made_of, self.place))

    @cached_property
    def place(self) -> npt.NDArray[np.uint32]:
        """Return (BUCKETS,) the place of each term among those that are known, NOWHERE of others."""
        places = np.full(BUCKETS, NOWHERE, np.uint32)
        places[self.columns] = np.arange(len(self.columns))
        return places

    @cached_property
    def known(self) -> npt.NDArray[np.uint32]:
        """Return (BUCKETS,) the place of each term, and of all others the one behind the last."""
        return np.minimum(self.place, np.uint32(len(self.columns)))

    @cached_property
    def weight(self) -> npt.NDArray[np.float32]:
        """Return what each term counts, and last what one that is not known does: as much as what is in one text."""
        return np.append(self.rare, self.rare.max(initial=1.0)).astype(np.float32)

    def _weighted(self, counts: Found, whole: bool) -> Any:
        """Return rows of terms that are columns."""
        place = self.place[counts.column].view(np.int32)  # NOWHERE is -1
        known = np.flatnonzero(place >= 0)
        if not whole:
            return self._scaled(Found(np.searchsorted(known, counts.starts), place[known], counts.often[known]))
        rows = self._scaled(counts._replace(column=np.where(place >= 0, place, len(self.columns))))
        starts = np.searchsorted(known, counts.starts).astype(np.int32)
        return sparse.csr_array((rows.data[known], place[known], starts), shape=rows.shape)

    def _scaled(self, counts: Found) -> Any:
        """Return rows of terms that are places."""
        weight = self.weight.take(counts.column, mode="clip")
        weight *= _repeated(counts.often)
        weight /= np.repeat(_lengths(weight, counts.starts), np.diff(counts.starts))
        shape = (counts.n, len(self.columns))
        return sparse.csr_array((weight, counts.column, counts.starts.astype(np.int32)), shape=shape)


def _repeated(often: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return what terms count for that are there so often: one and the logarithm."""
    found: npt.NDArray[np.float32] = FACTORS.take(often.astype(np.intp), mode="clip")
    if len(often) and often.max() >= len(FACTORS):
        several = np.flatnonzero(often >= len(FACTORS))
        found[several] = 1.0 + np.log(often[several])
    return found


def _lengths(weight: npt.NDArray[np.float32], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return (n,) the lengths of rows, 1 of what is empty."""
    found = np.ones(len(starts) - 1, np.float32)
    there = np.flatnonzero(np.diff(starts))
    if len(there):
        found[there] = np.sqrt(np.add.reduceat(weight * weight, starts[there]))
    return np.where(found > 0, found, np.float32(1.0))


def words_in(text: str, method: str = "rolling") -> list[tuple[str, int]]:
    """Return the words of a text that count, each once with its hashed column."""
    words = list(dict.fromkeys(_between(text[: READ["words"]].lower())))
    return [(word, int(column)) for word, column in zip(words, columns_of(words, method), strict=True) if column >= 0]


def _between(text: str) -> list[str]:
    """Return the words of a text as they are counted: letters, digits and underscores in a row."""
    return "".join(letter if letter.isalnum() or letter == "_" else " " for letter in text).split()
