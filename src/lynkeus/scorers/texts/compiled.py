"""What terms of texts say about answers, compiled: each term is counted in a table of all, which stays near the
processor, instead of being sorted.

The same as `rows @ weights` of the rows of `transforms/texts/terms.py`, up to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from lynkeus.transforms.texts.hashed import (
    BASE,
    BASE_OF_GROUPS,
    BITS,
    BLANK,
    GROUPS,
    LETTER,
    MIX,
    MIX_OF_GROUPS,
    SHORTEST,
    SPACE,
)

FEWEST, MOST = min(GROUPS), max(GROUPS)
LOW = np.uint64(2**32 - 1)
NONE, ONE, BLANKS = np.uint64(0), np.uint64(1), np.uint64(SPACE)
BASE_32, MIX_32 = np.uint64(BASE_OF_GROUPS), np.uint64(MIX_OF_GROUPS)
HALF, SHIFT, SHIFT_32, MIXED = np.uint64(32), np.uint64(64 - BITS), np.uint64(32 - BITS), np.uint64(15)


def _read(kind: Any, axes: int) -> Any:
    return types.Array(kind, axes, "C", readonly=True)


F, COUNT = types.float32, types.int64
BITS1, ROOM = types.Array(types.uint32, 1, "C"), types.Array(COUNT, 1, "C")
HASHED = types.void(_read(types.uint32, 1), _read(types.uint8, 1), _read(COUNT, 1), BITS1, ROOM)
SAYING = types.void(
    _read(types.uint32, 1), _read(COUNT, 1), _read(types.uint32, 1), _read(F, 1), _read(F, 2), types.Array(F, 2, "C")
)


@njit([HASHED], cache=True)
def words(codes, marks, starts, columns, ends):
    """Write the hashed columns of the words of each text, and where those of each text end."""
    n = 0
    for text in range(len(starts) - 1):
        at, end = starts[text], starts[text + 1]
        while at < end:
            value, power, first = NONE, ONE, at
            while at < end and marks[at] & LETTER:
                value += np.uint64(codes[at]) * power
                power *= BASE
                at += 1
            if at - first >= SHORTEST:
                columns[n] = np.uint32(((value ^ (value >> HALF)) * MIX) >> SHIFT)
                n += 1
            at += 1
        ends[text + 1] = n


@njit([HASHED], cache=True)
def groups(codes, marks, starts, columns, ends):
    """Write the hashed columns of groups of letters, those that go over no space, as `words` does."""
    n = 0
    for text in range(len(starts) - 1):
        end = starts[text + 1]
        for first in range(starts[text], end):
            value = BLANKS if marks[first] & BLANK else np.uint64(codes[first])
            for length in range(2, MOST + 1):
                at = first + length - 1
                if at >= end or (length > 2 and marks[at - 1] & BLANK):
                    break
                value = (value * BASE_32 + (BLANKS if marks[at] & BLANK else np.uint64(codes[at]))) & LOW
                if length >= FEWEST:
                    columns[n] = np.uint32(((((value >> MIXED) ^ value) * MIX_32) & LOW) >> SHIFT_32)
                    n += 1
        ends[text + 1] = n


@njit([SAYING], cache=True, fastmath={"reassoc", "contract", "nsz"})
def said(columns, ends, places, rare, answers, found):
    """Write what terms say of each text (texts, answers): `places` of columns among terms, the last one for all that
    are not known, how `rare` each is, and what it speaks for (`answers`: terms, answers)."""
    unknown = len(answers)
    many, met = np.zeros(unknown + 1, np.uint16), np.empty(len(columns) + 1, np.uint32)
    own = np.empty(answers.shape[1], np.float32)
    for text in range(len(ends) - 1):
        n = 0
        for k in range(ends[text], ends[text + 1]):  # without a branch: what is new is not to be foreseen
            place = places[columns[k]]
            met[n] = place
            n += (many[place] == 0) & (place != unknown)
            many[place] += np.uint16(1)
        square = np.float32(0.0)
        own[:] = 0.0
        for k in range(n):
            place = met[k]
            weight = rare[place]
            if many[place] > 1:
                weight *= np.float32(1.0 + np.log(many[place]))
            many[place] = 0
            square += weight * weight
            row = answers[place]
            for answer in range(len(own)):
                own[answer] += weight * row[answer]
        scale = np.float32(1.0 / np.sqrt(square)) if square > 0.0 else np.float32(0.0)
        for answer in range(len(own)):
            found[text, answer] = own[answer] * scale
