"""Template: the shape that the spectra of good pads have in common, learned from them whatever lines they are of.

In the logarithm of the charge a gain is a shift. The shape is a density on a fine grid there, of narrow Gaussians,
found by maximum likelihood from pads of all gains at once (expectation maximisation, as Richardson 1972 and Lucy 1974);
what the threshold takes off at low charges does not move with the gain, and is a factor of each bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from scipy.special import ndtr

from lynkeus.core.batch import Array, Floats
from lynkeus.core.errors import SourceError

STEP = 0.0075  # of the grid, in the logarithm of the charge
KERNEL = 0.015  # width of the Gaussians
LOWEST, HIGHEST = 0.05, 1.6  # charges of the grid, in those of the main peak
GAIN_SPAN = 0.9  # gains from exp(-span) to exp(span) of the usual one
FREE_BELOW = 0.4  # of the main peak: below, the threshold may take some
ITERATIONS = 150
TINY = 1e-12


class Template(NamedTuple):
    """`peak`: charge of the main peak at a gain of 1; `weight` (nodes,): how much of the spectrum each Gaussian of the
    grid has; `passes` (bins,): what share of the charges of a bin the threshold leaves; `edges` (bins + 1,); `lowest`:
    the first bin that gains are fitted in."""

    peak: float
    weight: Floats
    passes: Floats
    edges: Floats
    lowest: int

    @property
    def gains(self) -> Floats:
        """Return the logarithms of the gains (m,) that `shapes` are of."""
        return STEP * np.arange(-round(GAIN_SPAN / STEP), round(GAIN_SPAN / STEP) + 1)

    def shapes(self) -> Floats:
        """Return (m, bins) the shares of counts in each bin, at each gain of `gains`."""
        nodes, gains = nodes_of(self.peak), self.gains
        kernel = kernels(self.edges, nodes[0] + gains[0], len(nodes) + len(gains) - 1)
        found = np.stack([self.weight @ kernel[k : k + len(nodes)] for k in range(len(gains))]) * self.passes
        return found / np.maximum(found.sum(axis=1, keepdims=True), TINY)

    def again(self, edges: Floats) -> Self:
        """Return the same shape in other bins, without a threshold."""
        return self._replace(edges=edges, passes=np.ones(len(edges) - 1), lowest=0)


def nodes_of(peak: float) -> Floats:
    """Return the logarithms of the charges (nodes,) of the grid."""
    return np.log(peak * LOWEST) + STEP * np.arange(round(np.log(HIGHEST / LOWEST) / STEP) + 1)


def kernels(edges: Floats, first: float, count: int) -> Floats:
    """Return (count, bins) what share of a Gaussian at first, first + STEP, ... lies in each bin."""
    logs = np.log(np.maximum(edges, 1e-9))
    at = first + STEP * np.arange(count)
    found: Floats = np.diff(ndtr((logs - at[:, None]) / KERNEL), axis=1)
    return found


@dataclass
class LogSpectra:
    """Spectra in even steps of the logarithm of the charge, for a first look at where peaks are."""

    edges: Floats
    step: float = 0.01

    def __post_init__(self) -> None:
        top = self.edges[-1]
        positive = self.edges[self.edges > 0]
        low = max(positive[0], top * 0.01)
        self.logs = np.arange(np.log(low), np.log(top), self.step)

    def of(self, counts: Floats) -> Floats:
        """Return (n, steps) of counts (n, bins), smoothed by 3 %."""
        total = np.cumsum(counts, axis=1, dtype=np.float64)
        at = np.exp(np.append(self.logs, self.logs[-1] + self.step) - self.step / 2)
        place = np.interp(at, self.edges, np.arange(len(self.edges)))
        whole, part = np.divmod(place, 1.0)
        whole = np.minimum(whole.astype(int), counts.shape[1] - 1)
        before = np.where(whole > 0, total[:, np.maximum(whole - 1, 0)], 0.0)
        found = np.diff(before + part * counts[:, whole], axis=1)
        width = 3.0
        taps = np.exp(-0.5 * (np.arange(-9, 10) / width) ** 2)
        taps /= taps.sum()
        padded = np.pad(found, ((0, 0), (9, 9)))
        smooth = np.zeros_like(found)
        for k, tap in enumerate(taps):
            smooth += tap * padded[:, k : k + found.shape[1]]
        return smooth


def first_gains(counts: Floats, edges: Floats) -> tuple[float, Floats]:
    """Return the charge of the main peak in most pads, and (n,) the logarithm of that of each pad less that one's.

    Raises SourceError where the spectra have no peak.
    """
    logs = LogSpectra(edges)
    chosen = np.flatnonzero(counts.sum(axis=1) >= np.quantile(counts.sum(axis=1), 0.3))
    chosen = chosen[:: max(1, len(chosen) // 4000)]
    some = logs.of(counts[chosen])
    usual = np.median(some / np.maximum(some.sum(axis=1, keepdims=True), TINY), axis=0)
    # Noise falls with the charge, and lies below the peaks: what counts is how high a peak rises above it.
    weighed = usual * np.exp(0.5 * (logs.logs - logs.logs[-1]))
    if not weighed.max() > 0:
        raise SourceError("the spectra of most pads are empty: is the run cut short, or the charge in other units?")
    at = int(weighed.argmax())
    low, high = max(0, at - 45), min(len(logs.logs), at + 46)
    found = np.empty(len(counts))
    for start in range(0, len(counts), 8192):
        own = logs.of(counts[start : start + 8192])[:, low:high]
        found[start : start + 8192] = logs.logs[low + own.argmax(axis=1)]
    centre = float(np.median(found[chosen]))
    return float(np.exp(centre)), found - centre


def learn_shape(counts: Floats, edges: Floats, peak: float, log_gain: Floats, iterations: int = ITERATIONS) -> Template:
    """Return the template of pads (n, bins) whose gains are known roughly: logarithms (n,) to those of `peak`."""
    groups = np.rint(log_gain / STEP).astype(int)
    inside = np.abs(groups * STEP) <= min(GAIN_SPAN, 0.5)
    own, number = np.unique(groups[inside], return_inverse=True)
    sums = np.zeros((len(own), counts.shape[1]))
    np.add.at(sums, number, counts[inside])
    nodes = nodes_of(peak)
    kernel = kernels(edges, nodes[0] + own[0] * STEP, len(nodes) + int(own[-1] - own[0]))
    stacked = [kernel[k - own[0] : k - own[0] + len(nodes)] for k in own]
    weight, passes = np.full(len(nodes), 1.0 / len(nodes)), np.ones(counts.shape[1])
    free = edges[1:] < FREE_BELOW * peak * np.exp(own[0] * STEP)
    total = sums.sum(axis=1)
    for turn in range(iterations):
        up, down, taken = np.zeros_like(weight), np.zeros_like(weight), np.zeros_like(passes)
        for k, single in enumerate(stacked):
            bare = weight @ single
            expected = bare * passes
            size = total[k] / max(expected.sum(), TINY)
            up += single @ (passes * sums[k] / np.maximum(expected * size, TINY)) * size
            down += single @ passes * size
            taken += bare * size
        weight = weight * up / np.maximum(down, TINY)
        weight /= weight.sum()
        if turn >= 20 and free.any():
            seen = sums.sum(axis=0) / np.maximum(taken, TINY)
            passes = np.where(free, np.clip(seen, 0.0, 1.0), 1.0)
    return Template(peak, weight, passes, edges, 0)


def range_of(template: Template, counts: Floats, expected: Floats) -> int:
    """Return the first bin in which the counts of good pads (n, bins) vary no more than by chance, and that lies above
    the threshold: what noise does there would move gains."""
    full = template.edges[:-1] >= FREE_BELOW * template.peak
    excess = ((counts - expected) ** 2).mean(axis=0) / np.maximum(expected.mean(axis=0), 0.05)
    quiet = (excess < 1.25) & (template.passes > 0.97)
    loud: Array = np.flatnonzero(~quiet & ~full)
    return int(loud[-1]) + 1 if len(loud) else 0
