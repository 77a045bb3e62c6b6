"""Two stages: is it the usual action; if not, which. The second learns from what the first flags unseen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.scorers.advisor.learners import Model, Recipe, crossed

FLAGGED = 0.9  # of the unusual tasks are flagged for the second stage; what looks usual teaches it nothing
FEWEST = 10  # of each class to learn a second stage from
LEVELS = 200
MOST_FALSE = 0.3  # of usual tasks that may be flagged


@dataclass(frozen=True)
class TwoStages:
    """`first` says how probable it is that a task is not of class `usual`, `second` which of the others (None where
    there is one other); from `flag` on it is taken for one of these. `share` (others,) of the others among themselves.
    """

    usual: int
    first: Model
    second: Model | None
    flag: float
    share: Floats

    def of(self, points: Floats) -> Floats:
        """Return (n, classes) probabilities of the actions."""
        unusual = self.first.of(points)[:, 1]
        which = np.tile(self.share, (len(points), 1)) if self.second is None else self.second.of(points)
        return joined(unusual, which, self.usual)

    def decide(self, probabilities: Floats) -> Array:
        """Return (n,) the action for probabilities (n, classes): the usual one below `flag`, else that of the others
        which is most above its share."""
        return decided(probabilities, self.usual, self.flag, self.share)


class Learning(NamedTuple):
    """What to learn with in each stage, in how many `folds`, the `false_alarms` among usual tasks that are allowed (0:
    found such that no more is wrong than without advice), and the `seed`."""

    first: Recipe
    second: Recipe
    folds: int
    false_alarms: float
    seed: int


def joined(unusual: Floats, which: Floats, usual: int) -> Floats:
    """Return (n, classes) probabilities from those of both stages."""
    others = unusual[:, None] * which
    return np.insert(others, usual, 1.0 - unusual, axis=1)


def decided(probabilities: Floats, usual: int, flag: float, share: Floats) -> Array:
    """See `TwoStages.decide`."""
    others = np.delete(np.arange(probabilities.shape[1]), usual)
    best = others[(probabilities[:, others] / share).argmax(axis=1)]
    return np.where(1.0 - probabilities[:, usual] >= flag, best, usual)


def learn_stages(points: Floats, truth: Array, classes: int, how: Learning) -> tuple[TwoStages, Floats]:
    """Return both stages, and (n, classes) the probabilities that tasks are given by what has not seen them."""
    counts = np.bincount(truth, minlength=classes)
    usual = int(counts.argmax())
    others = np.delete(np.arange(classes), usual)
    first, seen_apart = crossed(how.first, points, (truth != usual).astype(int), 2, how.folds, how.seed)
    unusual, share = seen_apart[:, 1], counts[others] / counts[others].sum()
    second, which = None, np.tile(share, (len(truth), 1))
    rare = np.flatnonzero(truth != usual)
    flagged = rare[unusual[rare] >= np.quantile(unusual[rare], 1.0 - FLAGGED)]
    if len(others) > 1 and np.bincount(truth[flagged], minlength=classes)[others].min() >= FEWEST:
        place = np.searchsorted(others, truth[flagged])
        second, apart = crossed(how.second, points[flagged], place, len(others), how.folds, how.seed)
        which = second.of(points)
        which[flagged] = apart
    found = joined(unusual, which, usual)
    flag = flag_for(found, truth, usual, share, how.false_alarms)
    return TwoStages(usual, first, second, flag, share), found


def flag_for(probabilities: Floats, truth: Array, usual: int, share: Floats, budget: float) -> float:
    """Return from which probability a task is no usual one, by tasks that were not learned from.

    `budget`: the share of usual tasks that may be flagged; 0: the mean recall of all classes is largest, and no more is
    wrong than if all were taken as usual (by one standard deviation, since the next tasks are others).
    """
    unusual = 1.0 - probabilities[:, usual]
    own = unusual[truth == usual]
    if budget > 0:
        return float(np.quantile(own, 1.0 - budget))
    best, flag = -1.0, float(np.nextafter(unusual.max(), 2.0))
    for level in np.unique(np.quantile(own, 1.0 - np.geomspace(1.0 / len(own), MOST_FALSE, LEVELS))):
        said = decided(probabilities, usual, float(level), share)
        gained, lost = int(((said == truth) & (truth != usual)).sum()), int(((said != usual) & (truth == usual)).sum())
        recall = np.mean([(said[truth == k] == k).mean() for k in np.unique(truth)])
        if gained - lost >= np.sqrt(gained + lost) and recall > best:
            best, flag = float(recall), float(level)
    return flag
