"""Beta-binomial: every bin against the same bin of several good runs, as AutoDQM does (arXiv 2501.13789).

What a bin of the references holds says how likely every count is in the run judged, with the uncertainty of both (a
binomial count of which the rate has the Beta posterior of the reference). How likely the count is relative to the
likeliest one gives the pull. Several references count as one of their size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from scipy.special import betaln, gammaln, log_ndtr

from lynkeus.core import About, Array, Batch, Evidence, Floats, Scores, SettingsError, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.scorers.histograms.by_plots import held_out
from lynkeus.transforms.plot_reference import PlotReference, Plots, merged, summed
from lynkeus.transforms.plot_scores import NullDistribution, chi2_deviate, deviate_of, worst_plot
from lynkeus.transforms.reservoir import reservoir

AS_CHI2 = "as_chi2"  # in a saved model
FOREMOST = 60.0  # sigmas: a pull is no larger
COARSE = 0.05  # share of a plot in a bin, when it is asked which runs are alike: rare counts must not choose
FEWEST_TIMES = 4.0  # as many events are to be expected of the references as of the run in a bin, or more are merged


@dataclass
class BetaBinomial:
    """`anomaly` of a run: -log10 of how often mean square or largest pull of the worst plot of a good run are so large.

    `references`: how many good runs it is compared with, those most like it of the `kept` ones; `tolerance`: relative
    difference of a rate between runs that is no fault; bins that expect less than `least` are merged. Learned:
    `reference_` (the mean of all), `runs_` (k, bins), `null_` mean square and largest pull of each plot.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("histogram",), False, "signed pull of each bin", "seconds", runs=True)
    references: int = 8
    tolerance: float = 0.01
    least: float = 3.0
    kept: int = 100
    seed: int = 0
    as_chi2_ = True  # False in models of before, whose null distribution is of another deviate

    def fit(self, source: Source) -> Self:
        """Learn in several passes over good runs. Raises SchemaError where nothing can be learned."""
        if self.references < 1 or self.kept < 2:
            raise SettingsError(f"references must be 1 or more, kept 2 or more: {self.references}, {self.kept}")
        self._learn(source)
        self.null_ = NullDistribution.fit(held_out(source, self._of_others, self._deviates, self.kept), alike=2)
        return self

    def _of_others(self, source: Source) -> Callable[[Array], Floats]:
        """Return what gives the deviates of runs by what was learned of others."""
        others = replace(self)
        others._learn(source)
        return others._deviates

    def _learn(self, source: Source) -> None:
        self.__dict__.pop("_coarse", None)
        self.schema_ = source.schema
        self.reference_ = PlotReference.fit(source, "beta_binomial")
        self.runs_ = reservoir((self.reference_.entries(batch.values) for batch in source), self.kept, self.seed)
        self.runs_ = self.runs_[np.isfinite(self.reference_.enough_events(self.runs_)).any(axis=1)]

    def plot_sigma(self, batch: Batch) -> Floats:
        """Return how conspicuous each plot is (n, plots), in sigmas of good runs; NaN for too few events."""
        both = self._usual(batch)
        return np.fmax(both[:, ::2], both[:, 1::2])

    def score(self, batch: Batch) -> Scores:
        """Return -log10 of the chance of the worst plot (n, 1); NaN for a run in which no plot has enough events."""
        return worst_plot(self._usual(batch))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return the signed pull of each bin (n, bins), not merged, in sigmas."""
        self.schema_.require(batch.schema, "the scorer beta_binomial")
        pulls: Floats = np.zeros(batch.values.shape)
        values = self.reference_.entries(batch.values)
        events = self.reference_.enough_events(values)
        for row, run in enumerate(values):
            alike, expected = self._alike(run), self.reference_.expected(events[[row]])[0]
            for plot in np.flatnonzero(np.isfinite(events[row])):
                where = self.reference_.plots.slices[plot]
                loose = self._loose(int(plot), np.arange(where.stop - where.start))
                pulls[row, where] = self._pulls(run[where], alike[where], expected[where], loose)
        return pulls

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays = arrays_of(self.reference_, leave=("plots",)) | arrays_of(self.null_, "usual_") | {"runs": self.runs_}
        arrays[AS_CHI2] = np.array([self.as_chi2_])
        write_folder(folder, self.schema_, asdict(self), arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.reference_ = part_of(PlotReference, arrays, plots=Plots.of(scorer.schema_, "it"))
        scorer.null_, scorer.runs_ = part_of(NullDistribution, arrays, "usual_"), arrays["runs"]
        scorer.as_chi2_ = AS_CHI2 in arrays and bool(arrays[AS_CHI2][0])
        return scorer

    def _usual(self, batch: Batch) -> Floats:
        self.schema_.require(batch.schema, "the scorer beta_binomial")
        return self.null_.of(self._deviates(batch.values))

    def _deviates(self, values: Array) -> Floats:
        """Return the statistics (n, 2 plots) of runs as they were read."""
        own = [self._statistics(run) for run in self.reference_.entries(values)]
        return np.stack(own) if own else np.empty((0, 2 * len(self.reference_.plots.slices)))

    def _statistics(self, run: Array) -> Floats:
        """Return two deviates (2 plots,) of each plot: its sum of squared pulls, standardised, and its largest pull, as
        a normal deviate after the number of bins is paid for; NaN where a plot has too few events."""
        plots = self.reference_.plots
        events = self.reference_.enough_events(run[None])
        expected = self.reference_.expected(events)
        found = np.full(2 * len(plots.slices), np.nan)
        alike = self._alike(run)
        for plot in np.flatnonzero(np.isfinite(events[0])):
            where = plots.slices[plot]
            known = expected[0, where] * min(1.0, alike[where].sum() / events[0, plot] / FEWEST_TIMES)
            group = self.reference_.merged(int(plot), known, self.least)
            counts, usual, references = (summed(group, row[where]) for row in (run, expected[0], alike))
            pulls = self._pulls(counts, references, usual, self._loose(int(plot), group))
            mean, variance = _moments_of_pull(usual)
            square = self._deviate_of_square(float((pulls**2).sum()), float(mean.sum()), float(variance.sum()))
            largest = np.log(2) + log_ndtr(-np.abs(pulls).max()) + np.log(len(pulls))
            found[2 * plot : 2 * plot + 2] = square, deviate_of(largest)
        return found

    def _deviate_of_square(self, square: float, mean: float, variance: float) -> float:
        """Return the normal deviate of a sum of squared pulls of this mean and variance, by the gamma distribution that
        has them: it grows as the pulls do, not as their square, which would make its tail as heavy again."""
        if not self.as_chi2_:
            return (square - mean) / float(np.sqrt(variance))
        scale = variance / (2.0 * mean)
        return float(chi2_deviate(np.array(square / scale), np.array(mean / scale)))

    def _alike(self, run: Array) -> Floats:
        """Return the sum (bins,) of the nearest good runs, by a chi-square distance of all plots in coarse bins."""
        group, starts, share, theirs = self._coarse
        own = np.bincount(group, run, len(share))
        size, sizes = (np.add.reduceat(np.nan_to_num(rows), starts, axis=-1) for rows in (own, theirs))
        of_plot = np.repeat(np.arange(len(starts)), np.diff([*starts, len(share)]))
        size, sizes = np.maximum(size, 1.0)[of_plot], np.maximum(sizes, 1.0)[:, of_plot]
        scale = np.maximum(share, 1e-12) * (1 / size + 1 / sizes)
        away = np.add.reduceat((own / size - theirs / sizes) ** 2 / scale, starts, axis=1)
        distance = np.nan_to_num(away).sum(axis=1)  # a plot that one of both lacks says nothing
        alike = self.runs_[np.argsort(distance, kind="stable")[: self.references]]
        found: Floats = np.where(np.isfinite(alike), alike, 0.0).sum(axis=0)
        return found

    @cached_property
    def _coarse(self) -> tuple[Array, Array, Floats, Floats]:
        """Return the coarse bin (bins,) of each bin, the first one of each plot, and what good runs have in them: their
        share (coarse,), and the counts (k, coarse) of each."""
        groups = [merged(self.reference_.share[where], COARSE) for where in self.reference_.plots.slices]
        starts = np.cumsum([0, *(int(group.max()) + 1 for group in groups)])
        group = np.concatenate([own + first for own, first in zip(groups, starts, strict=False)])
        share, *counts = (
            np.bincount(group, row, starts[-1]).astype(float) for row in (self.reference_.share, *self.runs_)
        )
        return group, starts[:-1], share, np.stack(counts)

    def _loose(self, plot: int, group: Array) -> Floats:
        """Return the variance (groups,) of the share of a group that is no fault: `tolerance`, and what good runs
        do."""
        where = self.reference_.plots.slices[plot]
        share = summed(group, self.reference_.share[where])
        found: Floats = (self.tolerance * share) ** 2 + summed(group, self.reference_.variation[where])
        return found

    def _pulls(self, counts: Floats, references: Floats, expected: Floats, loose: Floats) -> Floats:
        """Return signed pulls (bins,) of counts: square roots of twice the log likelihood ratio of the likeliest count
        to the one that was found, given the references."""
        events, size = counts.sum(), references.sum()
        # One event a bin, spread as good runs are, stands for what is known before the reference is looked at.
        rate = (references + len(counts) * expected / expected.sum()) / (size + len(counts))
        least = 0.5 / (size + len(counts))  # a bin that no good run has filled is not known to be impossible
        rate = np.clip(rate, least, 1 - 1e-12)
        known = rate * (1 - rate) / (rate * (1 - rate) / (size + len(counts) + 1) + loose) - 1
        a, b = np.maximum(rate * known, 1e-9), np.maximum((1 - rate) * known, 1e-9)
        most = events if a.size == 1 else np.floor((events + 1) * (a - 1) / np.maximum(a + b - 2, 1e-9))
        likely = np.clip(most, 0, events)
        gain = _log_p(likely, events, a, b) - _log_p(counts, events, a, b)
        pull = np.sqrt(2 * np.clip(gain, 0.0, FOREMOST**2 / 2))
        return np.where(counts >= rate * events, pull, -pull)


def _log_p(counts: Floats, events: float, a: Floats, b: Floats) -> Floats:
    """Return the log probability of beta-binomial counts: out of so many events with a rate of Beta(a, b)."""
    ways = gammaln(events + 1) - gammaln(counts + 1) - gammaln(events - counts + 1)
    found: Floats = ways + betaln(counts + a, events - counts + b) - betaln(a, b)
    return found


@cache
def _table() -> tuple[Floats, Floats, Floats]:
    """Return the log of expected counts, and mean and variance of the squared pull of a Poisson count of each."""
    rates = np.geomspace(0.01, 100.0, 60)
    counts = np.arange(300)
    log_p = counts * np.log(rates)[:, None] - rates[:, None] - gammaln(counts + 1)
    square = 2 * (log_p.max(axis=1, keepdims=True) - log_p)
    mean = (np.exp(log_p) * square).sum(axis=1)
    return np.log(rates), mean, (np.exp(log_p) * (square - mean[:, None]) ** 2).sum(axis=1)


def _moments_of_pull(expected: Floats) -> tuple[Floats, Floats]:
    """Return mean and variance of the squared pull of Poisson counts, interpolated at what is expected."""
    rates, mean, variance = _table()
    at = np.log(np.maximum(expected, 1e-12))
    return np.interp(at, rates, mean), np.interp(at, rates, variance)
