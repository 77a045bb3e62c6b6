"""Conditional residual: each channel against what all the others say of it, in sigmas of that prediction.

The linear regression of every channel on all others at once; see `lynkeus.transforms.conditional`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from lynkeus.core import About, Batch, Evidence, Floats, Scores, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.transforms.conditional import ConditionalModel, fit_conditional
from lynkeus.transforms.missing import with_enough_data
from lynkeus.transforms.rows import fold, like_values, rows_of


@dataclass
class ConditionalResidual:
    """`anomaly` of a row, or a window, of a table: the largest root mean square residual of any channel, in sigmas.

    Learned: `model_`.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("table", "waveform"), False, "residual in sigmas", "a second", weights=True)

    def fit(self, source: Source) -> Self:
        """Learn in two passes over a stream. Raises SchemaError where nothing can be learned."""
        self.schema_ = source.schema
        self.model_ = fit_conditional(source)
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1) sigmas; NaN for a sample that misses more than half of its values."""
        return with_enough_data(batch, np.sqrt((self._residual(batch) ** 2).mean(axis=1)).max(axis=1))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Signed residual of each value in sigmas of its prediction; 0 where a value is missing."""
        return like_values(batch, self._residual(batch))

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        write_folder(folder, self.schema_, asdict(self), arrays_of(self.model_))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.model_ = part_of(ConditionalModel, arrays)
        return scorer

    def _residual(self, batch: Batch) -> Floats:
        """Return (n, length, c) residuals in sigmas."""
        self.schema_.require(batch.schema, "the scorer conditional_residual")
        rows, length = rows_of(batch)
        return fold(self.model_.residual(rows), length)
