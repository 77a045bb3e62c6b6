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
from lynkeus.core.weights import joined_weights, weighted_median
from lynkeus.transforms.missing import fill_from_others
from lynkeus.transforms.modes import Modes, coarse_modes, find_modes
from lynkeus.transforms.reservoir import Weighted, row_weights
from lynkeus.transforms.rows import fill_missing, rows_of

BLOCK_ROWS = 600
GLITCH_SIGMA = 6.0
RIDGE = 1e-6


@dataclass(frozen=True)
class ConditionalModel:
    """`centre` (c,), `jitter` (c,): standard deviation without drift, `precision` (c, c) of the jitter; `modes`: where
    a few of them and the noise of each channel are all there is, in the unit of the data; `coarse`: where they are
    most of what there is, for what is asked of every row."""

    centre: Floats
    jitter: Floats
    precision: Floats
    modes: Modes | None = None
    coarse: Modes | None = None

    @property
    def conditional_sigma(self) -> Floats:
        """Return (c,) noise of each channel given all others."""
        return 1.0 / np.sqrt(np.diag(self.precision))

    @property
    def to_residual(self) -> Floats:
        """Return (c, c) matrix that turns rows minus centre into conditional residuals of unit variance: (x - centre) @
        it."""
        return self.precision * self.conditional_sigma

    @property
    def correlation(self) -> Floats:
        """Return (c, c): the share of a fault in channel i, in its own sigmas, that shows in the residual of
        channel j."""
        sigma = self.conditional_sigma
        return self.precision * np.outer(sigma, sigma)

    def residual(self, rows: Floats) -> Floats:
        """Return (n, c) what the other channels do not explain, in sigmas, float64; 0 where a value is missing."""
        deviation = (np.where(np.isfinite(rows), rows, np.nan) - self.centre) / self.conditional_sigma
        return fill_from_others(deviation, self.correlation) @ self.correlation


def blocks(source: Source, rows: int = BLOCK_ROWS) -> Iterator[Floats]:
    """Stretches of about `rows` consecutive rows, float64, NaN kept; a last short stretch is given too."""
    return (block for block, _ in weighted_blocks(source, rows))


def weighted_blocks(source: Source, rows: int = BLOCK_ROWS) -> Iterator[Weighted]:
    """Yield blocks as `blocks` does, with the weights of the rows, None where a block has none; rows of weight 0 are
    left out."""
    held: list[Weighted] = []
    count = 0
    for batch in source:
        part, length = rows_of(batch)
        weight = row_weights(batch, length)
        if weight is not None and not weight.all():
            part, weight = part[weight > 0], weight[weight > 0]
        for start in range(0, len(part), rows):
            stop = start + rows
            held.append((part[start:stop], None if weight is None else weight[start:stop]))
            count += len(held[-1][0])
            if count >= rows:
                yield _joined(held)
                held, count = [], 0
    if count >= 10:
        yield _joined(held)


def _joined(held: list[Weighted]) -> Weighted:
    rows = [part for part, _ in held]
    weight = joined_weights([own for _, own in held], [len(part) for part in rows])
    return np.concatenate(rows).astype(np.float64), weight


def fit_conditional(source: Source, few_modes: bool = False) -> ConditionalModel:
    """Learn centre, jitter and precision in two streaming passes, rows counted by their weights; memory does not grow
    with the data. `few_modes`: where a few modes predict as well as the full covariance, take these.

    Raises SchemaError where the source has no rows.
    """
    medians, spreads, heavy = [], [], []
    for block, weight in weighted_blocks(source):
        medians.append(_nanmedian(block, weight))
        spreads.append(1.4826 * _nanmedian(np.abs(block - medians[-1]), weight))
        heavy.append(None if weight is None else np.array([weight.mean()]))
    if not medians:
        raise SchemaError("the source has no rows to learn from")
    of_blocks = joined_weights(heavy, [1] * len(heavy))
    centre = _nanmedian(np.array(medians), of_blocks)
    jitter = np.maximum(_nanmedian(np.array(spreads), of_blocks), 1e-12)
    total, summed, squares = np.zeros((len(centre), len(centre))), 0.0, 0.0
    for block, weight in weighted_blocks(source):
        block, _ = fill_missing(block, centre)
        scaled = (block - _nanmedian(block, weight)) / jitter
        near = (np.abs(scaled) < GLITCH_SIGMA).all(axis=1)
        scaled, own = scaled[near], np.ones(int(near.sum())) if weight is None else weight[near]
        total += scaled.T @ (scaled if weight is None else scaled * own[:, None])
        summed, squares = summed + float(own.sum()), squares + float((own**2).sum())
    correlation = total / (summed or 1.0)
    count = max(summed**2 / (squares or 1.0), 1.0)
    shrink = RIDGE + len(centre) / count * 0.01
    correlation += shrink * np.diag(np.maximum(np.diag(correlation), 1e-6))
    scale = np.sqrt(np.diag(correlation))
    correlation /= np.outer(scale, scale)
    precision = np.linalg.inv(correlation)
    modes = find_modes(correlation, precision, count) if few_modes else None
    coarse = coarse_modes(correlation, precision) if few_modes and modes is None else None
    jitter = jitter * scale
    if modes is not None:
        precision, modes = modes.precision(), modes.times(jitter)
    if coarse is not None:
        coarse = coarse.times(jitter)
    return ConditionalModel(centre, jitter, precision / np.outer(jitter, jitter), modes, coarse)


def _nanmedian(values: Floats, weight: Floats | None = None) -> Floats:
    """Median over rows; 0 for a column without any number."""
    if weight is not None:
        return np.nan_to_num(weighted_median(values, weight))
    if not np.isnan(values).any():
        return np.median(values, axis=0)
    empty = np.isnan(values).all(axis=0)
    return np.nanmedian(np.where(empty, 0.0, values), axis=0)
