"""Past: entries of a logbook to compare a text with, and which of them are about one event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from lynkeus.core import Array, Floats, TimesNs
from lynkeus.transforms.texts.names import names_in
from lynkeus.transforms.texts.terms import Terms

WEIGHTS = {"words": 0.4, "letters": 0.25, "names": 0.35}  # of each kind of likeness, among themselves
HOUR_NS = 3_600_000_000_000
WITHIN_H = 24.0
CHANCE = 0.05  # of entries elsewhere that may be as like one as those before it are
FEWEST_BLOCKS = 19  # elsewhere, from which such a chance can be counted
COMPARED = 20_000  # entries on either side
PART = 250  # entries that are compared at once
SAME = 0.6  # likeness of what is written again and again
OFTEN = 2  # entries at other times that are so like one


class Threads(NamedTuple):
    """Of each entry (n,): the number of its `event`, whether it is the `first` report of one, and the earlier entry
    that it goes on from (`link`, -1: none)."""

    event: npt.NDArray[np.int64]
    first: npt.NDArray[np.bool_]
    link: npt.NDArray[np.int64]


@dataclass
class Past:
    """`texts` in the order of their `time_ns` (None: none is known), compared by words, groups of letters, and the
    devices that they name."""

    texts: Sequence[str]
    time_ns: TimesNs | None = None
    terms: dict[str, Terms] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [names_in(text) for text in self.texts]
        self.terms = {kind: Terms.of(kind, self.texts)[0] for kind in ("words", "letters")}
        counts = Counter(name for own in self.names for name in own)
        self.places = {name: k for k, name in enumerate(sorted(counts))}
        self.rare = np.array([np.log((1 + len(self.texts)) / (1 + counts[name])) + 1 for name in self.places])
        self.rows = self._rows(self.texts)

    def _named(self, names: Sequence[Sequence[str]]) -> Any:
        rows = [(k, self.places[name]) for k, own in enumerate(names) for name in own if name in self.places]
        row, place = np.array(rows, np.int64).reshape(-1, 2).T
        weight = self.rare[place]
        length = np.sqrt(np.bincount(row, weights=weight**2, minlength=len(names)))
        return sparse.csr_array((weight / length[row], (row, place)), shape=(len(names), len(self.places)))

    def like(self, texts: Sequence[str]) -> Floats:
        """Return (m, n) how alike texts are to all entries, from 0 to 1."""
        return np.asarray((self._rows(texts) @ self.rows.T).toarray(), float)

    def alike_to(self, text: str, others: Sequence[str]) -> Floats:
        """Return (m,) how alike a text is to others, by what is known of words from the entries."""
        if not others:
            return np.zeros(0)
        rows = self._rows([text, *others])
        return np.asarray((rows[1:] @ rows[:1].T).toarray(), float)[:, 0]

    def _rows(self, texts: Sequence[str]) -> Any:
        parts = {kind: terms.rows(texts, whole=True) for kind, terms in self.terms.items()}
        parts["names"] = self._named([names_in(text) for text in texts])
        return _joined(parts)

    def nearest(self, text: str, many: int = 5, before_ns: int | None = None) -> list[tuple[int, float]]:
        """Return the entries that are most like a text, with how much, the nearest first; those of before a time, and
        none that has nothing in common with it."""
        alike = self.like([text])[0]
        if before_ns is not None and self.time_ns is not None:
            alike[self.time_ns >= before_ns] = 0.0
        order = np.argsort(-alike, kind="stable")[:many]
        return [(int(k), float(alike[k])) for k in order if alike[k] > 0]

    def threads(self, within_h: float = WITHIN_H) -> Threads:
        """Return which entries are about one event.

        An entry goes on from the last one within `within_h` that names one of its devices; one that names none from the
        entry before it that it is most like, if entries elsewhere in the logbook are hardly ever as like it (CHANCE).
        It is a first report where it goes on from none, unless the same is written again and again at other times
        without naming a device: that is routine. Without times all that names a device is a first report.
        """
        n = len(self.texts)
        link = np.full(n, -1, np.int64)
        routine = np.zeros(n, bool)
        if self.time_ns is not None:
            self._by_names(link, round(within_h * HOUR_NS))
            self._by_likeness(link, routine, round(within_h * HOUR_NS))
        else:
            routine[[not own for own in self.names]] = True
        event, count = np.full(n, -1, np.int64), 0
        for k in range(n):
            if link[k] < 0:
                event[k], count = count, count + 1
            else:
                event[k] = event[link[k]]
        return Threads(event, (link < 0) & ~routine, link)

    def _by_names(self, link: Array, within_ns: int) -> None:
        assert self.time_ns is not None
        last: dict[str, int] = {}
        for k, own in enumerate(self.names):
            before = [last[name] for name in own if name in last]
            if before and self.time_ns[k] - self.time_ns[max(before)] <= within_ns:
                link[k] = max(before)
            last |= dict.fromkeys(own, k)

    def _by_likeness(self, link: Array, routine: Array, within_ns: int) -> None:
        assert self.time_ns is not None
        start = np.searchsorted(self.time_ns, self.time_ns - within_ns)
        without = np.array([k for k, own in enumerate(self.names) if not own], np.int64)
        for first in range(0, len(without), PART):
            own = without[first : first + PART]
            low, high = max(int(own[0]) - COMPARED, 0), int(own[-1]) + COMPARED
            alike = (self.rows[own] @ self.rows[low:high].T).toarray()
            for row, k in zip(alike, own.tolist(), strict=True):
                near = row[start[k] - low : k - low]
                after = int(np.searchsorted(self.time_ns, self.time_ns[k] + within_ns)) - low
                away = np.concatenate([row[: start[k] - low], row[after:]])
                routine[k] = (away >= SAME).sum() >= OFTEN
                if not len(near) or not near.max():
                    continue
                blocks = np.maximum.reduceat(away, np.arange(0, len(away), len(near))) if len(away) else away
                chance = (1 + (blocks >= near.max()).sum()) / (1 + len(blocks))
                if len(blocks) >= FEWEST_BLOCKS and chance <= CHANCE:
                    link[k] = start[k] + int(near.argmax())


def _joined(parts: dict[str, Any]) -> Any:
    """Return rows of all kinds side by side, of length 1 at most: as the product of two is likeness by all kinds that
    the texts have."""
    there = {kind: np.asarray(abs(part).sum(axis=1)).ravel() > 0 for kind, part in parts.items()}
    total = sum(np.where(own, WEIGHTS[kind], 0.0) for kind, own in there.items())
    scaled = []
    for kind, part in parts.items():
        share = np.sqrt(WEIGHTS[kind] / np.maximum(total, 1e-9))
        scaled.append(sparse.diags_array(share) @ part)
    return sparse.csr_array(sparse.hstack(scaled, format="csr"))
