"""Each channel given all others: the drift-free covariance of a table, learned robustly from a stream.

For Gaussian rows with precision matrix P, the difference between channel j and its prediction from all the others is
(P x)_j / P_jj with variance 1 / P_jj (Lauritzen 1996, ch. 5). Slow drift is not jitter: the covariance is taken
around the median of short blocks, and rows far outside of it (glitches, steps inside a block) are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lynkeus.core import Floats, SchemaError, Source
from lynkeus.transforms.missing import fill_from_others
from lynkeus.transforms.rows import fill_missing, rows_of

BLOCK_ROWS = 600
GLITCH_SIGMA = 6.0
RIDGE = 1e-6


@dataclass(frozen=True)
class ConditionalModel:
    """`centre` (c,), `jitter` (c,): standard deviation without drift, `precision` (c, c) of the jitter."""

    centre: Floats
    jitter: Floats
    precision: Floats

    @property
    def conditional_sigma(self) -> Floats:
        """(c,) noise of each channel given all others."""
        return 1.0 / np.sqrt(np.diag(self.precision))

    @property
    def to_residual(self) -> Floats:
        """(c, c) matrix that turns rows minus centre into conditional residuals of unit variance: (x - centre) @ it."""
        return self.precision * self.conditional_sigma

    @property
    def correlation(self) -> Floats:
        """(c, c): the share of a fault in channel i, in its own sigmas, that shows in the residual of channel j."""
        sigma = self.conditional_sigma
        return self.precision * np.outer(sigma, sigma)

    def residual(self, rows: Floats) -> Floats:
        """(n, c) what the other channels do not explain, in sigmas, float64; 0 where a value is missing."""
        deviation = (np.where(np.isfinite(rows), rows, np.nan) - self.centre) / self.conditional_sigma
        return fill_from_others(deviation, self.correlation) @ self.correlation


def blocks(source: Source, rows: int = BLOCK_ROWS) -> Iterator[Floats]:
    """Stretches of about `rows` consecutive rows, float64, NaN kept; a last short stretch is given too."""
    held: list[Floats] = []
    count = 0
    for batch in source:
        part, _ = rows_of(batch)
        for start in range(0, len(part), rows):
            held.append(part[start : start + rows])
            count += len(held[-1])
            if count >= rows:
                yield np.concatenate(held).astype(np.float64)
                held, count = [], 0
    if count >= 10:
        yield np.concatenate(held).astype(np.float64)


def fit_conditional(source: Source) -> ConditionalModel:
    """Learn centre, jitter and precision in two streaming passes; memory does not grow with the data.

    Raises SchemaError where the source has no rows.
    """
    medians, spreads = [], []
    for block in blocks(source):
        medians.append(_nanmedian(block))
        spreads.append(1.4826 * _nanmedian(np.abs(block - medians[-1])))
    if not medians:
        raise SchemaError("the source has no rows to learn from")
    centre = _nanmedian(np.array(medians))
    jitter = np.maximum(_nanmedian(np.array(spreads)), 1e-12)
    total, count = np.zeros((len(centre), len(centre))), 0
    for block in blocks(source):
        block, _ = fill_missing(block, centre)
        scaled = (block - np.median(block, axis=0)) / jitter
        scaled = scaled[(np.abs(scaled) < GLITCH_SIGMA).all(axis=1)]
        total += scaled.T @ scaled
        count += len(scaled)
    correlation = total / max(count, 1)
    shrink = RIDGE + len(centre) / max(count, 1) * 0.01
    correlation += shrink * np.diag(np.maximum(np.diag(correlation), 1e-6))
    scale = np.sqrt(np.diag(correlation))
    precision = np.linalg.inv(correlation / np.outer(scale, scale))
    jitter = jitter * scale
    return ConditionalModel(centre, jitter, precision / np.outer(jitter, jitter))


def _nanmedian(values: Floats) -> Floats:
    """Median over rows; 0 for a column without any number."""
    if not np.isnan(values).any():
        return np.median(values, axis=0)
    empty = np.isnan(values).all(axis=0)
    return np.nanmedian(np.where(empty, 0.0, values), axis=0)
