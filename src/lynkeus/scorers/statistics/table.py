"""The recommended scorer of tables: distance to the nearest good rows, and density of a mixture of Gaussians."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from lynkeus.core import About, Batch, Evidence, Floats, SchemaError, Scores, SettingsError, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.scorers.statistics.columns import TableColumns
from lynkeus.scorers.statistics.table_parts import LocalDistance, Surprise, nearest
from lynkeus.transforms.missing import with_enough_data
from lynkeus.transforms.mixture import Mixture
from lynkeus.transforms.reservoir import sample_rows

FEWEST_ROWS = 8
BULK = 0.1  # a row among fewer than this share of all rows is not of the bulk


@dataclass
class Table:
    """`anomaly` of a row of a table: how surprising its place among good rows is, in nats, the mean of two views.

    One is the distance to its `neighbours` nearest reference rows, in units of what is usual in that `region` (so many
    rows); the other the density of a mixture of Gaussians, which knows correlations. At most `sample` rows are learned
    from. `left_out`: share of the reference, those farthest from its bulk, that is not learned from; for a reference
    that nobody has cleaned. Learned: `columns_`, `weight_` (c,) of the columns in a distance, `local_`, `mixture_` and
    the `surprise_` of either.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(
        ("table",), False, "shares of distance and density", "a second", constants=True, recommended=True
    )
    neighbours: int = 3
    region: int = 20
    sample: int = 5000
    left_out: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.left_out <= 0.5:
            raise SettingsError(f"left_out is a share of the reference, from 0 to 0.5, not {self.left_out}")

    def fit(self, source: Source) -> Self:
        """Learn in one pass over a stream. Raises SchemaError where it is no table, or has too few rows."""
        if source.schema.kind != "table":
            raise SchemaError(f"the scorer table reads tables, not a {source.schema.kind}")
        self.schema_ = source.schema
        rows = sample_rows(source, self.sample, self.seed)
        rows = np.where(np.isfinite(rows), rows, np.nan)
        rows = self._trusted(rows[np.isnan(rows).mean(axis=1) <= 0.5])
        self.columns_ = TableColumns.fit(rows)
        sigmas = self.columns_.sigmas(self.columns_.fill(rows))
        self.weight_ = _weight(sigmas, self.columns_.reach, self.neighbours)
        self.local_, far = LocalDistance.fit(sigmas * self.weight_, self.neighbours, self.region)
        self.mixture_, thin = Mixture.fit(sigmas, self.seed)
        self.surprise_ = Surprise.fit(far), Surprise.fit(thin)
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1) in nats, about 1 in good data; NaN for a row that misses more than half of its values."""
        sigmas = self._sigmas(batch)
        far, _ = self.local_.score(sigmas * self.weight_, self.neighbours)
        thin, _ = self.mixture_.score(sigmas)
        return with_enough_data(batch, 0.5 * (self.surprise_[0](far) + self.surprise_[1](thin)))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """The score of each row, shared out among its columns; 0 for values that are missing.

        A column's share of the distance is that of its squared difference to the mean of the nearest rows; its share of
        the density the fall of the squared Mahalanobis distance were it not known.
        """
        sigmas = self._sigmas(batch)
        points = sigmas * self.weight_
        far, index = self.local_.score(points, self.neighbours)
        thin, component = self.mixture_.score(sigmas)
        parts = (points - self.local_.points[index].mean(axis=1)) ** 2, self.mixture_.parts(sigmas, component)
        known, evidence = np.isfinite(batch.values), np.zeros(points.shape)
        for surprise, score, part in zip(self.surprise_, (far, thin), parts, strict=True):
            own = np.where(known, part, 0.0)
            evidence += 0.5 * (surprise(score) / np.maximum(own.sum(axis=1), np.finfo(float).tiny))[:, None] * own
        return evidence

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays = arrays_of(self.columns_) | arrays_of(self.mixture_) | arrays_of(self.local_) | {"weight": self.weight_}
        arrays |= {"far": self.surprise_[0].ordered, "thin": self.surprise_[1].ordered}
        write_folder(folder, self.schema_, asdict(self), arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.columns_, scorer.mixture_ = part_of(TableColumns, arrays), part_of(Mixture, arrays)
        scorer.weight_, scorer.local_ = arrays["weight"], part_of(LocalDistance, arrays)
        scorer.surprise_ = Surprise(arrays["far"]), Surprise(arrays["thin"])
        return scorer

    def _trusted(self, rows: Floats) -> Floats:
        """The rows to learn from: without those that have but a small part of the reference near them."""
        if self.left_out and len(rows):
            columns = TableColumns.fit(rows)
            sigmas = columns.sigmas(columns.fill(rows))
            depth = nearest(sigmas, sigmas, max(1, int(BULK * len(rows))), apart=True)[0][:, -1]
            rows = rows[depth <= np.quantile(depth, 1.0 - self.left_out)]
        if len(rows) < FEWEST_ROWS:
            raise SchemaError(f"the scorer table needs {FEWEST_ROWS} rows with half of their values, got {len(rows)}")
        return rows

    def _sigmas(self, batch: Batch) -> Floats:
        self.schema_.require(batch.schema, "the scorer table")
        return self.columns_.sigmas(self.columns_.fill(batch.values))


def _weight(sigmas: Floats, reach: Floats, neighbours: int) -> Floats:
    """Return (c,) such that distances by range and by sigma add in squares, each in units of its usual one to the
    nearest.

    By range, a flag that is rarely set counts less than by sigma; either alone fails on some tables.
    """
    scales = [np.ones(len(reach)), 1.0 / reach]
    usual = [nearest(sigmas * scale, sigmas * scale, neighbours, apart=True)[0].mean() for scale in scales]
    return np.sqrt(sum((scale / (unit or 1.0)) ** 2 for scale, unit in zip(scales, usual, strict=True)))
