"""Eye-scan: learn from labels, some of them wrong: by parts that are left out in turn; list the doubtful ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logit

from lynkeus.core import Array, Floats
from lynkeus.scorers.taggers.pads.evidence import Evidence
from lynkeus.scorers.taggers.pads.learn import (
    GOOD,
    SHIFTED,
    Judge,
    Judged,
    joined,
    labelled_samples,
    with_labels,
)
from lynkeus.scorers.taggers.pads.trees import Grown
from lynkeus.transforms.probabilities import Probabilities

PARTS = 3
HALF = 2  # every second planted fault is enough beside labels that are left out in turn
DOUBTFUL = 0.04  # a label that is less probable than this is doubted, about the share that eye-scans have wrong
FEWEST_SHIFTS = 5
NEAR = 1e-6


class Scales(NamedTuple):
    """How log odds become those of pads that were not learned from: slope and bias of the shape, and of the gain."""

    slope: float
    bias: float
    shift_slope: float
    shift_bias: float

    def of(self, bad: Floats, shift: Floats) -> tuple[Floats, Floats]:
        """Return both probabilities made right."""
        return _scaled(bad, self.slope, self.bias), _scaled(shift, self.shift_slope, self.shift_bias)


AS_THEY_ARE = Scales(1.0, 0.0, 1.0, 0.0)


class Scanned(NamedTuple):
    """What an eye-scan gave: the judge and its scales, the probabilities (labelled, classes) of the labelled pads by
    trees that had not seen them, their `rows`, and which labels are `doubtful` (labelled,)."""

    judge: Judge
    scales: Scales
    unseen: Floats
    rows: Array
    doubtful: Array


def learn_from_labels(
    own: Evidence, good: Array, alone: tuple[Judge, Judged, Grown], truth: Array, classes: int, seed: int
) -> Scanned:  # fmt: skip
    """Learn from labels (n,): the class of each pad, -1 where it is not known, -2 where it is only problematic."""
    judge, found, samples = alone
    labelled = labelled_samples(own, good, truth, found)
    rows = np.flatnonzero(truth != -1)
    part = np.random.default_rng(seed).permutation(len(rows)) % PARTS
    said = truth[rows]
    keep = np.ones(len(rows), bool)
    fewer = _some(samples, np.arange(len(samples.classes)) % HALF == 0)
    for _ in range(2):  # labels that are doubted in the first turn are not learned from in the second
        bad, kinds = np.empty(len(rows)), np.empty((len(rows), classes))
        for k in range(PARTS):
            out = part == k
            trees = with_labels(fewer, _some(labelled, ~out & keep), seed)
            bad[out], kinds[out] = trees.probabilities(labelled.numbers[out], classes)
        shift = found.shift[rows]
        doubtful = _doubtful(joined(bad, kinds, shift), said)
        keep = ~doubtful
    scales = _scales(bad[keep], shift[keep], labelled.classes[keep])
    unseen = joined(*_both(scales, bad, kinds, shift))
    trees = with_labels(samples, _some(labelled, keep), seed)
    return Scanned(Judge(trees, judge.shifts), scales, unseen, rows, _doubtful(unseen, said))


def _both(scales: Scales, bad: Floats, kinds: Floats, shift: Floats) -> tuple[Floats, Floats, Floats]:
    bad, shift = scales.of(bad, shift)
    return bad, kinds, shift


def _some(samples: Grown, chosen: Array) -> Grown:
    return Grown(*(column[chosen] for column in samples))


def _doubtful(probability: Floats, said: Array) -> Array:
    """Return which labels (n,) are hardly probable; of one that says only problematic, that it is none."""
    own = np.where(said >= 0, probability[np.arange(len(said)), np.maximum(said, 0)], 1 - probability[:, GOOD])
    other = (said > GOOD) & (probability[:, GOOD] < 0.5)  # problematic it is: which kind is a matter of words
    return own < np.where(other, DOUBTFUL / 20, DOUBTFUL)


def _scales(bad: Floats, shift: Floats, classes: Array) -> Scales:
    """Return the scales by labelled pads that the trees had not seen."""
    shape = classes != SHIFTED
    slope, bias = _fitted(bad[shape], classes[shape] != GOOD)
    fine = bad < 0.5
    moved = classes[fine] == SHIFTED
    if moved.sum() < FEWEST_SHIFTS:
        return Scales(slope, bias, 1.0, 0.0)
    return Scales(slope, bias, *_fitted(shift[fine], moved))


def _fitted(probability: Floats, truth: Array) -> tuple[float, float]:
    odds = logit(np.clip(probability, NEAR, 1 - NEAR))
    if truth.all() or not truth.any():
        return 1.0, 0.0
    found = Probabilities.fit(np.column_stack([-odds / 2, odds / 2]), truth.astype(np.int64))
    return float(np.clip(found.slope, 0.3, 2.0)), float(np.clip(found.bias[1] - found.bias[0], -3.0, 3.0))


def _scaled(probability: Floats, slope: float, bias: float) -> Floats:
    found: Any = expit(slope * logit(np.clip(probability, NEAR, 1 - NEAR)) + bias)
    return found
