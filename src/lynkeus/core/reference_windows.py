"""The windows of a reference: clusters above a level, and what windows of different weight are worth together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Floats, TimesNs
from lynkeus.core.weights import effective_number, weighted_quantile

DENSE = 500  # highest scores, and heaviest windows, at which the survival curve is kept itself


@dataclass(frozen=True)
class ReferenceWindows:
    """Scores in time order; crossings of a level less than `quiet_s` apart are one cluster, as they are one alarm.

    `hours`: livetime. `weight` (n,) positive, None: all alike. Windows of different weight are worth `effective` ones
    of one weight, and as much less of the livetime; a cluster counts as the window that it begins with.
    """

    scores: Floats
    time_ns: TimesNs
    hours: float
    quiet_s: float
    weight: Floats | None = None

    @property
    def effective(self) -> float:
        """Return the effective number of windows, (sum w)^2 / sum w^2: so many of equal weight would say as much."""
        return float(len(self.scores)) if self.weight is None else effective_number(self.weight)

    @property
    def worth_hours(self) -> float:
        """Return the livetime of that many windows in hours."""
        return self.hours if self.weight is None else self.hours * self.effective / len(self.scores)

    @cached_property
    def worth(self) -> Floats | None:
        """Return (n,) in windows of one weight, `effective` together; None: each is one."""
        return None if self.weight is None else self.weight * (self.effective / self.weight.sum())

    def keep(self, kept: npt.NDArray[np.bool_]) -> ReferenceWindows:
        """The windows kept, with the livetime that they share."""
        weight = None if self.weight is None else self.weight[kept]
        hours = self.hours * float(kept.mean())
        return ReferenceWindows(self.scores[kept], self.time_ns[kept], hours, self.quiet_s, weight)

    def clusters(self, level: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Windows that reach the level, and where in that list each cluster starts."""
        high = np.flatnonzero(self.scores >= level)
        new = np.flatnonzero(np.diff(self.time_ns[high]) > self.quiet_s * 1e9) + 1
        return high, np.concatenate([[0], new])[: len(high)]

    def below(self, levels: Floats) -> Floats:
        """Windows that do not reach each level."""
        return _below(self.scores, levels, self.worth)

    def counts(self, levels: Floats) -> Floats:
        """Clusters that reach each level, or any higher one (low levels merge what higher ones count apart).

        A window starts a cluster at the levels between its own score and the highest score in the quiet time
        before it, so that two sorted lists count the clusters of all levels at once.
        """
        return self._counts(levels, self.worth)

    def distinct(self, levels: Floats) -> Floats:
        """The effective number of the clusters that reach each level: a single heavy one is no tail."""
        counts = self.counts(levels)
        if self.worth is None:
            return counts
        squares = self._counts(levels, self.worth**2)
        return np.divide(counts**2, squares, out=np.zeros(len(levels)), where=squares > 0)

    def levels(self) -> Floats:
        """Rising scores at which the survival curve is kept: dense where it is rare, and where a window is heavy."""
        grid = weighted_quantile(self.scores, np.linspace(0.0, 1.0, 1001), self.weight)
        kept = [grid, np.sort(self.scores)[-DENSE:]]
        if self.weight is not None:
            kept.append(self.scores[np.argsort(self.weight)[-DENSE:]])
        return np.unique(np.concatenate(kept))

    def _counts(self, levels: Floats, worth: Floats | None) -> Floats:
        found = _below(self._before, levels, worth) - _below(self.scores, levels, worth)
        return np.maximum.accumulate(found[::-1])[::-1]

    @cached_property
    def _before(self) -> Floats:
        return np.minimum(self.scores, self._highest_before())

    def _highest_before(self) -> Floats:
        """Highest score within `quiet_s` before each window, by maxima over 1, 2, 4 ... windows."""
        position = np.arange(len(self.scores))
        first = np.searchsorted(self.time_ns, self.time_ns - int(self.quiet_s * 1e9))
        span, highest = position - first, np.full(len(self.scores), -np.inf)
        maxima, width = self.scores.copy(), 1
        while width <= span.max():
            here = position[(span >= width) & (span < 2 * width)]
            highest[here] = np.maximum(maxima[here - 1], maxima[first[here] + width - 1])
            maxima[width:] = np.maximum(maxima[width:], maxima[:-width])
            width *= 2
        return highest


def _below(column: Floats, levels: Floats, worth: Floats | None) -> Floats:
    """Return how many entries are below each level, each counted by its worth."""
    if worth is None:
        return np.searchsorted(np.sort(column), levels).astype(float)
    order = np.argsort(column, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(worth[order])])
    return total[np.searchsorted(column[order], levels)]
