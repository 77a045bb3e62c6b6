"""From labelled hits to a learner, its working point, and what is to be said of them.

Whole events are kept from the training, and the working point is that of their scores by the very learner that is kept:
another one, trained on more, has scores on another scale, and at a loss of 5 % a little of that is much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Batch, CalibrationError, Floats, SettingsError, Source
from lynkeus.networks.hits.lots import JUST, Lots
from lynkeus.scorers.hits.cut import best_cut
from lynkeus.scorers.hits.even import Even, Unseen, spread_evenly
from lynkeus.scorers.hits.label_noise import LabelNoise
from lynkeus.scorers.hits.learners import CONVOLUTIONAL, Learner, LearnSettings, learn
from lynkeus.scorers.hits.working_point import SIGNAL, Chances, Curve, Judged, WorkingPoint, ranked
from lynkeus.sources.hits.names import roles_of
from lynkeus.sources.hits.prepared import event_of

FOLDS = 5
HELD_OUT, OF_FEW = 2, 3  # folds that are kept from the training: their hits make the working point of what was trained
FEW = 100_000  # hits: of fewer more are kept, since the working point needs them more than the training
ALIKE = 0.003  # of the noise: methods that differ by less are alike, and the first is taken
FEWEST_EVENTS = 2 * FOLDS  # with fewer, single hits are kept from the training
Patch = tuple[list[int], tuple[int, int]]


class Known(NamedTuple):
    """Hits that are learned from: `values` (n, columns), labels `noise` (n,), 1 for noise, `event` (n,) and `position`
    (n,) among all hits, rising; `said` of them."""

    values: Floats
    noise: Array
    event: Array
    position: Array
    said: list[str]


class Tried(NamedTuple):
    """A method, and the share of the noise that it removes of hits that it has not seen, at the stated loss."""

    method: str
    removed: float


class Chosen(NamedTuple):
    """What was learned: the `method` and its `learner`, the `point` at which it removes hits, the `chances` of its
    scores, and the methods that were `tried`; `cut`: share of the noise that a cut on charge and width removes (NaN:
    there are no such columns); `unseen` (n,): scores by learners that had not seen the hits."""

    method: str
    learner: Learner
    point: WorkingPoint
    chances: Chances
    tried: tuple[Tried, ...]
    cut: float
    unseen: Floats
    said: tuple[str, ...]

    def lines(self, loss: float, of: str) -> list[str]:
        """Return what is to be said of it."""
        shares, mistakes = self.point.shares, self.point.mistakes
        lost = shares.signal_lost if of == SIGNAL else shares.labelled_lost
        what = "signal" if of == SIGNAL else "hits labelled as on a track"
        low, high = (100 * edge for edge in self.point.lost_interval)
        first, last = (100 * edge for edge in self.point.removed_interval)
        beside = f"; a cut on charge and width removes {100 * self.cut:.1f} %" if np.isfinite(self.cut) else ""
        by = ", ".join(f"{one.method} {100 * one.removed:.1f} %" for one in self.tried)
        lines = [*self.said]
        if len(self.tried) > 1:
            lines.append(f"noise removed of hits not learned from: {by}; {self.method} is taken")
        lines.append(
            f"remove: noise above {self.point.threshold:.3g} loses {100 * lost:.2f} % of the {what} ({low:.2f} to "
            f"{high:.2f} %, stated {100 * loss:g} %), removes {100 * shares.noise_removed:.1f} % of the noise "
            f"({first:.1f} to {last:.1f} %){beside}"
        )
        lines.append(
            f"labels: {100 * mistakes.on_track:.1f} % of those on a track look like noise, "
            f"{100 * mistakes.off_track:.1f} % of the others like signal; "
            f"{100 * shares.labelled_lost:.2f} % of those on a track are removed"
        )
        return lines


def read_known(source: Source, most: int, seed: int) -> Known:
    """Return the hits of a source; of more than `most` whole events are drawn. Raises SettingsError where all labels
    are alike."""
    batches = [batch for batch in source if len(batch)]
    if not batches:
        raise CalibrationError("there are no hits to learn from")
    noise = np.concatenate([_labels(batch) for batch in batches])
    names = [*batches[0].meta, *batches[0].schema.names]
    event = np.concatenate([event_of(batch, roles_of(names)) for batch in batches])
    values = np.concatenate([batch.values for batch in batches])
    position = np.concatenate([batch.meta["position"] for batch in batches])
    said = []
    if not (noise > 0).any() or (noise > 0).all():
        one = "noise" if (noise > 0).all() else "on a track"
        raise SettingsError(f"all {len(noise)} hits are labelled as {one}: a filter learns from both kinds")
    number = np.unique(event, return_inverse=True)[1].reshape(-1)
    if len(np.unique(number)) < FEWEST_EVENTS:
        said.append(f"only {number.max() + 1} events: hits of one event are learned from and tried on")
        number = np.arange(len(noise))
    if len(noise) > most:
        drawn = np.random.default_rng(seed).permutation(number.max() + 1)[number] < most / len(noise) * (
            number.max() + 1
        )
        said.append(f"learned from {drawn.sum():,} of {len(noise):,} hits, whole events drawn at random")
        values, noise, number, position = values[drawn], noise[drawn], number[drawn], position[drawn]
    return Known(values, noise, number, position, said)


def _labels(batch: Batch) -> Array:
    if batch.truth is None:
        raise SettingsError("hit_filter learns from labels: name them by --labels, such as --labels on_track")
    return (np.asarray(batch.truth) != 0).astype(np.int64)


def choose(
    known: Known, names: Sequence[str], patch: Patch, settings: LearnSettings, methods: Sequence[str], loss: float,
    of: str,
) -> Chosen:  # fmt: skip
    """Try each of `methods`, take the one that removes most noise, and fit its working point; `names` of the columns,
    `patch`: which of them are cells, and their shape."""
    held_out = _folds(known.event, settings.seed) < (HELD_OUT if len(known.noise) > FEW else OF_FEW)
    tried: list[Tried] = []
    first: dict[str, tuple[Learner, Floats]] = {}
    for method in methods:
        if method == CONVOLUTIONAL and patch[1][0] < 2 and len(methods) > 1:
            continue  # there is no picture
        learner = learn(method, known.values[~held_out], known.noise[~held_out], patch, settings)
        first[method] = (learner, _elsewhere(learner, known, held_out))
        point = WorkingPoint.fit(_judged(first[method][1], known), loss, of)
        tried.append(Tried(method, point.shares.noise_removed))
    most = max(one.removed for one in tried)
    best = next(one.method for one in tried if one.removed >= most - ALIKE)
    learner, unseen = first[best]
    # By a second learner the mistakes of the labels are known better: they are counted on few hits.
    other = learn(best, known.values[held_out], known.noise[held_out], patch, settings)
    labels = ranked(_judged(unseen, known), _judged(_elsewhere(other, known, ~held_out), known))
    if settings.evenly:
        seen = (known.values, known.noise, known.event, unseen)
        own, unseen = Unseen(*(column[held_out] for column in seen)), unseen.copy()
        mistakes = LabelNoise.fit(labels.scores, labels.noise)
        learner, unseen[held_out] = spread_evenly(learner, own, Lots.of(names), loss, of, mistakes, settings.seed)
    point = WorkingPoint.fit(_judged(unseen, known), loss, of, labels)
    cut = best_cut(known.values, known.noise, names, learner.features, point.mistakes, loss, of)
    chances = Chances.fit(unseen, known.noise)
    said = [*known.said, *_by_score(learner, unseen, known, point)]
    return Chosen(best, learner, point, chances, tuple(tried), cut, unseen, tuple(said))


def _by_score(learner: Learner, unseen: Floats, known: Known, point: WorkingPoint) -> list[str]:
    """Return in a line what of the loss is made up by hits that look like noise, where the rest is drawn by lot."""
    if not (isinstance(learner, Even) and learner.lots is not None and learner.lots.share > 0):
        return []
    there = np.isfinite(unseen)
    own = Curve.of(unseen[there], known.noise[there]).shares(2 * JUST, point.mistakes)
    lost, removed = f"{100 * own.signal_lost:.2f} % of the signal", f"{100 * own.noise_removed:.1f} % of the noise"
    rest = "the rest of the stated loss is drawn evenly from hits that tracks can spare"
    return [f"hits that look like noise are {lost} and {removed}; {rest}"]


def _elsewhere(learner: Learner, known: Known, chosen: Array) -> Floats:
    """Return scores (n,) of the chosen hits, NaN for the others."""
    scores = np.full(len(chosen), np.nan)
    scores[chosen] = learner.decide(known.values[chosen])
    return scores


def _judged(scores: Floats, known: Known) -> Judged:
    return Judged(scores, known.noise, known.event)


def _folds(event: Array, seed: int) -> Array:
    """Return (n,) in which of FOLDS parts each hit is: whole events."""
    number = np.unique(event, return_inverse=True)[1].reshape(-1)
    found: Array = (np.random.default_rng(seed).permutation(number.max() + 1) % FOLDS)[number]
    return found
