"""Numbers of a failed task: jobs by exit code, by site, and how they are spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Floats, Packed
from lynkeus.transforms.counts import CODE, COUNTS, KEYS, SITE, STATE, numbered

FEWEST = 3  # tasks in which a code or a site occurs, to be one of its own
BAD = "bad"
SPREAD = (
    "jobs", "jobs at good sites", "jobs at bad sites", "entries", "codes", "sites", "largest share of a code",
    "largest share of a site", "evenness over codes", "evenness over sites", "share at bad sites", "jobs an entry",
    "share of unknown codes", "share of unknown sites",
)  # fmt: skip


class Entries(NamedTuple):
    """The counts of a batch of `n` tasks, one after the other: of which `task` (entries,), how many `jobs`, whether at
    a `bad` site, and the numbers of its `code` and `site`, one more than the last where it is not known."""

    n: int
    task: npt.NDArray[np.int64]
    jobs: Floats
    bad: npt.NDArray[np.bool_]
    code: npt.NDArray[np.int64]
    site: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Vocabulary:
    """The `codes` and `sites` that were met often enough to be learned of."""

    codes: tuple[str, ...]
    sites: tuple[str, ...]

    @classmethod
    def of(cls, parts: Sequence[Packed]) -> Self:
        """Return those of tasks that are learned from."""
        return cls(_often(parts, CODE), _often(parts, SITE))

    @property
    def names(self) -> tuple[str, ...]:
        """Return what each of the numbers of `features` is."""
        by_code = [f"{code} at {state} sites" for state in ("good", "bad") for code in self.codes]
        return (*by_code, *(f"sites with {code}" for code in self.codes), *self.sites, *SPREAD)

    def entries(self, tasks: Packed) -> Entries:
        """Return the counts of a batch with its codes and sites numbered."""
        words, jobs = tasks.groups[KEYS].values, tasks.groups[COUNTS].values[:, 0].astype(float)
        if not len(words):
            none = np.zeros(0, np.int64)
            return Entries(len(tasks), none, jobs, none.astype(bool), none, none)
        code, site = _place(words[:, CODE], self.codes), _place(words[:, SITE], self.sites)
        return Entries(len(tasks), tasks.groups[KEYS].sample, jobs, words[:, STATE] == BAD, code, site)

    def features(self, tasks: Packed) -> npt.NDArray[np.float32]:
        """Return (n, features) of tasks, logarithms of one plus the counts."""
        return self.points(self.entries(tasks))

    def points(self, own: Entries) -> npt.NDArray[np.float32]:
        """Return the features of entries, see `features`."""
        codes, sites = len(self.codes), len(self.sites)
        good, bad = (_summed(own, own.code, codes, own.jobs * (own.bad == at)) for at in (False, True))
        present = _summed(own, own.code, codes, np.ones(len(own.jobs)))
        at_site = _summed(own, own.site, sites, own.jobs)
        by_code = good + bad
        total = by_code.sum(axis=1)
        entries = np.bincount(own.task, minlength=own.n).astype(float)
        spread = [
            np.log1p(total), np.log1p(good.sum(axis=1)), np.log1p(bad.sum(axis=1)), np.log1p(entries),
            np.log1p((by_code > 0).sum(axis=1)), np.log1p((at_site > 0).sum(axis=1)), _largest(by_code),
            _largest(at_site), _evenness(by_code), _evenness(at_site), _share(bad.sum(axis=1), total),
            np.log1p(_share(total, entries)), _share(by_code[:, -1], total), _share(at_site[:, -1], total),
        ]  # fmt: skip
        counts = [np.log1p(part[:, :-1]) for part in (good, bad, present, at_site)]
        return np.hstack([*counts, np.stack(spread, axis=1)]).astype(np.float32)

    def unknown(self, tasks: Packed) -> tuple[int, int]:
        """Return in how many tasks there are codes, and sites, that were not learned of."""
        own = self.entries(tasks)
        at = (own.task[own.code == len(self.codes)], own.task[own.site == len(self.sites)])
        return len(np.unique(at[0])), len(np.unique(at[1]))


def _often(parts: Sequence[Packed], column: int) -> tuple[str, ...]:
    """Return the words of a column that occur in at least FEWEST tasks, in their order."""
    words = np.concatenate([part.groups[KEYS].values[:, column] for part in parts])
    shift = np.cumsum([0, *(len(part) for part in parts)])[:-1]
    tasks = np.concatenate([part.groups[KEYS].sample + first for part, first in zip(parts, shift, strict=True)])
    if not len(words):
        return ()
    found, number = numbered(words)
    pairs = np.unique(number * (int(tasks.max()) + 1) + tasks) // (int(tasks.max()) + 1)
    many = np.bincount(pairs, minlength=len(found))
    return tuple(sorted(found[many >= FEWEST].tolist()))


def _place(words: Array, known: Sequence[str]) -> npt.NDArray[np.int64]:
    found, number = numbered(words)
    places = {word: k for k, word in enumerate(known)}
    return np.array([places.get(word, len(known)) for word in found.tolist()], np.int64)[number]


def _summed(own: Entries, column: Array, many: int, values: Floats) -> Floats:
    """Return (n, many + 1) sums of values by task and column; the last is for all that is not known."""
    flat = np.bincount(own.task * (many + 1) + column, weights=values, minlength=own.n * (many + 1))
    found: Floats = flat.reshape(own.n, many + 1).astype(float)
    return found


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def _largest(counts: Floats) -> Floats:
    return _share(counts.max(axis=1, initial=0.0), counts.sum(axis=1))


def _evenness(counts: Floats) -> Floats:
    """Return the entropy of counts (n, many) in nats."""
    share = _share(counts, np.maximum(counts.sum(axis=1, keepdims=True), 1e-300) + np.zeros_like(counts))
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    return -(share * logs).sum(axis=1)
