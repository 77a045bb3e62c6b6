"""Kolmogorov: the largest distance of the cumulative histogram of a run from that of good runs (Kolmogorov 1933)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from scipy.special import kolmogorov

from lynkeus.core import About, Array, Batch, Evidence, Floats, SchemaError, Scores, Source
from lynkeus.scorers.folder import read_scorer, write_folder
from lynkeus.transforms.plot_reference import PLOT_ARRAYS, PlotReference
from lynkeus.transforms.plot_scores import USUAL_ARRAYS, Usual, deviate_of, worst_plot


@dataclass
class Kolmogorov:
    """`anomaly` of a run: -log10 of how often the worst 1-D plot of a good run is that far from the reference.

    Plots of two dimensions are not looked at. Learned: `reference_`, `usual_` deviates of each plot (distances are
    taken at bin edges only, and good runs move by themselves).
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("histogram",), False, "signed pull of each bin", "a second")

    def fit(self, source: Source) -> Self:
        """Learn in two passes over good runs. Raises SchemaError where nothing can be learned."""
        self.schema_ = source.schema
        self.reference_ = PlotReference.fit(source, "kolmogorov")
        if all(len(shape) > 1 for shape in self.reference_.plots.shapes):
            raise SchemaError("kolmogorov looks at plots of one variable, and there is none; use binned_chi2")
        self.usual_ = Usual.fit(np.concatenate([self._deviates(batch.values) for batch in source]))
        return self

    def plot_sigma(self, batch: Batch) -> Floats:
        """(n, plots) how conspicuous each plot is, in sigmas; NaN for too few events, and for 2-D plots."""
        self.schema_.require(batch.schema, "the scorer kolmogorov")
        return self.usual_.of(self._deviates(batch.values))

    def score(self, batch: Batch) -> Scores:
        """(n, 1); NaN for a run in which no plot has enough events."""
        return worst_plot(self.plot_sigma(batch))

    def explain(self, batch: Batch) -> Evidence:
        """Signed pull of each bin in sigmas."""
        self.schema_.require(batch.schema, "the scorer kolmogorov")
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
        plots = self.reference_.plots
        events = self.reference_.judged(values)
        effective = events * self.reference_.events / (events + self.reference_.events) / self.reference_.fano
        found = np.full(events.shape, np.nan)
        for plot, (where, shape) in enumerate(zip(plots.slices, plots.shapes, strict=True)):
            if len(shape) == 1:
                difference = values[:, where] / events[:, plot, None] - self.reference_.share[where]
                distance = np.abs(np.cumsum(difference, axis=1)).max(axis=1)
                found[:, plot] = deviate_of(_log_p(distance, effective[:, plot]))
        return found


def _log_p(distance: Floats, events: Floats) -> Floats:
    """Natural logarithm of the chance of a distance so large, with the correction of Stephens (1970) for few events."""
    root = np.sqrt(events)
    t = (root + 0.12 + 0.11 / root) * distance
    with np.errstate(divide="ignore"):
        return np.where(t > 4, np.log(2) - 2 * t**2, np.log(kolmogorov(t)))
