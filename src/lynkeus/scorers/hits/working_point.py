"""WorkingPoint: the score beyond which hits are removed, so that a stated share of the signal is lost."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, CalibrationError, Floats
from lynkeus.scorers.hits.label_noise import LabelNoise

RESAMPLED = 60  # times that events are drawn anew, for the intervals
INTERVAL = (0.16, 0.84)
FEWEST = 200  # hits on tracks and off tracks that a working point needs
LEVELS = 200  # of the score, between which the chance of noise is interpolated
SIGNAL, LABELS = "signal", "labels"


class Shares(NamedTuple):
    """Of what is removed: `signal_lost` and `noise_removed` as shares, by the model of the labels' mistakes;
    `labelled_lost`: share of all hits that are labelled as on a track."""

    signal_lost: float
    noise_removed: float
    labelled_lost: float


class Judged(NamedTuple):
    """Hits by a learner that has not seen their events: `scores`, labels `noise` (1 for noise) and `event` (n,)."""

    scores: Floats
    noise: Array
    event: Array

    def known(self) -> Judged:
        """Return those that have a score, the most like noise first: what sorts them again has little to do."""
        there = np.flatnonzero(np.isfinite(self.scores))
        order = there[np.argsort(-self.scores[there], kind="stable")]
        return Judged(self.scores[order], self.noise[order], self.event[order])


class WorkingPoint(NamedTuple):
    """`threshold` of the score, the `shares` that it removes, with the intervals (2,) of the signal that is lost and of
    the noise that is removed: 68 %, over events. `mistakes` of the labels."""

    threshold: float
    shares: Shares
    lost_interval: Floats
    removed_interval: Floats
    mistakes: LabelNoise

    @classmethod
    def fit(cls, judged: Judged, loss: float, of: str, labels: Judged | None = None) -> Self:
        """Learn from hits by the learner that is kept; by `labels`, hits of the same events and others, how many of the
        labels are mistakes (None: by the same).

        `loss`: share of the signal that may be lost, or of all hits labelled so where `of` is "labels". Raises
        CalibrationError for too few hits.
        """
        own = judged.known()
        for name, count in (("on a track", int((own.noise == 0).sum())), ("noise", int((own.noise > 0).sum()))):
            if count < FEWEST:
                raise CalibrationError(f"only {count} hits kept from the training are labelled as {name}; a working "
                                       f"point needs {FEWEST}: give more")  # fmt: skip
        curve = Curve.of(own.scores, own.noise)
        told = labels.known() if labels else own
        mistakes = LabelNoise.fit(told.scores, told.noise)
        threshold = curve.at(loss, of, mistakes)
        events, number = np.unique(told.event, return_inverse=True)
        number, of_own = number.reshape(-1), np.searchsorted(events, own.event)
        random, drawn = np.random.default_rng(0), []
        for _ in range(RESAMPLED):
            weight = random.poisson(1.0, len(events)).astype(float)
            again = LabelNoise.fit(told.scores, told.noise, weight[number])
            shares = Curve.of(own.scores, own.noise, weight[of_own]).shares(threshold, again)
            drawn.append((shares.signal_lost if of == SIGNAL else shares.labelled_lost, shares.noise_removed))
        lost, removed = np.quantile(np.array(drawn), INTERVAL, axis=0).T
        return cls(threshold, curve.shares(threshold, mistakes), lost, removed, mistakes)


def ranked(*parts: Judged) -> Judged:
    """Return all hits that have a score, with scores as their ranks: those of two learners are not on one scale."""
    known = [one.known() for one in parts]
    ranks = [1.0 - np.arange(len(one.scores)) / max(len(one.scores), 1) for one in known]
    return Judged(*(np.concatenate(columns) for columns in zip(
        *((rank, *one[1:]) for rank, one in zip(ranks, known, strict=True)), strict=True)))  # fmt: skip


class Curve(NamedTuple):
    """Hits sorted by their scores, the most like noise first: `scores`, and the shares of those labelled as `on` and as
    `off` a track that score at least as high."""

    scores: Floats
    on: Floats
    off: Floats

    @classmethod
    def of(cls, scores: Floats, noise: Array, weight: Floats | None = None) -> Self:
        """Count scores (n,) with labels (n,), 1 for noise."""
        order = np.argsort(-scores, kind="stable")
        heavy = np.ones(len(scores)) if weight is None else weight[order]
        labels = noise[order]
        on, off = np.cumsum(heavy * (labels == 0)), np.cumsum(heavy * (labels > 0))
        return cls(scores[order], on / max(on[-1], 1e-9), off / max(off[-1], 1e-9))

    def at(self, loss: float, of: str, mistakes: LabelNoise) -> float:
        """Return the threshold above which a share `loss` is lost, with labels of such `mistakes`."""
        lost = mistakes.signal_share(self.on, self.off) if of == SIGNAL else self.on
        place = int(np.searchsorted(np.maximum.accumulate(lost), loss, side="right"))
        above, below = self.scores[max(place - 1, 0)], self.scores[min(place, len(lost) - 1)]
        return float(0.5 * (above + below))

    def shares(self, threshold: float, mistakes: LabelNoise) -> Shares:
        """Return what is removed above a threshold."""
        place = int(np.searchsorted(-self.scores, -threshold, side="left")) - 1
        on, off = (np.array(own[place]) if place >= 0 else np.array(0.0) for own in (self.on, self.off))
        return Shares(float(mistakes.signal_share(on, off)), float(mistakes.noise_share(on, off)), float(on))


class Chances(NamedTuple):
    """The chance that a hit is labelled as noise at rising `levels` of the score, rising."""

    levels: Floats
    chance: Floats

    @classmethod
    def fit(cls, scores: Floats, noise: Array) -> Self:
        """Learn from scores (n,) of hits that were not learned from, and labels (n,), 1 for noise (isotonic)."""
        from sklearn.isotonic import IsotonicRegression

        known = np.isfinite(scores)
        order = np.argsort(scores[known])
        rising, labels = scores[known][order], noise[known][order].astype(float)
        parts = np.array_split(np.arange(len(rising)), min(LEVELS, len(rising)))
        levels = np.array([rising[part].mean() for part in parts])
        means = np.array([labels[part].mean() for part in parts])
        even = (
            IsotonicRegression(y_min=0.0, y_max=1.0).fit(levels, means, [len(part) for part in parts]).predict(levels)
        )
        return cls(levels, np.asarray(even, float))

    def of(self, scores: Floats) -> Floats:
        """Return (n,) the chance at each score, NaN where that is."""
        return np.interp(scores, self.levels, self.chance)
