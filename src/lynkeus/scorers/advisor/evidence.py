"""Evidence: which counts of a task speak for an answer; and checksums by which tasks are known again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from lynkeus.core import Floats, Group, Packed
from lynkeus.core.background import log_odds
from lynkeus.transforms.counts import COUNTS, KEYS


def without_each(tasks: Packed, probability: Callable[[Packed], Floats]) -> Packed:
    """Return Packed of the shape of the tasks: how much less the log odds of a `probability` (n,) are without each
    count."""
    keys, counts = tasks.groups[KEYS], tasks.groups[COUNTS]
    found = np.zeros(len(keys.values))
    before = log_odds(probability(tasks))
    for task in range(len(tasks)):
        first, last = keys.offsets[task : task + 2]
        many = int(last - first)
        if not many:
            continue
        one = np.flatnonzero(~np.eye(many, dtype=bool).ravel()) % many + first
        lengths = np.full(many, many - 1)
        left = {
            KEYS: Group.of_lengths(keys.values[one], lengths), COUNTS: Group.of_lengths(counts.values[one], lengths),
        }  # fmt: skip
        found[first:last] = before[task] - log_odds(probability(Packed(left)))
    return Packed({
        KEYS: Group(np.tile(found[:, None], (1, 3)), keys.offsets), COUNTS: Group(found[:, None], counts.offsets),
    })  # fmt: skip


def fingerprints(points: Floats) -> list[str]:
    """Return (n,) a checksum of what each task is, whatever it is called; names are used again."""
    rounded = np.rint(100.0 * points).astype(np.int16)
    return [hashlib.blake2b(row.tobytes(), digest_size=8).hexdigest() for row in rounded]
