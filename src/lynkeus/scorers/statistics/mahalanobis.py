"""Mahalanobis distance: how far a row is from the centre, with the correlations of all channels. One number for all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from lynkeus.core import About, Batch, Evidence, Floats, Scores, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.scorers.statistics.covariance import Correlated
from lynkeus.transforms.missing import fill_from_others, with_enough_data
from lynkeus.transforms.robust_scale import RobustScale
from lynkeus.transforms.rows import fold, like_values, rows_of


@dataclass
class Mahalanobis:
    """`anomaly` of a row, or a window, of a table: the root mean square Mahalanobis distance of its shots.

    The covariance is robust (median, MAD, clipped deviations) and shrunk towards its diagonal by channels / rows.
    Learned: `scale_`, from `sample` rows and then all, `precision_` (c, c) of the deviations in sigmas.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("table", "waveform"), False, "share of the distance", "a second", weights=True)
    sample: int = 10_000
    seed: int = 0

    def fit(self, source: Source) -> Self:
        """Learn in two passes over a stream. Raises SchemaError where nothing can be learned."""
        self.schema_ = source.schema
        known = Correlated.fit(source, self.sample, self.seed)
        self.scale_ = known.scale
        variance = np.diag(known.covariance)
        shrink = min(len(variance) / known.count, 1.0)
        # A constant column has no variance and never deviates: any number will do.
        covariance = (1.0 - shrink) * known.covariance + np.diag(np.where(variance > 0, shrink * variance, 1.0))
        self.precision_ = np.linalg.inv(covariance)
        return self

    def score(self, batch: Batch) -> Scores:
        """Return the Mahalanobis distance (n, 1), about sqrt(c) in good data; NaN for a sample that misses more than
        half of its values."""
        squared = self._contributions(batch).sum(axis=2).mean(axis=1)
        return with_enough_data(batch, np.sqrt(np.maximum(squared, 0.0)))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return what each value x_j adds to the squared distance, x_j (P x)_j; it may be negative."""
        return like_values(batch, self._contributions(batch))

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        write_folder(folder, self.schema_, asdict(self), arrays_of(self.scale_) | {"precision": self.precision_})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.scale_, scorer.precision_ = part_of(RobustScale, arrays), arrays["precision"]
        return scorer

    def _contributions(self, batch: Batch) -> Floats:
        """Return the parts (n, length, c) of the squared distance of each shot."""
        self.schema_.require(batch.schema, "the scorer mahalanobis")
        rows, length = rows_of(batch)
        deviation = fill_from_others(self.scale_.apply(rows), self.precision_)
        return fold(deviation * (deviation @ self.precision_), length)
