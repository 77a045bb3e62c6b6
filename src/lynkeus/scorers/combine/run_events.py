"""Run events: any scorer of tables or waveforms judges single events, and a run by how their scores are distributed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import log_ndtr, ndtri
from scipy.stats import binom

from lynkeus.core import About, Batch, Evidence, Floats, Schema, Scores, Source, plugins
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.scorers.combine.inner import inner_scorer, layout_of
from lynkeus.sources import InMemory
from lynkeus.transforms.plot_scores import NullDistribution, chi2_deviate, deviate_of, worst_plot
from lynkeus.transforms.standard_events import FEWEST, StandardEvents, evidence_of

PARTS = 20  # equal parts of the distribution of scores of good events
TAILS = (0.003, 0.01, 0.03, 0.1, 0.3)  # shares of good events that score higher


@dataclass
class RunEvents:
    """`anomaly` of a run: -log10 of how often mean or shape of the distribution of scores of the events of a good run,
    or the number of high ones, are so far off, by the scores of the inner `scorer` with its `options`.

    It learns from `sample` good events; as many others give the distribution of scores (`ranked_`). A scorer of tables
    reads the columns, in sigmas; one of waveforms reads them one after the other. Learned: `events_`, `inner_`,
    `null_`.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("cloud",), True, "what the inner scorer explains", "seconds to minutes", runs=True)
    scorer: str = "autoencoder"
    options: Mapping[str, Any] = field(default_factory=dict)
    sample: int = 20_000
    seed: int = 0

    def fit(self, source: Source) -> Self:
        """Learn in two passes over good runs. Raises SettingsError for the inner scorer, SchemaError for few events."""
        self.inner_ = inner_scorer(self.scorer, self.options)
        self.schema_ = source.schema
        self.events_, pool = StandardEvents.fit(source, "run_events", 2 * self.sample, self.seed)
        half = len(pool) // 2
        self.inner_.fit(InMemory(self._as_batch(pool[:half])))
        self.ranked_ = np.sort(self.inner_.score(self._as_batch(pool[half:]))[:, 0])
        usual = NullDistribution.fit(np.concatenate([self._deviates(batch) for batch in source]))
        tail = np.arange(2 + len(TAILS)) > 1  # few counts: exact as they are, at best
        self.null_ = NullDistribution(
            np.where(tail, 0.0, usual.centre), np.where(tail, np.maximum(usual.sigma, 1.0), usual.sigma)
        )
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1); NaN for a run of too few events."""
        self.schema_.require(batch.schema, "the scorer run_events")
        return worst_plot(self.null_.of(self._deviates(batch)))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return the evidence of the inner scorer for every event."""
        self.schema_.require(batch.schema, "the scorer run_events")
        shape = batch.values.shape[2]
        runs = [
            self.inner_.explain(self._as_batch(run), "anomaly").reshape(-1, shape) for run in self.events_.runs(batch)
        ]
        return evidence_of(batch, runs)

    def save(self, folder: Path) -> None:
        """Write to a folder, the inner scorer to one of its own."""
        arrays = self.events_.to_arrays() | arrays_of(self.null_, "usual_") | {"ranked": self.ranked_}
        write_folder(folder, self.schema_, asdict(self), arrays)
        self.inner_.save(folder / "inner")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.events_, scorer.null_ = StandardEvents.from_arrays(arrays), part_of(NullDistribution, arrays, "usual_")
        scorer.ranked_ = arrays["ranked"]
        scorer.inner_ = plugins.load("scorers", scorer.scorer).load(folder / "inner")
        return scorer

    def _as_batch(self, events: Floats) -> Batch:
        columns = events.shape[1]
        if layout_of(self.inner_) == "table":
            names = self.schema_.names or tuple(f"column {number}" for number in range(columns))
            return Batch(Schema("table", names, (), (columns,)), events)
        return Batch(Schema("waveform", ("event",), (), (1, columns)), events[:, None, :])

    def _deviates(self, batch: Batch) -> Floats:
        """Return the normal deviates of each run (n, 2 + tails): of its mean score, of the shape of the distribution,
        and of how many are high."""
        runs = list(self.events_.runs(batch))
        lengths = [len(run) for run in runs]
        if not sum(lengths):
            return np.full((len(batch), 2 + len(TAILS)), np.nan)
        scores = self.inner_.score(self._as_batch(np.concatenate(runs)))[:, 0]
        return np.stack([self._deviates_of(own) for own in np.split(scores, np.cumsum(lengths)[:-1])])

    def _deviates_of(self, scores: Floats) -> Floats:
        scores = scores[np.isfinite(scores)]
        if len(scores) < FEWEST:
            return np.full(2 + len(TAILS), np.nan)
        rank = (np.searchsorted(self.ranked_, scores) + 0.5) / (len(self.ranked_) + 1)
        shift = np.abs(ndtri(rank).mean()) * np.sqrt(len(scores))
        parts = min(PARTS, len(scores) // 5)
        counts = np.bincount((rank * parts).astype(int), minlength=parts)
        spread = ((counts - len(scores) / parts) ** 2).sum() * parts / len(scores)
        limits = np.quantile(self.ranked_, 1 - np.array(TAILS))
        high = (scores[:, None] > limits).sum(axis=0)
        mean = deviate_of(np.log(2) + log_ndtr(-shift))
        whole = [mean, float(chi2_deviate(spread, np.array(parts - 1.0)))]
        return np.concatenate([whole, deviate_of(binom.logsf(high - 1, len(scores), TAILS))])
