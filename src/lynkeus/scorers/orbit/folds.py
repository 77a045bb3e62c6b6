"""Folds: how `orbit` would score the windows that it learned from if it had not seen them.

Tails are straight lines through the rarest windows of the reference, so that these look less rare by them than windows
that come later do. Each stretch of the reference is therefore judged by tails that were fitted to the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from lynkeus.core import Batch, Scores, TimesNs
from lynkeus.scorers.orbit.baseline import OrbitBaseline
from lynkeus.scorers.orbit.sight import Sight
from lynkeus.scorers.orbit.tails import Kept, fit_tails

COUNT = 5
FEWEST = 500  # windows of the others, so that ten of them lie beyond the level of a tail


@dataclass(frozen=True)
class Folds:
    """`sights` (k,) of stretches that begin at `starts_ns` (k,), the first of which has no beginning."""

    sights: tuple[Sight, ...]
    starts_ns: TimesNs

    @classmethod
    def of(cls, sight: Sight, kept: Kept, time_ns: TimesNs) -> Self | None:
        """Return them by the windows of a reference that were kept and their times; None where these are too few."""
        if len(time_ns) * (COUNT - 1) < FEWEST * COUNT:
            return None
        edges = np.linspace(0, len(time_ns), COUNT + 1).astype(int)
        sights = []
        for first, last in pairwise(edges.tolist()):
            others = np.r_[0:first, last : len(time_ns)]
            part = kept._replace(**{name: getattr(kept, name)[others] for name in kept._fields if name != "length"})
            sights.append(sight.but(sight.gate, fit_tails(part, sight.gate)))
        return cls(tuple(sights), np.asarray(time_ns[edges[:-1]], np.int64))

    def scores(self, batch: Batch, before: OrbitBaseline, seen: Scores) -> Scores:
        """Return the scores (n, 2) of windows of the reference, from a state on; `seen`: by what saw them."""
        assert batch.time_ns is not None
        which = np.maximum(np.searchsorted(self.starts_ns, batch.time_ns, side="right") - 1, 0)
        scores = seen.copy()
        for fold in np.unique(which).tolist():
            own = which == fold
            scores[own] = self.sights[fold].look(batch, before).scores[own]
        return scores
