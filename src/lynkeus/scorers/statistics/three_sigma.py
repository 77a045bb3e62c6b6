"""Robust three sigma: how far each channel is from its own median, in sigmas from the MAD. The cheapest control row."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from lynkeus.core import About, Batch, Evidence, Floats, Scores, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.transforms.missing import with_enough_data
from lynkeus.transforms.reservoir import weighted_rows
from lynkeus.transforms.robust_scale import RobustScale
from lynkeus.transforms.rows import fold, like_values, rows_of


@dataclass
class ThreeSigma:
    """`anomaly` of a row, or a window, of a table: the largest root mean square deviation of any channel, in sigmas.

    Median and MAD come from at most `sample` rows drawn from the whole stream. Learned: `scale_`.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("table", "waveform"), False, "deviation in sigmas", "a second", weights=True)
    sample: int = 10_000
    seed: int = 0

    def fit(self, source: Source) -> Self:
        """Learn in one pass over a stream. Raises SchemaError where nothing can be learned."""
        self.schema_ = source.schema
        self.scale_ = RobustScale.fit(*weighted_rows(source, self.sample, self.seed))
        return self

    def score(self, batch: Batch) -> Scores:
        """Return the score (n, 1) in sigmas, the root mean square of the worst channel; NaN for a sample that misses
        more than half of its values."""
        return with_enough_data(batch, np.sqrt((self._sigmas(batch) ** 2).mean(axis=1)).max(axis=1))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return the signed deviation of each value in sigmas."""
        return like_values(batch, self._sigmas(batch))

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        write_folder(folder, self.schema_, asdict(self), arrays_of(self.scale_))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.scale_ = part_of(RobustScale, arrays)
        return scorer

    def _sigmas(self, batch: Batch) -> Floats:
        """Return (n, length, c) deviations, 0 where a value is missing."""
        self.schema_.require(batch.schema, "the scorer three_sigma")
        rows, length = rows_of(batch)
        return fold(np.nan_to_num(self.scale_.apply(rows)), length)
