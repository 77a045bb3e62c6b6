"""What the scorers share that judge a run plot by plot and say how odd its worst plot is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lynkeus.core import Array, Batch, Evidence, Floats, Schema, SchemaError, Scores, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.sources.wrappers.selection import Select
from lynkeus.transforms.plot_reference import PlotReference, Plots
from lynkeus.transforms.plot_scores import NullDistribution, worst_plot

FOLDS = 5
MOST = 1000  # runs from which it is learned how odd good ones are


def held_out(
    source: Source, learn: Callable[[Source], Callable[[Array], Floats]], known: Callable[[Array], Floats],
    most: int = MOST,
) -> Floats:  # fmt: skip
    """Return the deviates (n, ...) of good runs, of about `most` of them, each by what `learn` makes of the four fifths
    that it is not in; by what is `known` of all where these are too few to learn from."""
    count = sum(len(batch) for batch in source)
    number, asked = np.arange(count) % FOLDS, np.arange(count) // FOLDS % max(count // most, 1) == 0
    rows: dict[int, Floats] = {}
    for fold in np.unique(number):
        try:
            deviates = learn(Select(source, mask=number != fold))
        except SchemaError:
            deviates = known
        chosen = asked & (number == fold)
        own = np.concatenate([deviates(batch.values) for batch in Select(source, mask=chosen)])
        rows |= dict(zip(np.flatnonzero(chosen).tolist(), own, strict=True))
    return np.stack([rows[row] for row in sorted(rows)])


class ByPlots(ABC):
    """A scorer, a dataclass of its settings, that gives each plot of a run a deviate and knows what is `null_` of it.

    `own`: names of what it learns beside `reference_` and `null_`, arrays that are kept as the attribute `<name>_`.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    name: ClassVar[str]
    own: ClassVar[tuple[str, ...]] = ()
    schema_: Schema
    reference_: PlotReference
    null_: NullDistribution

    def fit(self, source: Source) -> Self:
        """Learn in a few passes over good runs. Raises SchemaError where nothing can be learned.

        How odd good runs are is learned from runs that were not learned from: few runs look more alike to what was
        made of themselves than any other run will.
        """
        self.schema_ = source.schema
        self._learn(source)
        self.null_ = NullDistribution.fit(held_out(source, self._of_others, self._of), alike=1)
        return self

    def _of_others(self, source: Source) -> Callable[[Array], Floats]:
        """Return what gives deviates by what was learned of a part of the runs."""
        others: ByPlots = type(self)(**asdict(self))  # type: ignore[call-overload]
        others.schema_ = source.schema
        others._learn(source)
        return others._of

    def _of(self, values: Array) -> Floats:
        """Return deviates (n, plots) of runs as they were read."""
        return self._deviates(self.reference_.entries(values))

    @abstractmethod
    def _learn(self, source: Source) -> None:
        """Learn all but the null distribution."""

    @abstractmethod
    def _deviates(self, values: Array) -> Floats:
        """Return a normal deviate of each plot (n, plots) from entries (n, bins); NaN for too few events."""

    def plot_sigma(self, batch: Batch) -> Floats:
        """Return how conspicuous each plot is (n, plots), in sigmas of good runs; NaN for plots without enough
        events."""
        self.schema_.require(batch.schema, f"the scorer {self.name}")
        return self.null_.of(self._of(batch.values))

    def score(self, batch: Batch) -> Scores:
        """Return -log10 of the chance of the worst plot (n, 1); NaN for a run in which no plot has enough events."""
        return worst_plot(self.plot_sigma(batch))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return the signed pull of each bin (n, bins) in sigmas."""
        self.schema_.require(batch.schema, f"the scorer {self.name}")
        return self.reference_.pulls(batch.values)

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        own = {name: getattr(self, f"{name}_") for name in self.own}
        settings: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        own |= arrays_of(self.reference_, leave=("plots",)) | arrays_of(self.null_, "usual_")
        write_folder(folder, self.schema_, settings, own)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.reference_ = part_of(PlotReference, arrays, plots=Plots.of(scorer.schema_, "it"))
        scorer.null_ = part_of(NullDistribution, arrays, "usual_")
        for name in cls.own:
            setattr(scorer, f"{name}_", arrays[name])
        return scorer
