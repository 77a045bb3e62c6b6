"""What the scorers share that judge a run plot by plot and say how odd its worst plot is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

from lynkeus.core import Array, Batch, Evidence, Floats, Schema, Scores
from lynkeus.files.arrays import read_scorer, write_folder
from lynkeus.transforms.plot_reference import PLOT_ARRAYS, PlotReference
from lynkeus.transforms.plot_scores import USUAL_ARRAYS, Usual, worst_plot


class ByPlots(ABC):
    """A scorer, a dataclass of its settings, that gives each plot of a run a deviate and knows what is `usual_` of it.

    `own`: names of what it learns beside `reference_` and `usual_`, arrays that are kept as the attribute `<name>_`.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    name: ClassVar[str]
    own: ClassVar[tuple[str, ...]] = ()
    schema_: Schema
    reference_: PlotReference
    usual_: Usual

    @abstractmethod
    def _deviates(self, values: Array) -> Floats:
        """(n, plots) of (n, bins) counts; NaN for too few events."""

    def plot_sigma(self, batch: Batch) -> Floats:
        """(n, plots) how conspicuous each plot is, in sigmas; NaN for plots that are not judged."""
        self.schema_.require(batch.schema, f"the scorer {self.name}")
        return self.usual_.of(self._deviates(batch.values))

    def score(self, batch: Batch) -> Scores:
        """(n, 1); NaN for a run in which no plot has enough events."""
        return worst_plot(self.plot_sigma(batch))

    def explain(self, batch: Batch) -> Evidence:
        """Signed pull of each bin in sigmas."""
        self.schema_.require(batch.schema, f"the scorer {self.name}")
        return self.reference_.pulls(batch.values)

    def save(self, folder: Path) -> None:
        """Write to a folder."""
        own = {name: getattr(self, f"{name}_") for name in self.own}
        settings: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        write_folder(folder, self.schema_, settings, self.reference_.to_arrays() | self.usual_.to_arrays() | own)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder, *PLOT_ARRAYS, *USUAL_ARRAYS, *cls.own)
        scorer.reference_ = PlotReference.from_arrays(scorer.schema_, arrays)
        scorer.usual_ = Usual.from_arrays(arrays)
        for name in cls.own:
            setattr(scorer, f"{name}_", arrays[name])
        return scorer
