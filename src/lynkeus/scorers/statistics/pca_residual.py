"""PCA residual: what is left of a row when the strongest common motions of all channels are taken out."""

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

MARGIN = 1.5  # times the width of the spectrum of chance, of which few rows now and then have more


@dataclass
class PcaResidual:
    """`anomaly` of a row, or a window, of a table: the largest root mean square residual of any channel, in sigmas.

    As many components are taken out as carry the share `variance` of the covariance (robust: median, MAD, clipped
    deviations); where these are more than half of all, only those that carry a motion that columns have in common: of
    independent columns none. Learned: `scale_`, from `sample` rows and then all, `components_` (k, c),
    `residual_sigma_` (c,).
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("table", "waveform"), False, "residual in sigmas", "a second", weights=True)
    variance: float = 0.95
    sample: int = 10_000
    seed: int = 0

    def fit(self, source: Source) -> Self:
        """Learn in two passes over a stream. Raises SchemaError where nothing can be learned."""
        self.schema_ = source.schema
        known = Correlated.fit(source, self.sample, self.seed)
        self.scale_ = known.scale
        values, vectors = np.linalg.eigh(known.covariance)
        share = np.cumsum(values[::-1]) / values.sum()
        count = int(np.searchsorted(share, self.variance)) + 1
        if count > len(values) // 2:  # columns that hardly go together: most would be explained by themselves
            count = min(count, _common(values, known.count))
        self.components_ = vectors[:, ::-1][:, :count].T
        left = np.eye(len(values)) - self.components_.T @ self.components_
        residual_variance = np.einsum("ij,jk,ki->i", left, known.covariance, left)
        # A channel that the components explain completely has rounding errors only: they say nothing.
        seen = residual_variance > 1e-12 * values[-1]
        self.residual_sigma_ = np.where(seen, np.sqrt(np.maximum(residual_variance, 0.0)), np.inf)
        return self

    def score(self, batch: Batch) -> Scores:
        """Return the score (n, 1) in sigmas, the root mean square of the worst channel; NaN for a sample that misses
        more than half of its values."""
        return with_enough_data(batch, np.sqrt((self._residual(batch) ** 2).mean(axis=1)).max(axis=1))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Signed residual of each value in sigmas of its channel's residual."""
        return like_values(batch, self._residual(batch))

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        own = {"components": self.components_, "residual_sigma": self.residual_sigma_}
        write_folder(folder, self.schema_, asdict(self), arrays_of(self.scale_) | own)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.components_, scorer.residual_sigma_ = arrays["components"], arrays["residual_sigma"]
        scorer.scale_ = part_of(RobustScale, arrays)
        return scorer

    def _residual(self, batch: Batch) -> Floats:
        """Return (n, length, c) residuals in sigmas."""
        self.schema_.require(batch.schema, "the scorer pca_residual")
        rows, length = rows_of(batch)
        deviation = self.scale_.apply(rows)
        if np.isnan(deviation).any():
            deviation = fill_from_others(deviation, np.eye(deviation.shape[1]) - self.components_.T @ self.components_)
        left = deviation - deviation @ self.components_.T @ self.components_
        return fold(left / self.residual_sigma_, length)


def _common(values: Floats, rows: float) -> int:
    """Return how many eigenvalues (c,) of a covariance are larger than chance makes those of as many independent
    columns (Marchenko & Pastur 1967)."""
    largest = values.mean() * (1.0 + MARGIN * np.sqrt(len(values) / rows)) ** 2
    return int((values > largest).sum())
