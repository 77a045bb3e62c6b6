"""Learn which pads are good: from planted faults alone, or with the labels of an eye-scan, some of which are wrong."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Floats, SourceError
from lynkeus.scorers.taggers.pads.evidence import Evidence, numbers_of, oddness
from lynkeus.scorers.taggers.pads.shifts import Shifts
from lynkeus.scorers.taggers.pads.trees import Grown, Trees
from lynkeus.transforms.pads.features import shape_numbers
from lynkeus.transforms.pads.neighbours import median_of
from lynkeus.transforms.pads.plant import CLASSES, Planter, chosen_pads
from lynkeus.transforms.pads.template import Template

GOOD, SHIFTED = 0, CLASSES.index("gain shift")
ODD, VERY_ODD = 4.0, 6.0  # spreads of good pads
MOST_GOOD, PLANTED = 5000, 600  # pads of each kind that trees are grown of
ROUNDS = 2
LABELLED_TIMES, PLANTED_EVERY, GOOD_EVERY = 6, 4, 3  # how often each counts where there are labels


class Judge(NamedTuple):
    """What pads are judged by: the trees, the rule of shifted gains."""

    trees: Trees
    shifts: Shifts


class Judged(NamedTuple):
    """Of pads: `probability` (n, classes), `bad` (n,): that of the spectrum's shape, `shift` (n,): that of the gain,
    and the `residual` of the gain in spreads."""

    probability: Floats
    bad: Floats
    shift: Floats
    residual: Floats


def judged_by(judge: Judge, own: Evidence, good: Array, classes: int) -> Judged:
    """Return probabilities of the classes of pads, of which some are taken for good."""
    bad, kinds = judge.trees.probabilities(own.numbers(good), classes)
    residual = judge.shifts.residual(own.log_gain, own.near, good)
    shift = judge.shifts.probability(residual)
    return Judged(joined(bad, kinds, shift), bad, shift, residual)


def joined(bad: Floats, kinds: Floats, shift: Floats) -> Floats:
    """Return (n, classes): good is what is neither bad in shape nor shifted."""
    found = kinds * bad[:, None]
    found[:, GOOD] = (1 - bad) * (1 - shift)
    found[:, SHIFTED] += (1 - bad) * shift
    return found / found.sum(axis=1, keepdims=True)


def surely_good(own: Evidence, start: Array) -> Array:
    """Return (n,) which pads look as those do that the template was learned from. Raises SourceError for none."""
    found = start & (oddness(own.shape, start) < ODD)
    if not found.any():
        raise SourceError("no two pads have spectra of one shape: are they counts of the clusters of one source?")
    return found


def planted_faults(counts: Floats, own: Evidence, good: Array, template: Template, shapes: Floats, seed: int) -> Grown:
    """Return good pads, and pads with planted faults of every class."""
    rng = np.random.default_rng(seed)
    spread = 1.4826 * float(np.median(np.abs(own.log_gain[good] - np.median(own.log_gain[good]))))
    planter = Planter(template, shapes, spread, rng)
    usual = median_of(own.log_counts, own.near, good)
    chosen = chosen_pads(good, min(MOST_GOOD, max(int(good.sum()), 500)), rng)
    parts = [Grown(own.numbers(good)[chosen], np.zeros(len(chosen), np.int64))]
    for number, name in enumerate(CLASSES[1:], 1):
        pads = chosen_pads(good, PLANTED, rng)
        spoiled = planter.plant(name, counts[pads], own.log_gain[pads])
        shape = shape_numbers(spoiled, template, shapes).values
        numbers = numbers_of(shape, shape[:, 0] - usual[pads])
        parts.append(Grown(numbers, np.full(PLANTED, number)))
    return Grown.join(parts)


def learn_alone(
    counts: Floats, own: Evidence, start: Array, template: Template, shapes: Floats, seed: int
) -> tuple[Judge, Judged, Array, Grown]:  # fmt: skip
    """Learn without labels: good pads are those of one shape, faults are planted into them; pads that are then found
    good are learned from in turn. Returns also which pads are taken for good, and the samples."""
    good = surely_good(own, start)
    judge, found, samples = None, None, None
    for turn in range(ROUNDS):
        samples = planted_faults(counts, own, good, template, shapes, seed + turn)
        trees = Trees.grow(samples, seed)
        bad, _ = trees.probabilities(own.numbers(good), len(CLASSES))
        judge = Judge(trees, Shifts.learn(own.log_gain, own.near, good, 1 - bad))
        found = judged_by(judge, own, good, len(CLASSES))
        again = (found.probability[:, GOOD] > 0.9) & (oddness(own.shape, good) < VERY_ODD)
        good = again if again.any() else good
    assert judge is not None
    assert found is not None
    assert samples is not None
    return judge, found, good, samples


def labelled_samples(own: Evidence, good: Array, truth: Array, alone: Judged) -> Grown:
    """Return the pads of an eye-scan; `truth` (n,): the class of each, -1 not known, -2 problematic.

    A pad that is called problematic, looks well and has a gain elsewhere is one of a shifted gain."""
    rows = np.flatnonzero(truth != -1)
    classes = truth[rows].copy()
    shifted = (classes == -2) & (alone.bad[rows] < 0.5) & (alone.shift[rows] > 0.1)
    classes[shifted] = SHIFTED
    return Grown(own.numbers(good)[rows], classes)


def with_labels(samples: Grown, labelled: Grown, seed: int) -> Trees:
    """Return trees of labelled pads, and of planted faults, which count little beside them."""
    number = np.arange(len(samples.classes))
    kept = number % np.where(samples.classes == GOOD, GOOD_EVERY, PLANTED_EVERY) == 0
    few = Grown(samples.numbers[kept], samples.classes[kept])
    # As often, not as weights: quantiles by weight, for the bins of the trees, take ten times as long as the trees.
    return Trees.grow(Grown.join([few, *[labelled] * LABELLED_TIMES]), seed)
