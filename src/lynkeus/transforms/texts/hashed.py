"""Words and groups of letters of many texts at once, each as a number of few bits (hashing trick).

All texts of a batch are one array of characters; what is in it is found by whole-array operations, so that a text costs
some ten microseconds (Weinberger et al. 2009, arXiv:0902.2206, for the trick; Karp & Rabin 1987 for the hashes).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

BITS = 18
BUCKETS = 2**BITS
# Letters of a text that are read, as what it is about is said early; the opening is read apart, as a title is.
READ = {"words": 20_000, "letters": 4_000, "opening": 200}
GROUPS = (3, 4, 5)  # letters of a group, within words and the spaces around them
SHORTEST = 2  # letters of a word
TOGETHER = 120_000
TABLE = 1 << 16
SPACE = 32
NOWHERE = np.uint32(2**32 - 1)  # the key of no term: there are not so many texts in a part
ODD, SIGMA = 2**32 - 1, 0x03A3  # no character; and one whose lower case is another at the end of a word
LETTER, BLANK = 1, 2  # marks of characters
BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it can be divided by
MIX = np.uint64(0xD6E8FEB86659FD93)
BASE_OF_GROUPS, MIX_OF_GROUPS = np.uint32(0x01000193), np.uint32(0x9E3779B1)
METHODS = ("rolling", "murmur")  # of hashing: the latter is that of models from before there was the former
Bits = npt.NDArray[np.uint32]


class Found(NamedTuple):
    """Terms of texts: those of text k are the ones from `starts[k]` to `starts[k + 1]`, rising by their (hashed)
    `column`, with how `often` each is there."""

    starts: npt.NDArray[np.int64]
    column: npt.NDArray[np.int32]
    often: npt.NDArray[np.float32]

    @property
    def n(self) -> int:
        """Return how many texts there are."""
        return len(self.starts) - 1

    @property
    def row(self) -> npt.NDArray[np.int64]:
        """Return (found,) the text of each term."""
        return np.repeat(np.arange(self.n), np.diff(self.starts))


class Letters(NamedTuple):
    """Characters of texts that follow each other, a space before and behind each text: their `codes`, whether each is
    of a word or a space (`marks`), and how `long` each text is with both spaces."""

    codes: Bits
    marks: npt.NDArray[np.uint8]
    long: npt.NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Letters:
        """Return those of texts that are cut already."""
        codes = _lowered().take(_codes(texts), mode="clip")
        if codes.max(initial=0) == ODD:
            texts = [text.lower() for text in texts]
            codes = _codes(texts)
        return cls(codes, _marks().take(codes, mode="clip"), np.array([len(text) + 2 for text in texts], np.int64))

    @property
    def row(self) -> Bits:
        """Return (characters,) the number of the text of each, in the upper bits of a key."""
        return np.repeat(np.arange(len(self.long), dtype=np.uint32) << np.uint32(BITS), self.long)


@dataclass(frozen=True)
class Part:
    """So many `texts`, from number `first` on, as are worked on at once; each is read once for all kinds of terms of
    which as much is read."""

    first: int
    texts: Sequence[str]
    _read: dict[int, Letters] = field(default_factory=dict, repr=False)

    def letters(self, kind: str) -> Letters:
        """Return what is read for a kind of terms."""
        most = min(READ[kind], max(map(len, self.texts)))
        if most not in self._read:
            self._read[most] = Letters.of([text[:most] for text in self.texts])
        return self._read[most]

    @property
    def n(self) -> int:
        """Return how many texts there are."""
        return len(self.texts)

    def counted(self, kind: str, place: Bits | None = None) -> Found:
        """Return the terms of its texts, of a `kind` in READ: words, or groups of letters. `place` (BUCKETS,): the
        number that a column has instead, NOWHERE of those that are left out."""
        own = self.letters(kind)
        keys = (_words if kind == "words" else _groups)(own, place)
        keys.sort()
        keys = keys[: np.searchsorted(keys, NOWHERE)]
        new = np.empty(len(keys), bool)
        new[:1], new[1:] = True, keys[1:] != keys[:-1]
        first = np.flatnonzero(new)
        different, often = keys[first], np.empty(len(first), np.float32)
        often[-1:], often[:-1] = len(keys) - first[-1:], first[1:] - first[:-1]
        begin = np.arange(len(own.long) + 1, dtype=np.uint32) << np.uint32(BITS)
        column = (different & np.uint32(BUCKETS - 1)).view(np.int32)
        return Found(np.searchsorted(different, begin), column, often)


def parts(texts: Sequence[str]) -> Iterator[Part]:
    """Yield texts in parts that stay near the processor."""
    ends = np.cumsum([min(len(text), READ["words"]) + 2 for text in texts]) if len(texts) else np.zeros(0)
    start = 0
    while start < len(texts):
        before = ends[start - 1] if start else 0
        last = max(int(np.searchsorted(ends, before + TOGETHER)), start + 1)
        last = min(last, start + (1 << (32 - BITS)) - 1, len(texts))
        yield Part(start, texts[start:last])
        start = last


def counted(kind: str, texts: Sequence[str], method: str = "rolling") -> Found:
    """Return the terms of texts, of a `kind` in READ: words, or groups of letters."""
    if method == "murmur":
        return _by_murmur(kind, texts)
    found = [part.counted(kind) for part in parts(texts)]
    if not found:
        return Found(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    before = np.cumsum([0, *(len(one.column) for one in found)])
    starts = [one.starts[:-1] + first for one, first in zip(found, before, strict=False)]
    column, often = (np.concatenate([one[k] for one in found]) for k in (1, 2))
    return Found(np.concatenate([*starts, before[-1:]]), column, often)


def columns_of(words: Sequence[str], method: str = "rolling") -> npt.NDArray[np.int64]:
    """Return (n,) the column of each word, -1 of what counts as none."""
    found = counted("words", words, method)
    columns = np.full(len(words), -1, np.int64)
    columns[found.row] = found.column
    return columns


def _words(letters: Letters, place: Bits | None) -> Bits:
    """Return the keys of words: the sum of their characters times powers of BASE, divided by that of their place."""
    word = (letters.marks & LETTER).view(np.bool_)
    change = np.flatnonzero(word[1:] != word[:-1])  # the first and the last character are spaces
    before, last = change[::2], change[1::2]
    long = last - before >= SHORTEST
    before, last = before[long], last[long]
    forward, backward = _powers(len(word))
    sums = np.cumsum(letters.codes * forward[: len(word)])
    value = (sums[last] - sums[before]) * backward[before + 1]
    value = (value ^ (value >> np.uint64(32))) * MIX
    column = (value >> np.uint64(64 - BITS)).astype(np.uint32)
    return _keys(column, letters.row[before + 1], place)


def _groups(letters: Letters, place: Bits | None) -> Bits:
    """Return the keys of groups of letters, NOWHERE of those that go over a space."""
    row, n = letters.row, len(letters.codes)
    space = np.uint32(0) - (letters.marks >> np.uint8(1))  # all bits; masks are several times as fast as choices
    own = (letters.codes & ~space) | (space & np.uint32(SPACE))
    found = [np.zeros(0, np.uint32)]
    value, broken = own, np.zeros(n, np.uint32)
    for length in range(2, min(max(GROUPS), n) + 1):
        value = value[:-1] * BASE_OF_GROUPS
        value += own[length - 1 :]
        broken = broken[:-1] | space[length - 2 : -1] if length > 2 else broken[:-1]
        if length in GROUPS:
            column = value >> np.uint32(15)
            column ^= value
            column *= MIX_OF_GROUPS
            column >>= np.uint32(32 - BITS)
            keys = _keys(column, row[: len(column)], place)
            keys |= broken
            found.append(keys)
    return np.concatenate(found)


def _keys(column: Bits, row: Bits, place: Bits | None) -> Bits:
    """Return columns, or their places, with the rows in the upper bits."""
    own = column if place is None else place.take(column, mode="clip")  # faster than place[column]
    own |= row
    return own


def _codes(texts: Sequence[str]) -> Bits:
    """Return the characters of texts, a space before and behind each."""
    return np.frombuffer(f" {'  '.join(texts)} ".encode("utf-32-le", "surrogatepass"), np.uint32)


@cache
def _lowered() -> Bits:
    """Return the lower case of each character, ODD where that is not one, hangs on its neighbours or is not known."""
    lower = [chr(code).lower() for code in range(TABLE)]
    known = [ord(low) if len(low) == 1 and code != SIGMA else ODD for code, low in enumerate(lower)]
    return np.array([*known, ODD], np.uint32)


@cache
def _marks() -> npt.NDArray[np.uint8]:
    """Return of each character whether it belongs to words or is a space; all beyond the table belong to words."""
    known = map(chr, range(TABLE))
    return np.array([*(LETTER * (c.isalnum() or c == "_") + BLANK * c.isspace() for c in known), LETTER], np.uint8)


_KEPT: list[npt.NDArray[np.uint64]] = []


def _powers(many: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return the powers of BASE from 0 on, and of its inverse, modulo 2^64; those of the longest batch are kept."""
    if not _KEPT or len(_KEPT[0]) < many:
        inverse = np.uint64(pow(int(BASE), -1, 1 << 64))
        _KEPT[:] = [np.cumprod(np.concatenate([[np.uint64(1)], np.full(many, one)])) for one in (BASE, inverse)]
    return _KEPT[0], _KEPT[1]


def _by_murmur(kind: str, texts: Sequence[str]) -> Found:
    settings: dict[str, Any] = {"n_features": BUCKETS, "alternate_sign": False, "norm": None, "dtype": np.float32}
    if kind == "letters":
        settings |= {"analyzer": "char_wb", "ngram_range": (min(GROUPS), max(GROUPS))}
    counts = sparse.csr_array(HashingVectorizer(**settings).transform([text[: READ[kind]] for text in texts]))
    return Found(counts.indptr.astype(np.int64), counts.indices.astype(np.int32), counts.data)
