"""Binned chi-square: every plot of a run against the mean of good runs (Pearson 1900), the worst plot counts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from lynkeus.core import About, Array, Batch, Evidence, Floats, Scores, Source
from lynkeus.scorers.folder import read_scorer, write_folder
from lynkeus.transforms.plot_reference import PLOT_ARRAYS, PlotReference, merged, summed
from lynkeus.transforms.plot_scores import USUAL_ARRAYS, Usual, chi2_deviate, worst_plot


@dataclass
class BinnedChi2:
    """`anomaly` of a run: -log10 of how often the worst plot of a good run is that bad; flow bins are included.

    Bins that expect less than `least` events are merged. The variance is that of counting, of the reference and
    from run to run. Learned: `reference_`, `usual_` deviates of each plot.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("histogram",), False, "signed pull of each bin", "a second")
    least: float = 1.0

    def fit(self, source: Source) -> Self:
        """Learn in two passes over good runs. Raises SchemaError where nothing can be learned."""
        self.schema_ = source.schema
        self.reference_ = PlotReference.fit(source, "binned_chi2")
        self.usual_ = Usual.fit(np.concatenate([self._deviates(batch.values) for batch in source]))
        return self

    def plot_sigma(self, batch: Batch) -> Floats:
        """(n, plots) how conspicuous each plot is, in sigmas; NaN for too few events."""
        self.schema_.require(batch.schema, "the scorer binned_chi2")
        return self.usual_.of(self._deviates(batch.values))

    def score(self, batch: Batch) -> Scores:
        """(n, 1); NaN for a run in which no plot has enough events."""
        return worst_plot(self.plot_sigma(batch))

    def explain(self, batch: Batch) -> Evidence:
        """Signed pull of each bin in sigmas."""
        self.schema_.require(batch.schema, "the scorer binned_chi2")
        return self.reference_.pulls(batch.values)

    def save(self, folder: Path) -> None:
        """Write to a folder."""
        write_folder(folder, self.schema_, asdict(self), self.reference_.to_arrays() | self.usual_.to_arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder, *PLOT_ARRAYS, *USUAL_ARRAYS)
        scorer.reference_ = PlotReference.from_arrays(scorer.schema_, arrays)
        scorer.usual_ = Usual.from_arrays(arrays)
        return scorer

    def _deviates(self, values: Array) -> Floats:
        events = self.reference_.judged(values)
        expected, variance = self.reference_.expected(events), self.reference_.variance(events)
        found = np.full(events.shape, np.nan)
        for plot, where in enumerate(self.reference_.plots.slices):
            for run in np.flatnonzero(np.isfinite(events[:, plot])):
                rows = (values[run, where], expected[run, where], variance[run, where])
                found[run, plot] = _deviate(*rows, self.least)
        return found


def _deviate(counts: Floats, expected: Floats, variance: Floats, least: float) -> float:
    """Of one plot of one run. A plot of which all lies in one bin has nothing to compare.

    With few counts a bin chi-square scatters more than its degrees of freedom say (Haldane 1937): a gamma distribution
    of the same mean and variance stands in.
    """
    group = merged(expected, least)
    counts, expected, variance = (summed(group, numbers) for numbers in (counts, expected, variance))
    value = ((counts - expected) ** 2 / np.maximum(variance, 1e-12)).sum()
    bins, events = len(expected), expected.sum()
    degrees = bins - 1.0
    scatter = 2 * degrees + (1 / expected).sum() - (bins**2 + 2 * bins - 2) / events
    scale = max(scatter / (2 * degrees), 1.0) if degrees else 1.0
    return float(chi2_deviate(value / scale, np.array(degrees / scale)))
