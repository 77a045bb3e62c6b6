"""Scores of the reference by scorers that have not seen it: what it was learned from fits a model better than later
samples do, and p-values from that would be smaller than the reference supports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lynkeus.core import Batch, Floats, Refers, Schema, Scorer, Source, about_of
from lynkeus.core.progress import ReportProgress
from lynkeus.fitting.reference import FOLDS, Reference, score_reference
from lynkeus.fitting.views.channels import Channels
from lynkeus.fitting.views.view import View
from lynkeus.sources import Blocks, Exclude
from lynkeus.sources.wrappers.labelled import STRETCHES

CROSSED = 4  # networks by which few samples are scored, each trained on the other three quarters
# Samples that a statistic fits better than others, and values of them: 20,000 of 50 channels have no p-values that are
# too small any more.
MOST_CROSSED, MOST_VALUES = 10_000, 20_000_000


def few_enough(scorer: Scorer, view: View, good: int) -> bool:
    """Return whether so few samples are learned from by a statistic that each is scored by what the others say."""
    if about_of(scorer).learned or isinstance(scorer, Refers) or not isinstance(view, Channels):
        return False
    values = good * max(view.window, 1) * int(np.prod([each or 1 for each in view.schema.shape]))
    return good <= MOST_CROSSED and values <= MOST_VALUES


def by_rest(
    reference: Reference, training: Source, good: Source, make: Callable[[], Scorer],
    left_out: Sequence[tuple[int, int]], held_out: bool,
) -> Reference:  # fmt: skip
    """Return the reference with scores by scorers that have not seen the samples, each fitted to the rest of them
    without what is `left_out`, in the size of the scores of the final one.

    With `held_out` that is a network which has not seen the first quarter either. Networks differ in the size of their
    scores by more than good samples do, and in how much higher what they have not seen scores. What a statistic has not
    seen is a fifth in one piece, where there are times: what comes later is further from it than what lies between.
    """
    folds, scores = CROSSED if held_out else FOLDS, np.full_like(reference.scores, np.nan)
    stretches = STRETCHES if held_out or reference.time_ns is None else folds
    first = Blocks.held_out(len(scores), folds, 0, stretches) & held_out
    scores[first] = reference.scores[first]
    for fold in range(int(held_out), folds):
        rest: Source = Blocks(training, len(scores), folds, fold, stretches)
        other = make().fit(Exclude(rest, left_out) if left_out else rest)
        own, by_other = Blocks.held_out(len(scores), folds, fold, stretches), score_reference(other, good).scores
        scores[own] = as_large_as(by_other, reference.scores, own, first)[own]
    return replace(reference, scores=scores)


def as_large_as(
    scores: Floats, like: Floats, unseen: npt.NDArray[np.bool_], unseen_by_it: npt.NDArray[np.bool_]
) -> Floats:
    """Return scores (n, outputs) of one scorer in the size of those of another, `like`: times a number where all are
    positive (errors, distances), moved where they are not (logarithms).

    Each has not seen some samples: `unseen` (n,), and `unseen_by_it`, which may be none. How their sizes differ is
    known best from the samples that both have seen; that they differ otherwise where they have not counts as far as it
    is beyond three of its standard errors.
    """
    positive = (np.nanmin(scores, axis=0) > 0) & (np.nanmin(like, axis=0) > 0)
    mine, theirs = (np.where(positive, np.log(np.where(positive, one, 1.0)), one) for one in (scores, like))
    both = ~unseen & ~unseen_by_it
    shift = np.nanmedian(theirs[both] - mine[both], axis=0)
    if unseen_by_it.any():
        own, other = mine[unseen], theirs[unseen_by_it]
        further = np.nanmedian(other, axis=0) - np.nanmedian(theirs[both], axis=0)
        further -= np.nanmedian(own, axis=0) - np.nanmedian(mine[both], axis=0)
        variance = sum(np.pi / 2 * np.nanvar(one, axis=0) / max(len(one), 1) for one in (own, other))  # of medians
        shift = shift + further * np.maximum(1.0 - 9.0 * variance / np.maximum(further**2, 1e-30), 0.0)
    return np.where(positive, scores * np.exp(np.where(positive, shift, 0.0)), scores + shift)


def fold_scores(make: Callable[[], Scorer], source: Source, progress: ReportProgress) -> Floats:
    """Return (n, outputs) scores of all samples, each by a scorer that has not seen it: by FOLDS folds."""
    samples = [batch[k : k + 1] for batch in source for k in range(len(batch))]
    scores: Floats | None = None
    for fold in range(FOLDS):
        progress(f"calibrate {fold + 1} of {FOLDS}", fold / FOLDS)
        scorer = make().fit(InBatches(source.schema, [one for k, one in enumerate(samples) if k % FOLDS != fold]))
        if scores is None:
            scores = np.full((len(samples), len(scorer.outputs)), np.nan)
        for k in range(fold, len(samples), FOLDS):
            scores[k] = scorer.score(samples[k])[0]
    assert scores is not None
    return scores


@dataclass(frozen=True)
class InBatches:
    """A Source of batches that are held in memory, each as it is: samples may differ in size."""

    schema: Schema
    batches: list[Batch]

    def __len__(self) -> int:
        return sum(map(len, self.batches))

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)
