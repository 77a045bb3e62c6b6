"""Kolmogorov: the largest distance of the cumulative histogram of a run from that of good runs (Kolmogorov 1933)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import kolmogorov

from lynkeus.core import About, Array, Floats, SchemaError, Source
from lynkeus.scorers.histograms.by_plots import ByPlots
from lynkeus.transforms.plot_reference import PlotReference
from lynkeus.transforms.plot_scores import deviate_of


@dataclass
class Kolmogorov(ByPlots):
    """`anomaly` of a run: -log10 of how often the worst 1-D plot of a good run is that far from the reference.

    Plots of two dimensions are not looked at. Learned: `reference_`, `null_` deviates of each plot (distances are
    taken at bin edges only, and good runs move by themselves).
    """

    name: ClassVar[str] = "kolmogorov"
    about: ClassVar[About] = About(("histogram",), False, "signed pull of each bin", "a second", runs=True)

    def _learn(self, source: Source) -> None:
        self.reference_ = PlotReference.fit(source, "kolmogorov")
        if all(len(shape) > 1 for shape in self.reference_.plots.shapes):
            raise SchemaError("kolmogorov looks at plots of one variable, and there is none; use binned_chi2")

    def _deviates(self, values: Array) -> Floats:
        plots = self.reference_.plots
        events = self.reference_.enough_events(values)
        # The size of one sample that scatters as run and reference together; weights scatter more than counts.
        effective = events * self.reference_.events / (events + self.reference_.events) / self.reference_.fano
        found = np.full(events.shape, np.nan)
        for plot, (where, shape) in enumerate(zip(plots.slices, plots.shapes, strict=True)):
            if len(shape) == 1:
                difference = values[:, where] / events[:, plot, None] - self.reference_.share[where]
                distance = np.abs(np.cumsum(difference, axis=1)).max(axis=1)
                found[:, plot] = deviate_of(_log_p(distance, effective[:, plot]))
        return found


def _log_p(distance: Floats, events: Floats) -> Floats:
    """Return the natural logarithm of the chance of a distance so large, with the correction of Stephens (1970) for few
    events."""
    root = np.sqrt(events)
    t = (root + 0.12 + 0.11 / root) * distance
    with np.errstate(divide="ignore"):
        return np.where(t > 4, np.log(2) - 2 * t**2, np.log(kolmogorov(t)))
