"""Run histograms: any scorer of tables or waveforms reads runs, as the deviations of their bins from good runs.

A count is brought to variance 1 (Anscombe 1948) at any size of a run. A table has a row for each run, its sparse bins
merged; a scorer of waveforms gets the plots of one variable as channels and their bins as time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from scipy.stats import poisson

from lynkeus.core import About, Array, Batch, Evidence, Floats, Schema, SchemaError, Scores, Source, plugins
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.scorers.combine.inner import inner_scorer, layout_of
from lynkeus.sources import InMemory
from lynkeus.transforms.plot_reference import PlotReference, Plots
from lynkeus.transforms.reservoir import reservoir

DRAWN = 3000  # runs that are drawn from the good ones, where there are fewer: a network needs many
POOLED = 8  # good runs that a drawn run is drawn from
LEAST = 1.0  # events that a bin expects in a run of usual size, or it is merged with others
LEAST_HERE = 0.2  # events that a bin expects in this run, or it says nothing


@dataclass
class RunHistograms:
    """`anomaly` of a run, in the units of the inner `scorer`, which reads tables or waveforms and has these `options`.

    It learns from at most `kept` good runs, and from runs of their sizes drawn from a few of them at a time where they
    are fewer than 3000. Learned: `reference_`, `groups_` (bins,), `inner_`.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("histogram",), True, "signed pull of each bin", "seconds to minutes", runs=True)
    scorer: str = "autoencoder"
    options: Mapping[str, Any] = field(default_factory=dict)
    kept: int = 3000
    seed: int = 0

    def fit(self, source: Source) -> Self:
        """Learn in two passes over good runs. Raises SettingsError for the inner scorer, SchemaError where nothing can
        be learned."""
        self.inner_ = inner_scorer(self.scorer, self.options)
        self.schema_ = source.schema
        self.reference_ = PlotReference.fit(source, "run_histograms")
        runs = reservoir((self.reference_.entries(batch.values) for batch in source), self.kept, self.seed)
        runs = runs[np.isfinite(self.reference_.enough_events(runs)).any(axis=1)]
        events = self.reference_.enough_events(runs)
        usual = np.nan_to_num(np.nanmedian(np.where(np.isnan(events).all(axis=0), 0.0, events), axis=0))
        expected = self.reference_.expected(usual[None])[0]
        self.groups_ = self._grouped(expected)
        learned = np.concatenate([self._deviations(part) for part in (runs, self._drawn(runs))])
        self.inner_.fit(InMemory(self._as_batch(learned)))
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1); NaN for a run in which no plot has enough events."""
        self.schema_.require(batch.schema, "the scorer run_histograms")
        values = self.reference_.entries(batch.values)
        known = np.logical_or.reduce(np.isfinite(self.reference_.enough_events(values)), axis=1)
        scores = self.inner_.score(self._as_batch(self._deviations(values)))
        return np.where(known[:, None], scores, np.nan)

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return the signed pull of each bin in sigmas."""
        self.schema_.require(batch.schema, "the scorer run_histograms")
        return self.reference_.pulls(batch.values)

    def save(self, folder: Path) -> None:
        """Write to a folder, the inner scorer to one of its own."""
        reference = arrays_of(self.reference_, leave=("plots",))
        write_folder(folder, self.schema_, asdict(self), reference | {"groups": self.groups_})
        self.inner_.save(folder / "inner")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.reference_ = part_of(PlotReference, arrays, plots=Plots.of(scorer.schema_, "it"))
        scorer.groups_ = arrays["groups"]
        scorer.inner_ = plugins.load("scorers", scorer.scorer).load(folder / "inner")
        return scorer

    def _grouped(self, expected: Floats) -> Array:
        """Return the number (bins,) that each bin is counted in; -1: in none."""
        groups, first = np.full(len(expected), -1), 0
        plots = self.reference_.plots
        if layout_of(self.inner_) == "table":
            for plot, where in enumerate(plots.slices):
                groups[where] = first + self.reference_.merged(plot, expected[where], LEAST)
                first = int(groups[where].max()) + 1
            return groups
        lines = [where for where, shape in zip(plots.slices, plots.shapes, strict=True) if len(shape) == 1]
        if not lines:
            raise SchemaError(f"{self.scorer} reads plots of one variable as channels, and there is none")
        length = max(where.stop - where.start for where in lines)
        for channel, where in enumerate(lines):
            groups[where] = channel * length + np.arange(where.stop - where.start)
        return groups

    def _deviations(self, runs: Array) -> Floats:
        """Return deviations (n, numbers) of variance 1 in good runs; 0 where nothing can be said."""
        events = np.nan_to_num(self.reference_.enough_events(runs))
        counts = np.where(self.reference_.plots.per_bin(events) > 0, runs, 0.0)
        inside, size = self.groups_ >= 0, int(self.groups_.max()) + 1
        group = self.groups_[inside]
        rows = zip(counts[:, inside], self.reference_.expected(events)[:, inside], strict=True)
        both = np.array([[np.bincount(group, row, size) for row in pair] for pair in rows]).reshape(-1, 2, size)
        return stabilised(both[:, 0], both[:, 1])

    def _drawn(self, runs: Floats) -> Floats:
        """Draw further runs: Poisson counts around the mean of a few good ones, of the size of another."""
        count = max(0, DRAWN - len(runs))
        rng, plots = np.random.default_rng(self.seed), self.reference_.plots
        events = np.nan_to_num(self.reference_.enough_events(runs))
        runs = np.where(plots.per_bin(events) > 0, runs, 0.0)
        drawn = np.empty((count, runs.shape[1]))
        for row in range(count):
            few = rng.integers(len(runs), size=POOLED)
            size = events[rng.integers(len(runs))] / np.maximum(events[few].sum(axis=0), 1.0)
            drawn[row] = rng.poisson(runs[few].sum(axis=0) * plots.per_bin(size))
        return drawn

    def _as_batch(self, deviations: Floats) -> Batch:
        names, numbers = self.schema_.names, deviations.shape[1]
        if layout_of(self.inner_) == "table":
            names = tuple(f"bin {number}" for number in range(numbers))
            return Batch(Schema("table", names, (), (numbers,)), deviations)
        plots = self.reference_.plots.shapes
        channels = tuple(name for name, shape in zip(names, plots, strict=True) if len(shape) == 1)
        length = max(shape[0] for shape in plots if len(shape) == 1)
        values = np.zeros((len(deviations), len(channels) * length))
        values[:, :numbers] = deviations
        schema = Schema("waveform", channels, (), (len(channels), length))
        return Batch(schema, values.reshape(-1, len(channels), length))


def stabilised(counts: Floats, expected: Floats) -> Floats:
    """Return Poisson counts as deviations of mean 0 and variance 1 (Anscombe 1948, with exact moments for few counts);
    0 where hardly any is expected."""
    rates, mean, sigma = _anscombe()
    at = np.log(np.maximum(expected, LEAST_HERE))
    root = 2 * np.sqrt(np.maximum(counts, 0.0) + 0.375)
    many = 2 * np.sqrt(expected + 0.375) - 0.25 / np.sqrt(np.maximum(expected, 1.0))
    centre = np.where(expected < 100, np.interp(at, rates, mean), many)
    found: Floats = np.where(expected < LEAST_HERE, 0.0, (root - centre) / np.interp(at, rates, sigma))
    return found


@cache
def _anscombe() -> tuple[Floats, Floats, Floats]:
    """Return the log of rates, and mean and standard deviation of twice the square root of a Poisson count plus 3/8 at
    each."""
    rates, counts = np.geomspace(LEAST_HERE, 150.0, 200), np.arange(400)
    chance = poisson.pmf(counts, rates[:, None])
    root = 2 * np.sqrt(counts + 0.375)
    mean = chance @ root
    return np.log(rates), mean, np.sqrt(chance @ root**2 - mean**2)
