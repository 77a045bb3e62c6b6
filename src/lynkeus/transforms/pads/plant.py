"""Faults planted into spectra of good pads, as wide as may be: what is learned from where nobody has labelled.

The words are those of a pad scan. How large a fault is, is drawn from wide ranges: it is not known how large it is
elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.transforms.pads.learn import expected_of
from lynkeus.transforms.pads.template import TINY, Template

CLASSES = ("good", "dead", "noisy", "gain shift", "double peak", "low statistics", "saturated", "edge", "other")
LARGEST_SHIFT = 0.75  # of a logarithm of a gain


@dataclass
class Planter:
    """Plants faults into pads of a `template`; `spread` of the logarithms of good gains."""

    template: Template
    shapes: Floats
    spread: float
    rng: np.random.Generator

    def plant(self, name: str, counts: Floats, log_gain: Floats) -> Floats:
        """Return spectra (n, bins) with a fault of a class in good ones, whose gains (n,) are known."""
        plants: dict[str, Callable[[Floats, Floats], Floats]] = {
            "dead": self._dead, "noisy": self._noisy, "gain shift": self._shifted, "double peak": self._double,
            "low statistics": self._few, "saturated": self._saturated, "edge": self._edge, "other": self._other,
        }  # fmt: skip
        return plants[name](np.asarray(counts, float), log_gain).astype(np.float32)

    def _at(self, log_gain: Floats) -> Floats:
        shape = expected_of(self.template, log_gain, self.shapes)
        # How much of the spectrum the threshold leaves depends on the gain.
        return shape

    def _draw(self, expected: Floats) -> Floats:
        return self.rng.poisson(np.maximum(expected, 0.0)).astype(float)

    def _uniform(self, low: float, high: float, n: int) -> Floats:
        return self.rng.uniform(low, high, n)

    def _either(self, low: float, high: float, n: int) -> Floats:
        """Return (n,) numbers of either sign."""
        return self._uniform(low, high, n) * self.rng.choice([-1.0, 1.0], n)

    def _dead(self, counts: Floats, log_gain: Floats) -> Floats:
        n = len(counts)
        few = np.where(self.rng.random(n) < 0.5, 0.0, self._uniform(0.0, 4.0, n))
        return self._draw(few[:, None] * self._tail(self._uniform(0.03, 0.3, n)))

    def _tail(self, slope: Floats) -> Floats:
        """Return (n, bins) of noise that falls exponentially above the threshold."""
        edges = self.template.edges
        centres = 0.5 * (edges[1:] + edges[:-1])
        low = centres[int((self.template.passes > 0.3).argmax())]
        # Noise need not have the threshold of clusters: it may begin anywhere up to it, and suddenly.
        first = low * np.where(self.rng.random(len(slope)) < 0.4, 1.0, self._uniform(0.0, 1.3, len(slope)))
        passes = np.where((self.rng.random(len(slope)) < 0.5)[:, None], self.template.passes, 1.0)
        found = np.exp(-np.maximum(centres - low, 0) / (slope[:, None] * self.template.peak)) * passes
        found = np.where(centres >= first[:, None], found, 0.0)
        return found / np.maximum(found.sum(axis=1, keepdims=True), TINY)

    def _noisy(self, counts: Floats, log_gain: Floats) -> Floats:
        n = len(counts)
        much = counts.sum(axis=1) * np.exp(self._uniform(np.log(0.15), np.log(8.0), n))
        noise = self._tail(self._uniform(0.025, 0.25, n))
        return counts + self._draw(much[:, None] * noise)

    def _shifted(self, counts: Floats, log_gain: Floats) -> Floats:
        n = len(counts)
        low = min(max(2.5 * self.spread, 0.1), 0.6)
        moved = log_gain + self._either(low, LARGEST_SHIFT, n)
        return self._draw(counts.sum(axis=1)[:, None] * self._at(moved))

    def _double(self, counts: Floats, log_gain: Floats) -> Floats:
        n = len(counts)
        other = self._at(log_gain + self._either(0.1, 0.5, n))
        share = self._uniform(0.2, 0.8, n)[:, None]
        return self._draw(counts.sum(axis=1)[:, None] * (share * other + (1 - share) * self._at(log_gain)))

    def _few(self, counts: Floats, log_gain: Floats) -> Floats:
        n = len(counts)
        usual = np.median(counts.sum(axis=1))
        left = (
            np.exp(self._uniform(np.log(min(4.0 / usual, 0.08)), np.log(0.08), n))
            * usual
            / np.maximum(counts.sum(axis=1), 1)
        )
        return self.rng.binomial(counts.astype(np.int64), np.clip(left, 0, 1)[:, None]).astype(float)

    def _saturated(self, counts: Floats, log_gain: Floats) -> Floats:
        n, bins = counts.shape
        limit = self.template.peak * np.exp(log_gain) * self._uniform(0.5, 1.04, n)
        at = np.clip(np.searchsorted(self.template.edges, limit) - 1, 0, bins - 1)
        above = np.arange(bins) > at[:, None]
        over = (counts * above).sum(axis=1)
        found = np.where(above, 0.0, counts)
        width = self.rng.integers(1, 4, n)  # some converters round a pile-up over a few bins
        for k in range(3):
            own = np.where(k < width, over / width, 0.0)
            found[np.arange(n), np.maximum(at - k, 0)] += self._draw(own)
        return found

    def _edge(self, counts: Floats, log_gain: Floats) -> Floats:
        n = len(counts)
        steps = np.linspace(0.02, 0.98, 14)
        power = np.exp(self._uniform(np.log(0.8), np.log(7.0), n))[:, None]
        left = steps ** (1 / power)  # quantiles of a share of the charge, most of it or a little
        lost = sum(self._at(log_gain + np.log(left[:, k])) for k in range(len(steps))) / len(steps)
        cut = self._uniform(0.35, 1.0, n)[:, None]
        size = counts.sum(axis=1) * self._uniform(0.4, 1.1, n)
        return self._draw(size[:, None] * (cut * lost + (1 - cut) * self._at(log_gain)))

    def _other(self, counts: Floats, log_gain: Floats) -> Floats:
        n, bins = counts.shape
        kind = self.rng.integers(0, 4, n)
        size = counts.sum(axis=1)
        flat = self.template.passes / self.template.passes.sum()
        talk = self._at(log_gain + np.log(self._uniform(0.2, 0.55, n)))
        nodes = np.linspace(-1.6, 1.6, 9)
        wide = self._uniform(0.12, 0.4, n)
        smeared = sum(
            self._at(log_gain + z * wide) * np.exp(-0.5 * z**2) for z in nodes
        ) / np.exp(-0.5 * nodes**2).sum()  # fmt: skip
        bump = np.exp(-0.5 * ((np.arange(bins) - self._uniform(0, 0.7 * bins, n)[:, None]) / (0.02 * bins)) ** 2)
        bump /= bump.sum(axis=1, keepdims=True)
        extra = np.select([(kind == k)[:, None] for k in (0, 1, 3)], [np.broadcast_to(flat, counts.shape), talk, bump])
        much = size * np.exp(self._uniform(np.log(0.25), np.log(1.6), n))
        found = np.where((kind == 2)[:, None], size[:, None] * smeared, counts * 0.8)
        return self._draw(found * 1.0) * (kind == 2)[:, None] + (kind != 2)[:, None] * (
            self.rng.binomial(counts.astype(np.int64), 0.8) + self._draw(much[:, None] * extra)
        )


def chosen_pads(good: Array, count: int, rng: np.random.Generator) -> Array:
    """Return `count` good pads, some of them twice where there are few."""
    own = np.flatnonzero(good)
    return rng.choice(own, count, replace=len(own) < count)
