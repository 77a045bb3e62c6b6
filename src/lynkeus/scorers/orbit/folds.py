"""Folds: how `orbit` would score the windows that it learned from if it had not seen them.

Tails are straight lines through the rarest windows of the reference, so that these look less rare by them than windows
that come later do, and what the channels say of each other fits the rows that it was learned from better than others:
with 206 channels and 2,000 rows, 5.7 % of later good windows were below a p-value of .01. Each stretch of the reference
is therefore judged by what was learned of the others; of a long one, of which chance has taught no more than what is
rare, by their tails.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Batch, Scores, Source, concatenate
from lynkeus.scorers.orbit.baseline import OrbitBaseline
from lynkeus.scorers.orbit.sight import Sight
from lynkeus.scorers.orbit.tails import Kept, fit_tails
from lynkeus.sources import InMemory, Select

COUNT = 5
FEWEST = 500  # windows of the others, so that ten of them lie beyond the level of a tail


def in_memory(source: Source, most: int) -> InMemory | None:
    """Return the windows of a source in memory; None where these are more than so many values."""
    parts: list[Batch] = []
    for batch in source:
        parts.append(batch)
        most -= batch.values.size
        if most < 0:
            return None
    return InMemory(concatenate(parts)) if parts else None


def order_of(batch: Batch, passed: int) -> npt.NDArray[np.int64]:
    """Return by what (n,) windows are told apart: their times, or without times how many were `passed` before each."""
    return np.arange(passed, passed + len(batch)) if batch.time_ns is None else batch.time_ns


def starts_of(order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return where (k,) the stretches begin of a reference of windows in their order (n,)."""
    return np.asarray(order[np.linspace(0, len(order), COUNT + 1).astype(int)[:-1]], np.int64)


def others_of(source: InMemory, starts: npt.NDArray[np.int64]) -> Iterator[Source]:
    """Yield for each stretch the windows that are not in it."""
    which = _which(order_of(source.batch, 0), starts)
    for fold in range(len(starts)):
        yield Select(source, mask=which != fold)


def _which(order: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return which stretch (n,) each window is in; the first has no beginning."""
    return np.maximum(np.searchsorted(starts, order, side="right") - 1, 0)


@dataclass(frozen=True)
class Folds:
    """`sights` (k,) of stretches that begin at `starts` (k,), by `order_of`, the first of which has no beginning;
    `whole`: of all of the reference."""

    whole: Sight
    sights: tuple[Sight, ...]
    starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, sight: Sight, kept: Kept, order: npt.NDArray[np.int64]) -> Self | None:
        """Return those of which only the tails are of the others, by the windows of a reference that were kept and
        their order; None where these are too few."""
        if len(order) * (COUNT - 1) < FEWEST * COUNT:
            return None
        edges = np.linspace(0, len(order), COUNT + 1).astype(int)
        sights = []
        for first, last in pairwise(edges.tolist()):
            others = np.r_[0:first, last : len(order)]
            part = kept._replace(**{name: getattr(kept, name)[others] for name in kept._fields if name != "length"})
            sights.append(sight.but(sight.gate, fit_tails(part, sight.gate)))
        return cls(sight, tuple(sights), starts_of(order))

    def scores(self, batch: Batch, passed: int, before: OrbitBaseline, seen: Scores) -> Scores:
        """Return the scores (n, 2) of windows of the reference, from a state on; `passed`: how many were before them;
        `seen`: by what saw them."""
        which, scores = _which(order_of(batch, passed), self.starts), seen.copy()
        for fold in np.unique(which).tolist():
            own, sight = which == fold, self.sights[fold]
            found = sight.look(batch, sight.taken_over(before, self.whole)).scores[own]
            # What moves in one stretch only is at rest in all others, which can give it no number.
            scores[own] = np.where(np.isfinite(found), found, seen[own])
        return scores
