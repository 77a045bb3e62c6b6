"""Regions by an output, chosen on one half of the events and counted on the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.metrics.significance import asimov_significance

FEWEST = 10  # simulated background events in a region: with fewer its background is not known
PURITY = 0.5
STEPS = 5000  # of the output, of which the program of arXiv:1806.00322 takes the best
BINS = 5


@dataclass(frozen=True)
class Half:
    """Outputs from the highest to the lowest, with the signal and background that are expected above each, and how many
    background events were simulated there."""

    output: Floats
    signal: Floats
    background: Floats
    simulated: Array

    @classmethod
    def of(cls, output: Floats, truth: Array, weight: Floats) -> Self:
        """Return the half of all events, whose weights are those of all."""
        order = np.argsort(-output, kind="stable")
        own, heavy = truth[order], 2.0 * weight[order]
        return cls(output[order], np.cumsum(heavy * own), np.cumsum(heavy * ~own), np.cumsum(~own))

    def above(self, cut: float) -> tuple[float, float]:
        """Return expected signal and background from a cut on."""
        at = np.searchsorted(-self.output, -cut, side="right") - 1
        return (float(self.signal[at]), float(self.background[at])) if at >= 0 else (0.0, 0.0)


@dataclass(frozen=True)
class Counted:
    """One half to choose on, one to count."""

    choose: Half
    count: Half

    @classmethod
    def of(cls, output: Floats, truth: Array, weight: Floats) -> Self:
        """Return both halves of events (n,), every second one."""
        return cls(*(Half.of(output[k::2], truth[k::2].astype(bool), weight[k::2]) for k in (0, 1)))

    def curve(self) -> tuple[Floats, Floats, Floats]:
        """Return signal and background that are counted, and the share of the signal, at some cuts."""
        known = np.flatnonzero(self.count.simulated >= FEWEST)
        some = known[:: max(1, len(known) // 2000)]
        signal = self.count.signal[some]
        return signal, self.count.background[some], signal / self.count.signal[-1]


def significances(counted: Counted, systematic: float) -> dict[str, float]:
    """Return the expected significance by how the region is chosen: "tuned cut", "purity cut", "5,000 steps", "five
    bins"."""
    half = counted.choose
    known = np.flatnonzero(half.simulated >= FEWEST)
    signal, background = half.signal[known], half.background[known]
    z = asimov_significance(signal, background, systematic * background)
    tuned = float(half.output[known[int(np.argmax(z))]])
    pure = np.flatnonzero(signal >= PURITY * (signal + background))
    loosest = float(half.output[known[pure[-1] if len(pure) else 0]])
    steps = np.ceil(half.output[known] * STEPS) / STEPS  # the next step above each
    found = {}
    for name, cut in (
        ("tuned cut", tuned), ("purity cut", loosest), ("5,000 steps", _best_step(half, steps, systematic)),
    ):  # fmt: skip
        s, b = counted.count.above(cut)
        found[name] = float(asimov_significance(s, b, systematic * b))
    found["five bins"] = _binned(counted, systematic, tuned)
    return found


def _best_step(half: Half, steps: Floats, systematic: float) -> float:
    """Return the best of equal steps of the output, as `makeHepPlots` of github.com/aelwood/hepML chooses its cut."""
    tried = np.unique(np.minimum(steps, 1.0 - 1.0 / STEPS))
    at = np.searchsorted(-half.output, -tried, side="right") - 1
    tried, at = tried[at >= 0], at[at >= 0]
    signal, background = half.signal[at], half.background[at]
    return float(tried[int(np.argmax(asimov_significance(signal, background, systematic * background)))])


def _binned(counted: Counted, systematic: float, tuned: float) -> float:
    """Return the significance of the tuned region and of bins below it, of as much signal each, added in squares."""
    half = counted.choose
    at = int(np.searchsorted(-half.output, -tuned, side="right"))
    rest = half.signal[-1] - half.signal[at - 1]
    edges = [tuned]
    for k in range(1, BINS):
        wanted = half.signal[at - 1] + rest * k / BINS
        edges.append(float(half.output[min(int(np.searchsorted(half.signal, wanted)), len(half.output) - 1)]))
    above = np.array([(0.0, 0.0), *(counted.count.above(edge) for edge in edges)])
    s, b = np.diff(above, axis=0).T
    return float(np.sqrt((asimov_significance(s, b, systematic * b) ** 2).sum()))
