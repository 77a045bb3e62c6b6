"""Histogram PCA: what is left of a plot when the ways in which good runs differ are taken out (as AutoDQM does)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lynkeus.core import About, Array, Floats, Source
from lynkeus.scorers.histograms.by_plots import ByPlots
from lynkeus.transforms.plot_reference import PlotReference, summed
from lynkeus.transforms.plot_scores import chi2_deviate
from lynkeus.transforms.reservoir import reservoir


@dataclass
class HistogramPca(ByPlots):
    """`anomaly` of a run: -log10 of how often the worst plot of a good run leaves so large a chi-square.

    Histograms are normalised; deviations count in units of what Poisson lets expect for the size of the run. At most
    `components` of each plot, and only those that move more than counting explains, are taken out: along them a run may
    go as far as good runs do. `least`: events to merge bins up to, in a run of usual size. Learned from at most `kept`
    runs: `reference_`, `groups_` (bins,), `directions_` (plots, components, groups), `spread_` (plots, components).
    """

    name: ClassVar[str] = "histogram_pca"
    own: ClassVar[tuple[str, ...]] = ("groups", "directions", "spread")
    about: ClassVar[About] = About(("histogram",), False, "signed pull of each bin", "seconds", runs=True)
    components: int = 3
    least: float = 2.0
    kept: int = 1000
    seed: int = 0

    def _learn(self, source: Source) -> None:
        self.reference_ = PlotReference.fit(source, "histogram_pca")
        plots = self.reference_.plots
        runs = reservoir((self.reference_.entries(batch.values) for batch in source), self.kept, self.seed)
        events = self.reference_.enough_events(runs)
        typical_size = np.nan_to_num(np.nanmedian(np.where(np.isnan(events).all(axis=0), 0.0, events), axis=0))
        expected = self.reference_.expected(typical_size[None])[0]
        groups = [self.reference_.merged(k, expected[where], self.least) for k, where in enumerate(plots.slices)]
        self.groups_ = np.concatenate(groups)
        most = max(int(self.groups_[where].max()) + 1 for where in plots.slices)
        self.directions_ = np.zeros((len(plots.slices), self.components, most))
        self.spread_ = np.zeros((len(plots.slices), self.components))
        for plot in range(len(plots.slices)):
            self._learn_plot(plot, runs[np.isfinite(events[:, plot])])

    def _learn_plot(self, plot: int, runs: Floats) -> None:
        """Learn the principal components in which the normalised plot moves by more than counting (Marchenko & Pastur
        1967)."""
        if len(runs) < 2:
            return
        deviation, size = self._deviation(plot, runs)
        weighted = deviation * np.sqrt(size)[:, None]  # counting alone gives variance 1 to each group
        strength, directions = np.linalg.svd(weighted, full_matrices=False)[1:]
        count = min(self.components, len(strength))
        variance = strength[:count] ** 2 / len(runs)
        moves = variance > (1 + np.sqrt(deviation.shape[1] / len(runs))) ** 2 * 1.1
        self.directions_[plot, :count, : deviation.shape[1]] = np.where(moves[:, None], directions[:count], 0.0)
        self.spread_[plot, :count] = np.where(moves, (variance - 1) * len(runs) / size.sum(), 0.0)

    def _deviation(self, plot: int, values: Array) -> tuple[Floats, Floats]:
        """Return how far the shares of groups are from those of the reference (n, groups), with variance 1 / size from
        counting, and the size (n,): events of the plot."""
        where = self.reference_.plots.slices[plot]
        counts = np.stack([summed(self.groups_[where], run) for run in values[:, where]])
        size = counts.sum(axis=1)
        share = summed(self.groups_[where], self.reference_.share[where])
        return (counts / size[:, None] - share) / np.sqrt(share), size

    def _deviates(self, values: Array) -> Floats:
        events = self.reference_.enough_events(values)
        found = np.full(events.shape, np.nan)
        for plot in np.flatnonzero(np.isfinite(events).any(axis=0)):
            rows = np.flatnonzero(np.isfinite(events[:, plot]))
            found[rows, plot] = self._plot_deviate(int(plot), values[rows])
        return found

    def _plot_deviate(self, plot: int, values: Array) -> Floats:
        deviation, size = self._deviation(plot, values)
        where, groups = self.reference_.plots.slices[plot], deviation.shape[1]
        directions = self.directions_[plot, :, :groups]
        along = deviation @ directions.T
        variance = self.reference_.fano[plot] * (1 / size + 1 / self.reference_.events[plot])
        left = ((deviation - along @ directions) ** 2).sum(axis=1) / variance
        value = left + (along**2 / (variance[:, None] + self.spread_[plot])).sum(axis=1)
        degrees = groups - 1.0
        share = summed(self.groups_[where], self.reference_.share[where])
        few = ((1 / share).sum() - groups**2 - 2 * groups + 2) / size  # scatter of a chi-square of few counts
        scale = np.maximum(1 + few / (2 * max(degrees, 1.0)), 1.0)
        return chi2_deviate(value / scale, degrees / scale)
