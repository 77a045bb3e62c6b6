"""Applying: which sure advice may be taken without asking, besides that it is sure.

A threshold on the confidence holds on average over tasks like those that were learned from. So advice is held where a
task is unlike them (a code or a site that was not met, a kind of task that was hardly met), where such tasks were often
decided otherwise, and where people lately decided otherwise, of which only their decisions can tell.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core import Array, Floats, Scores
from lynkeus.metrics.trust import BESIDES, Trust
from lynkeus.scorers.advisor.cases import FEWEST, UNKNOWN, Pattern
from lynkeus.scorers.advisor.features import Entries

PROBATION = 40  # decisions that are known before advice is applied where none of its kind was tried
PRIOR = 20  # cases for which the error of all counts, where a kind of task has few of its own
NEW, UNLIKE, OTHERWISE = "unknown", "unlike", "brake"  # why advice is held
OF_ALL = "/all"  # the part of the state of `Trust` that belongs to no code
Support = Mapping[str, Sequence[int]]


class Found(NamedTuple):
    """The counts of a batch with their codes and sites numbered (`entries`), the `points` (n, features) that they are,
    and the `scores` (n, outputs) of these."""

    entries: Entries
    points: Floats
    scores: Scores


class Judged(NamedTuple):
    """What is found of a batch: `scores` (n, outputs), the number of the `answer` (n,) to the first question and how
    `sure` (n,) that is, what stands out (`seen`), how many counts are `unknown` (n,), whether the advice is sure enough
    (`may`), why it is `held` (n,), "" where it is not, and how far what is advised is trusted after it (`trust`)."""

    scores: Floats
    answer: Array
    sure: Floats
    seen: list[Pattern]
    unknown: Array
    may: Array
    held: Array
    trust: Trust


def supported_by(seen: Iterable[Pattern], sure: Array, right: Array) -> dict[str, list[int]]:
    """Return by kind of task how many of them had advice that is sure enough, and how much of that was wrong, of tasks
    that were not learned from."""
    found: dict[str, list[int]] = {}
    for pattern, own, agreed in zip(seen, sure.tolist(), right.tolist(), strict=True):
        for key in pattern.keys if own and pattern.code else ():
            counts = found.setdefault(key, [0, 0])
            counts[0] += 1
            counts[1] += not agreed
    return {key: counts for key, counts in found.items() if counts[0] >= FEWEST}


def is_supported(pattern: Pattern, support: Support, expected: float, most: float) -> bool:
    """Return whether advice about a kind of task was met, and rarely enough wrong: by its closest likeness that was."""
    for key in pattern.keys:
        if key in support:
            cases, errors = support[key]
            return (errors + PRIOR * expected) / (cases + PRIOR) <= most
    return False


def held_by(
    seen: Sequence[Pattern], unknown: Array, may: Array, wrong: Sequence[bool | None], trust: Trust, support: Support
) -> Array:
    """Return why advice that is sure enough (`may`) is not to be applied, in the order of tasks, and move `trust` past
    them. `wrong`: whether people decided otherwise, None where that is not known; it holds for the tasks behind."""
    found = np.full(len(seen), "", f"<U{max(map(len, (NEW, UNLIKE, OTHERWISE)))}")
    known: dict[str, bool] = {}
    for k in np.flatnonzero(may).tolist():
        pattern = seen[k]
        if unknown[k] or pattern.code == UNKNOWN:
            found[k] = NEW
            continue
        key = pattern.keys[0]
        if support and key not in known:
            known[key] = is_supported(pattern, support, trust.expected, trust.promised)
        if support and not known[key]:
            found[k] = UNLIKE
        elif not trust.allows(pattern.codes):
            found[k] = OTHERWISE
        if (told := wrong[k]) is not None and found[k] != UNLIKE:
            trust.tell(pattern.codes, told)
    return found


def otherwise(answers: Sequence[Any], advised: Sequence[str]) -> list[bool | None]:
    """Return whether what people decided is another thing than what was advised, None where they decided nothing."""
    return [None if not str(own).strip() else str(own) != said for own, said in zip(answers, advised, strict=True)]


def arrays_of_state(state: Mapping[str, Sequence[bool]], heard: int, codes: Sequence[str]) -> dict[str, Array]:
    """Return the last decisions about tasks with each code, 1 where they were others than was advised, as arrays."""
    rows = [state.get(name, ()) for name in _names(codes)]
    told = np.array([*itertools.chain(*rows)], np.int8)
    return {"told": told, "lengths": np.array([len(row) for row in rows], np.int64), "heard": np.array(heard)}


def _names(codes: Sequence[str]) -> tuple[str, ...]:
    return (*codes, OF_ALL, *(code + BESIDES for code in codes))  # what was kept before has the first two


def state_of_arrays(arrays: Mapping[str, Array], codes: Sequence[str]) -> tuple[dict[str, list[bool]], int]:
    """Inverse of `arrays_of_state`; of no arrays nothing."""
    ends = np.cumsum(np.asarray(arrays.get("lengths", [])).astype(int)).tolist()
    found = {
        name: [bool(one) for one in np.asarray(arrays["told"])[start:end]]
        for name, start, end in zip(_names(codes), [0, *ends], ends, strict=False) if end > start
    }  # fmt: skip
    return found, int(arrays.get("heard", 0))
