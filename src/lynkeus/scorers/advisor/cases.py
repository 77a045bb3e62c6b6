"""Cases of the past: what was done about tasks that look the same, and about those that are nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from lynkeus.core import Array, Floats
from lynkeus.metrics.trust import BESIDES
from lynkeus.scorers.advisor.features import Entries, Vocabulary

FEW, MANY = 2, 8  # sites from which an error is at a few, and at many of them
GOOD_PART = 0.25  # of the jobs of a task
FEWEST = 5  # tasks of a pattern of which is told
MOST_CASES = 20_000  # that are kept to be compared with
UNKNOWN = "a code that was not met before"
SEPARATOR = " | "


class Pattern(NamedTuple):
    """What stands out of a task: the `code` of most jobs, whether at one, a few or many sites (`spread`), the one
    `site`, at how many `sites` the code is, and all `codes`, those that do not have a good part of the jobs marked as
    BESIDES."""

    code: str
    spread: str
    site: str
    sites: int
    codes: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Return by what it is counted: the closest likeness first."""
        wide = SEPARATOR.join((self.code, self.spread))
        return (SEPARATOR.join((wide, self.site)), wide, self.code) if self.site else (wide, self.code)

    def says(self) -> str:
        """Return it in words."""
        if not self.code:
            return "no errors"
        return f"mostly {self.code} at {self.site or f'{self.sites} sites'}"


def patterns(own: Entries, known: Vocabulary) -> list[Pattern]:
    """Return what stands out of each task of a batch."""
    codes, sites = (*known.codes, UNKNOWN), (*known.sites, "a site that was not met before")
    width = len(codes)
    by_code = np.bincount(own.task * width + own.code, weights=own.jobs, minlength=own.n * width).reshape(own.n, width)
    most = by_code.argmax(axis=1)
    chief = own.code == most[own.task]
    many = np.bincount(own.task[chief], minlength=own.n)
    total = by_code.sum(axis=1)
    present = by_code > 0
    chiefly = present & (by_code >= GOOD_PART * total[:, None])
    kinds = ((chiefly, codes), (present & ~chiefly, [code + BESIDES for code in codes]))
    chief_codes, other_codes = (_by_row(there, names) for there, names in kinds)
    # The site with most jobs of that code: in rising order, the last one stays.
    order = np.lexsort((own.jobs[chief], own.task[chief]))
    at = np.zeros(own.n, np.int64)
    at[own.task[chief][order]] = own.site[chief][order]
    found = []
    for task in range(own.n):
        if not by_code[task, most[task]]:
            found.append(Pattern("", "nowhere", "", 0))
            continue
        count = int(many[task])
        spread = "one site" if count < FEW else "a few sites" if count < MANY else "many sites"
        code, where = codes[most[task]], sites[at[task]] if count < FEW else ""
        found.append(
            Pattern(code, spread, where, count, tuple(dict.fromkeys((code, *chief_codes[task], *other_codes[task]))))
        )
    return found


def _by_row(there: Array, names: Sequence[str]) -> list[list[str]]:
    """Return of each row of truth values (n, names) the names of those that are true."""
    flat = np.array(names, object)[np.nonzero(there)[1]].tolist()
    ends = np.cumsum(there.sum(axis=1)).tolist()
    return [flat[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def count_patterns(found: Sequence[Pattern], decided: Array, classes: int) -> dict[str, list[int]]:
    """Return how often each pattern was answered by each class, of those that were met often enough."""
    counts: dict[str, list[int]] = {}
    for pattern, answer in zip(found, decided.tolist(), strict=True):
        for key in pattern.keys if answer >= 0 else ():
            counts.setdefault(key, [0] * classes)[answer] += 1
    return {key: own for key, own in counts.items() if sum(own) >= FEWEST}


def told(pattern: Pattern, counts: Mapping[str, Sequence[int]], answer: int, classes: Sequence[str]) -> str:
    """Return why an answer is advised, in a sentence: what stands out, and what was done about such tasks."""
    for key in pattern.keys if pattern.code else ():
        if key in counts:
            own, total = counts[key][answer], sum(counts[key])
            like = "tasks with it" if key == pattern.code else "such tasks"
            most = counts[key].index(max(counts[key]))
            rest = "" if most == answer else f", {classes[most]} was in {counts[key][most]}"
            return f"{pattern.says()}; {classes[answer]} was the answer in {own} of {total} {like}{rest}"
    return f"{pattern.says()}; no such tasks are known"


class Cases(NamedTuple):
    """Tasks of the past as sparse rows of length 1 (`values`, `columns`, `starts`), with what was `answered`."""

    values: npt.NDArray[np.float32]
    columns: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    answered: npt.NDArray[np.int64]
    width: int

    @classmethod
    def of(cls, points: Floats, answered: Array) -> Cases:
        """Return the cases of points (n, features)."""
        rows = sparse.csr_array(_unit(points))
        return cls(
            rows.data.astype(np.float32), rows.indices.astype(np.int64), rows.indptr.astype(np.int64),
            answered.astype(np.int64), points.shape[1],
        )  # fmt: skip

    def nearest(self, points: Floats, many: int = 5) -> tuple[Array, Floats]:
        """Return (n, many) the numbers of the cases that are most like each point, and how much (cosine)."""
        shape = (len(self.answered), self.width)
        rows = sparse.csr_array((self.values, self.columns, self.starts), shape=shape)
        alike = (rows @ _unit(points).T).T
        many = min(many, alike.shape[1])
        best = np.argpartition(-alike, many - 1, axis=1)[:, :many]  # of many thousands only few are sorted
        order = np.argsort(-np.take_along_axis(alike, best, axis=1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, axis=1)
        return best, np.take_along_axis(alike, best, axis=1)


def _unit(points: Floats) -> Floats:
    length = np.linalg.norm(points, axis=1, keepdims=True)
    return points / np.maximum(length, 1e-12)
