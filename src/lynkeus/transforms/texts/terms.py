"""Terms: words or groups of letters of texts, each by how rare it is (tf-idf), as sparse rows of length 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from lynkeus.core import Floats
from lynkeus.transforms.texts.hashed import BUCKETS, READ, Found, columns_of, counted

FEWEST = 2  # texts in which a term occurs


@dataclass(frozen=True)
class Terms:
    """Terms `made_of` words or letters (groups of 3 to 5 within words), which occur in at least FEWEST texts: their
    hashed `columns`, rising, and how `rare` each is (inverse document frequency); `method` of hashing."""

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
        return terms, terms._weighted(counts)

    def rows(self, texts: Sequence[str], whole: bool = False) -> Any:
        """Return texts as sparse rows (n, terms) of length 1; `whole`: the length is that with all terms, so that a
        text of which little is known is like nothing."""
        return self._weighted(counted(self.made_of, texts, self.method), whole)

    def _weighted(self, counts: Found, whole: bool = False) -> Any:
        places = np.full(BUCKETS, -1, np.int32)
        places[self.columns] = np.arange(len(self.columns))
        row, place, often = counts.row, places[counts.column], counts.often
        weight = np.ones(len(often), np.float32)
        several = np.flatnonzero(often > 1)  # most terms are there once
        weight[several] += np.log(often[several])
        # What is not known is as rare as what is in one text.
        rarest = np.float32(self.rare.max(initial=1.0))
        weight *= np.append(self.rare, rarest).astype(np.float32)[place]
        known = place >= 0
        length = _lengths(weight, row, counts.n) if whole else np.ones(counts.n)
        row, place, weight = row[known], place[known], weight[known]
        length = length if whole else _lengths(weight, row, counts.n)
        starts = np.searchsorted(row, np.arange(counts.n + 1))
        weight /= np.repeat(length.astype(np.float32), np.diff(starts))
        return sparse.csr_array((weight, place, starts.astype(np.int32)), shape=(counts.n, len(self.columns)))


def _lengths(weight: npt.NDArray[np.float32], row: npt.NDArray[np.int64], n: int) -> Floats:
    """Return (n,) the lengths of rows, 1 of what is empty."""
    squares = np.bincount(row, weights=weight.astype(float) ** 2, minlength=n).astype(float)
    return np.where(squares > 0, np.sqrt(squares), 1.0)


def words_in(text: str, method: str = "rolling") -> list[tuple[str, int]]:
    """Return the words of a text that count, each once with its hashed column."""
    words = list(dict.fromkeys(_between(text[: READ["words"]].lower())))
    return [(word, int(column)) for word, column in zip(words, columns_of(words, method), strict=True) if column >= 0]


def _between(text: str) -> list[str]:
    """Return the words of a text as they are counted: letters, digits and underscores in a row."""
    return "".join(letter if letter.isalnum() or letter == "_" else " " for letter in text).split()
