"""Binned chi-square: every plot of a run against the mean of good runs (Pearson 1900), the worst plot counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lynkeus.core import About, Array, Floats, Source
from lynkeus.scorers.histograms.by_plots import ByPlots
from lynkeus.transforms.plot_reference import PlotReference, summed
from lynkeus.transforms.plot_scores import chi2_deviate


@dataclass
class BinnedChi2(ByPlots):
    """`anomaly` of a run: -log10 of how often the worst plot of a good run is that bad; flow bins are included.

    Bins that expect less than `least` events are merged. The variance is that of counting, of the reference and
    from run to run. Learned: `reference_`, `null_` deviates of each plot.
    """

    name: ClassVar[str] = "binned_chi2"
    about: ClassVar[About] = About(("histogram",), False, "signed pull of each bin", "a second", runs=True)
    least: float = 1.0

    def _learn(self, source: Source) -> None:
        self.reference_ = PlotReference.fit(source, "binned_chi2")

    def _deviates(self, values: Array) -> Floats:
        events = self.reference_.enough_events(values)
        expected, variance = self.reference_.expected(events), self.reference_.variance(events)
        found = np.full(events.shape, np.nan)
        for plot, where in enumerate(self.reference_.plots.slices):
            for run in np.flatnonzero(np.isfinite(events[:, plot])):
                rows = (values[run, where], expected[run, where], variance[run, where])
                found[run, plot] = _deviate(*rows, self.reference_.merged(plot, rows[1], self.least))
        return found


def _deviate(counts: Floats, expected: Floats, variance: Floats, group: Array) -> float:
    """Return the normal deviate of the chi-square of one plot of one run, in groups of bins; NaN for a plot in one
    group, which has nothing to compare.

    With few counts a bin chi-square scatters more than its degrees of freedom say (Haldane 1937): a gamma distribution
    of the same mean and variance stands in.
    """
    counts, expected, variance = (summed(group, numbers) for numbers in (counts, expected, variance))
    value = ((counts - expected) ** 2 / np.maximum(variance, 1e-12)).sum()
    bins, events = len(expected), expected.sum()
    degrees = bins - 1.0
    scatter = 2 * degrees + (1 / expected).sum() - (bins**2 + 2 * bins - 2) / events
    scale = max(scatter / (2 * degrees), 1.0) if degrees else 1.0
    return float(chi2_deviate(value / scale, np.array(degrees / scale)))
