"""The plots of a run beside what good runs have: expectation, band, pulls, and how conspicuous each plot is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtri

from lynkeus.core import NOTHING, Book, Finding, Floats, PlotRecord
from lynkeus.transforms.plot_scores import chi2_log_tail

LEAST_EXPECTED = 1.0  # counts of a bin that counts by itself; emptier ones are one bin together
MOST_SIGMA = 35.0
TINY = 1e-12


@dataclass(frozen=True)
class ReferencePlots:
    """Of good runs: `share` (bins,) of the events in each bin, `between` (bins,) how much it differs from run to run
    more than counting explains, `events` in all (bins,), of the runs that have the plot."""

    share: Floats
    between: Floats
    events: Floats

    @classmethod
    def fit(cls, counts: Floats, events: Floats) -> Self:
        """Learn from (runs, bins) counts, NaN where a run does not have the plot, and (runs,) events."""
        known = events > 0
        counts, events = counts[known], events[known]
        there = np.isfinite(counts)
        total, runs = np.maximum(events @ there, 1.0), np.maximum(there.sum(axis=0), 1)
        share = np.where(there, counts, 0.0).sum(axis=0) / total
        each = np.where(there, counts / events[:, None], share)
        expected = np.where(there, share / events[:, None], 0.0)
        excess = ((each - share) ** 2 - expected).sum(axis=0) / runs
        noise = np.sqrt(((2.0 * expected**2) + expected / events[:, None] ** 2).sum(axis=0)) / runs
        between = np.sqrt(np.where(excess > 2.0 * noise, np.maximum(excess, 0.0), 0.0))
        return cls(share, between, total)

    def expected(self, events: float) -> tuple[Floats, Floats]:
        """Return (bins,) counts that a good run of so many events has, and their variance."""
        mean = self.share * events
        return mean, mean + mean * events / self.events + (self.between * events) ** 2

    def pulls(self, counts: Floats, events: float) -> Floats:
        """Return (bins,) signed sigmas; by the Poisson likelihood ratio, so that sparse bins do not cry wolf."""
        mean, variance = self.expected(events)
        counts = np.where(np.isfinite(counts), counts, mean)
        known = np.maximum(mean, np.maximum(0.5 * events / self.events, TINY))  # a run may be empty
        ratio = np.where(counts > 0, np.maximum(counts, 1e-9) / known, 1.0)
        deviance = 2.0 * np.maximum(counts * np.log(ratio) - (counts - known), 0.0)
        wider = np.sqrt(known / np.maximum(variance, known))
        result: Floats = np.sign(counts - known) * np.sqrt(deviance) * wider
        return result

    def records(self, book: Book, counts: Floats, events: float, changes: Sequence[Finding]) -> tuple[PlotRecord, ...]:
        """Every plot of a run; those in which one of the `changes` shows are flagged and have the region of the first
        of them. A plot that the run does not have has a `sigma` of NaN."""
        mean, variance = self.expected(events)
        pulls = self.pulls(counts, events)
        sigma, there, counts = np.sqrt(variance), np.isfinite(counts), np.nan_to_num(counts)
        found = []
        for plot, where in zip(book.plots, book.slices(), strict=True):
            change = next((own for own in changes if plot.group == own.group and _shows(own, plot.variables)), NOTHING)
            region = {name: change.region[name] for name in plot.variables} if change.region else {}
            own_sigma = plot_sigma(pulls[where], mean[where]) if there[where].any() else np.nan
            found.append(
                PlotRecord(
                    plot, counts[where], mean[where], np.maximum(mean[where] - sigma[where], 0.0),
                    mean[where] + sigma[where], pulls[where], own_sigma, change.kind != "none", region,
                )
            )  # fmt: skip
        return tuple(found)


def _shows(change: Finding, variables: tuple[str, ...]) -> bool:
    if change.kind == "none":
        return False
    if change.kind == "shifted":
        return change.variable in variables and set(variables) <= set(change.region)
    return set(variables) <= set(change.region)


def plot_sigma(pulls: Floats, expected: Floats) -> float:
    """The chi-square of a plot as a normal deviate; bins that expect next to nothing are left out."""
    counted = expected >= LEAST_EXPECTED
    if not counted.any():
        return 0.0
    log_p = chi2_log_tail(float((pulls[counted] ** 2).sum()), int(counted.sum()))
    if log_p > np.log(0.5):
        return 0.0
    return float(min(-ndtri(np.exp(log_p)) if log_p > -600.0 else np.sqrt(-2.0 * log_p), MOST_SIGMA))
