"""LabelNoise: how many of the hits on tracks are noise, and of those off tracks are signal, by the scores alone.

A tracker labels hits with mistakes. Where they do not depend on what a hit looks like, the scores of hits on tracks are
a mixture of those of signal and of noise, and so are those of hits off tracks. Of hits that look like nothing but
noise, those on a track are mistakes; likewise at the other end. From these two ratios both shares of mistakes follow
(mutual contamination: Scott, Blanchard & Handy 2013, Blanchard et al. 2016, arXiv:1303.1208).
"""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Floats

SURE = 2.0  # sigmas by which a block of hits may have more of the wrong label than those beyond it
FEWEST = 40  # hits of the other label beyond a score for it to be an end,
END, STEP = 0.12, 0.04  # and these shares of them: of the first end, and of each block that it grows by


class LabelNoise(NamedTuple):
    """`on_track`: share of noise among hits that are labelled as on a track; `off_track`: share of signal among the
    others; `tracks`: share of all hits that are labelled as on a track."""

    on_track: float = 0.0
    off_track: float = 0.0
    tracks: float = 0.5

    @classmethod
    def fit(cls, scores: Floats, noise: Array, weight: Floats | None = None) -> Self:
        """Learn from scores (n,), higher is more like noise, of hits that were not learned from, and labels (n,), 1 for
        noise; `weight` (n,): how often each counts."""
        order = np.argsort(-scores, kind="stable")
        heavy = np.ones(len(scores)) if weight is None else np.asarray(weight, float)[order]
        off = np.where(noise[order] > 0, heavy, 0.0)
        on = heavy - off
        count_on, count_off = max(on.sum(), 1e-9), max(off.sum(), 1e-9)
        upper = _smallest_ratio(np.cumsum(on), np.cumsum(off), count_on, count_off)
        lower = _smallest_ratio(np.cumsum(off[::-1]), np.cumsum(on[::-1]), count_off, count_on)
        rest = 1.0 - upper * lower
        if rest < 1e-3:
            return cls(0.0, 0.0, float(count_on / (count_on + count_off)))
        on_track, off_track = upper * (1.0 - lower) / rest, lower * (1.0 - upper) / rest
        return cls(float(on_track), float(off_track), float(count_on / (count_on + count_off)))

    @property
    def signal(self) -> float:
        """Return the share of all hits that is signal."""
        return (1.0 - self.on_track) * self.tracks + self.off_track * (1.0 - self.tracks)

    def signal_share(self, on: Floats, off: Floats) -> Floats:
        """Return the share of signal that has a property, of the shares of hits on and off tracks that have it."""
        rest = max(1.0 - self.on_track - self.off_track, 1e-3)
        return np.clip(((1.0 - self.off_track) * on - self.on_track * off) / rest, 0.0, 1.0)

    def noise_share(self, on: Floats, off: Floats) -> Floats:
        """Return the share of noise that has a property, likewise."""
        rest = max(1.0 - self.on_track - self.off_track, 1e-3)
        return np.clip(((1.0 - self.on_track) * off - self.off_track * on) / rest, 0.0, 1.0)

    def noise_probability(self, labelled_noise: Floats) -> Floats:
        """Return the chance that hits are noise, of the chance (n,) that they are labelled so."""
        signal = min(max(self.signal, 1e-6), 1 - 1e-6)
        noise_on = self.on_track * self.tracks / (1.0 - signal)  # the chance that noise is on a track
        signal_off = self.off_track * (1.0 - self.tracks) / signal
        rest = max(1.0 - noise_on - signal_off, 1e-3)
        return np.clip((labelled_noise - signal_off) / rest, 0.0, 1.0)


def _smallest_ratio(few: Floats, many: Floats, count_few: float, count_many: float) -> float:
    """Return the smallest ratio of shares of hits beyond a score: of those that should not be there, and others.

    The smallest of all ratios is one that is small by chance. So the end grows block by block, as long as the next
    block has no more of the few than it by more than chance.
    """
    least, step = min(max(FEWEST, END * count_many), 0.5 * count_many), max(FEWEST, STEP * count_many)
    if not count_many or not len(many) or many[-1] < least:
        return 0.0
    ends = np.searchsorted(many, np.arange(least, many[-1] * (1.0 - 1e-9), step))
    here, there = few[ends], many[ends]
    found = here[0] / there[0]
    for k in range(1, len(ends)):
        block = there[k] - there[k - 1]
        by_chance = np.sqrt(max(found * block, 1.0) * (1.0 + block / there[k - 1]))
        if here[k] - here[k - 1] > found * block + SURE * by_chance:
            break
        found = here[k] / there[k]
    return float(min(found * count_many / count_few, 1.0))
