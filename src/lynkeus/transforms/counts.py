"""Samples that are sparse counts: how often each state, code and site came together in a failed task.

They are Packed: one row for each count that is not zero, as text in the group `keys` and as a number in `counts`, so
that no list of all codes and sites has to be known before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa

from lynkeus.core.batch import Array, Batch, Schema, TimesNs
from lynkeus.core.packed import Group, Packed

KEYS, COUNTS = "keys", "counts"
STATE, CODE, SITE = range(3)
TASKS = Schema("counts", names=("keys/state", "keys/code", "keys/site", "counts/count"), shape=(None, None))


def counted(
    keys: Sequence[Sequence[tuple[str, str, str]]],
    counts: Sequence[Sequence[float]],
    meta: Mapping[str, Array],
    time_ns: TimesNs | None = None,
) -> Batch:
    """Return a batch of tasks, each with its (state, code, site) and how many jobs failed so."""
    lengths = np.array([len(own) for own in keys], np.int64)
    rows = list(chain.from_iterable(keys))
    places: dict[tuple[str, str, str], int] = {}  # text becomes an array once for each that differs
    place = np.fromiter((places.setdefault(row, len(places)) for row in rows), np.int64, len(rows))
    words = np.array(list(places), dtype=str).reshape(len(places), 3)[place]
    numbers = np.fromiter(chain.from_iterable(counts), float, len(rows)).reshape(-1, 1)
    groups = {KEYS: Group.of_lengths(words, lengths), COUNTS: Group.of_lengths(numbers, lengths)}
    return Batch(TASKS, Packed(groups), time_ns=time_ns, meta=dict(meta))


def numbered(words: Array) -> tuple[Array, Array]:
    """Return the different words of (n,) and (n,) the number of each in them; by hashing, as sorting text is slow."""
    coded = pa.array(np.ascontiguousarray(words)).dictionary_encode()
    return np.array(coded.dictionary.to_pylist(), dtype=str), np.asarray(coded.indices, np.int64)
