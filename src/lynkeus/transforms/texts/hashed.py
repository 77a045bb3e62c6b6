"""Words and groups of letters of many texts at once, each as a number of few bits (hashing trick).

All texts of a batch are one array of characters; what is in it is found by whole-array operations, so that a text costs
some ten microseconds (Weinberger et al. 2009, arXiv:0902.2206, for the trick; Karp & Rabin 1987 for the hashes).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

BITS = 18
BUCKETS = 2**BITS
READ = {"words": 20_000, "letters": 4_000}  # letters of a text that are read; what it is about is said early
GROUPS = (3, 4, 5)  # letters of a group, within words and the spaces around them
SHORTEST = 2  # letters of a word
TOGETHER = 250_000  # characters that are worked on at once: they stay near the processor
TABLE = 1 << 16
SPACE = 32
BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it can be divided by
MIX = np.uint64(0xD6E8FEB86659FD93)
BASE_OF_GROUPS, MIX_OF_GROUPS = np.uint32(0x01000193), np.uint32(0x9E3779B1)
METHODS = ("rolling", "murmur")  # of hashing: the latter is that of models from before there was the former
Bits = npt.NDArray[np.uint32]


class Found(NamedTuple):
    """Terms of `n` texts: (found,) the `row` and `column` (hashed) of each, rising, and how `often` it is there."""

    n: int
    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    often: npt.NDArray[np.float32]


def counted(kind: str, texts: Sequence[str], method: str = "rolling") -> Found:
    """Return the terms of texts: `kind` words or letters (groups of them)."""
    if method == "murmur":
        return _by_murmur(kind, texts)
    parts, start, first = [], 0, 0
    short = [text[: READ[kind]].lower() for text in texts]
    lengths = np.array([len(text) for text in short], np.int64)
    ends = np.cumsum(lengths)
    while start < len(short):
        last = max(int(np.searchsorted(ends, first + TOGETHER)), start + 1)
        last = min(last, start + (1 << (32 - BITS)) - 1, len(short))
        parts.append((start, _keys(kind, short[start:last])))
        first, start = int(ends[last - 1]), last
    rows, columns, often = [], [], []
    for begin, keys in parts:
        own, many = _different(keys)
        rows.append((own >> BITS).astype(np.int64) + begin)
        columns.append((own & (BUCKETS - 1)).astype(np.int64))
        often.append(many.astype(np.float32))
    if not parts:
        none = np.zeros(0, np.int64)
        return Found(0, none, none, np.zeros(0, np.float32))
    return Found(len(short), np.concatenate(rows), np.concatenate(columns), np.concatenate(often))


def columns_of(words: Sequence[str], method: str = "rolling") -> npt.NDArray[np.int64]:
    """Return (n,) the column of each word, -1 of what counts as none."""
    found = counted("words", words, method)
    columns = np.full(len(words), -1, np.int64)
    columns[found.row] = found.column
    return columns


def _keys(kind: str, texts: Sequence[str]) -> Bits:
    """Return the row and the column of each term in one number, the row in the upper bits."""
    joined = "".join([f" {text} " for text in texts])
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    row = np.repeat(np.arange(len(texts), dtype=np.uint32), [len(text) + 2 for text in texts]) << np.uint32(BITS)
    return _words(codes, row) if kind == "words" else _groups(codes, row)


def _words(codes: Bits, row: Bits) -> Bits:
    """Return the keys of words: the sum of their characters times powers of BASE, divided by that of their place."""
    inside = np.zeros(len(codes) + 1, np.int8)
    inside[:-1] = _is_letter()[np.minimum(codes, TABLE)]
    change = np.flatnonzero(np.diff(inside, prepend=np.int8(0)))
    start, end = change[::2], change[1::2]
    long = end - start >= SHORTEST
    start, end = start[long], end[long]
    forward, backward = _powers(len(codes) + 1)
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(codes.astype(np.uint64) * forward[: len(codes)], out=sums[1:])
    value = (sums[end] - sums[start]) * backward[start]
    value = (value ^ (value >> np.uint64(32))) * MIX
    found: Bits = row[start] | (value >> np.uint64(64 - BITS)).astype(np.uint32)
    return found


def _groups(codes: Bits, row: Bits) -> Bits:
    """Return the keys of groups of letters, none of which goes over a space."""
    space = _is_space()[np.minimum(codes, TABLE)]
    own = np.where(space, np.uint32(SPACE), codes)
    found, n = [], len(own)
    value, broken = own, np.zeros(n, bool)
    for length in range(2, max(GROUPS) + 1):
        if n < length:
            break
        value = value[: n - length + 1] * BASE_OF_GROUPS + own[length - 1 :]
        inner = space[length - 2 : n - 1] if length > 2 else False
        broken = broken[: n - length + 1] | inner
        if length in GROUPS:
            good = np.flatnonzero(~broken)
            mixed = value[good]
            mixed = (mixed ^ (mixed >> np.uint32(15))) * MIX_OF_GROUPS
            found.append(row[good] | (mixed >> np.uint32(32 - BITS)))
    return np.concatenate(found) if found else np.zeros(0, np.uint32)


def _different(keys: Bits) -> tuple[Bits, npt.NDArray[np.int64]]:
    """Return the different keys in their order, and how often each is there."""
    keys = np.sort(keys)
    if not len(keys):
        return keys, np.zeros(0, np.int64)
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return keys[first], np.diff(first, append=len(keys))


@cache
def _is_letter() -> npt.NDArray[np.int8]:
    """Return of each character whether it belongs to words; all beyond the table do."""
    return np.array([*(chr(k).isalnum() or k == ord("_") for k in range(TABLE)), True], np.int8)


@cache
def _is_space() -> npt.NDArray[np.bool_]:
    return np.array([*(chr(k).isspace() for k in range(TABLE)), False])


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
    row = np.repeat(np.arange(len(texts)), np.diff(counts.indptr))
    return Found(len(texts), row, counts.indices.astype(np.int64), counts.data)
