"""Each channel given all others: the drift-free covariance of a table, learned robustly from a stream.

For Gaussian rows with precision matrix P, the difference between channel j and its prediction from all the others is
(P x)_j / P_jj with variance 1 / P_jj (Lauritzen 1996, ch. 5). Slow drift is not jitter: the covariance is taken
around the median of short blocks, and rows far outside of it (glitches, steps inside a block) are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats, SchemaError, Source
from lynkeus.core.weights import joined_weights, weighted_median
from lynkeus.transforms.missing import fill_from_others, patterns_of
from lynkeus.transforms.modes import Modes, coarse_modes, find_modes
from lynkeus.transforms.reservoir import Weighted, row_weights
from lynkeus.transforms.rows import rows_of

BLOCK_ROWS = 600
GLITCH_SIGMA = 6.0
RIDGE = 1e-6
ROUNDS, SETTLED = 20, 0.02  # where values are missing: until no variance given the others changes by more
MOST_ROWS = 60_000  # about so many are gone through in each round


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


def _centre_and_jitter(source: Source) -> tuple[Floats, Floats, int]:
    """Return the medians (c,) over blocks of the median of each, and of the spread about it, and the number of rows."""
    medians, spreads, heavy, rows = [], [], [], 0
    for block, weight in weighted_blocks(source):
        empty = np.isnan(block).all(axis=0)
        medians.append(np.where(empty, np.nan, _nanmedian(block, weight)))
        spreads.append(1.4826 * np.where(empty, np.nan, _nanmedian(np.abs(block - medians[-1]), weight)))
        heavy.append(None if weight is None else np.array([weight.mean()]))
        rows += len(block)
    if not medians:
        raise SchemaError("the source has no rows to learn from")
    of_blocks = joined_weights(heavy, [1] * len(heavy))
    centre = _nanmedian(np.array(medians), of_blocks)
    return centre, np.maximum(_nanmedian(np.array(spreads), of_blocks), 1e-12), rows


def _covariance(
    source: Source, jitter: Floats, precision: Floats | None = None, every: int = 1
) -> tuple[Floats, float, bool]:  # fmt: skip
    """Return the covariance (c, c) of the rows of `every` so many blocks around the median of their block, in jitters;
    how many rows it is worth; and whether values were missing.

    These are at the median, or by a `precision` (c, c) what the other channels say of them, and what they scatter about
    that counts, too: a step of the EM algorithm (Dempster, Laird & Rubin 1977; Little & Rubin 2002, ch. 11).
    """
    total, summed, squares, gaps = np.zeros((len(jitter), len(jitter))), 0.0, 0.0, False
    for number, (block, weight) in enumerate(weighted_blocks(source)):
        if number % every:
            continue
        scaled = (np.where(np.isfinite(block), block, np.nan) - _nanmedian(block, weight)) / jitter
        near = ~(np.abs(scaled) >= GLITCH_SIGMA).any(axis=1)
        scaled, own = scaled[near], np.ones(int(near.sum())) if weight is None else weight[near]
        missing = np.isnan(scaled)
        if missing.any():
            gaps, scaled = True, np.where(missing, 0.0, scaled)
            if precision is not None:
                total += _filled(scaled, missing, own, precision)
        total += scaled.T @ (scaled if weight is None else scaled * own[:, None])
        summed, squares = summed + float(own.sum()), squares + float((own**2).sum())
    correlation = total / (summed or 1.0)
    count = max(summed**2 / (squares or 1.0), 1.0)
    shrink = RIDGE + len(jitter) / count * 0.01
    return correlation + shrink * np.diag(np.maximum(np.diag(correlation), 1e-6)), count, gaps


def _filled(scaled: Floats, missing: npt.NDArray[np.bool_], weight: Floats, precision: Floats) -> Floats:
    """Fill in rows (n, c) what is `missing` by what the others say, and return the sum (c, c) of how that scatters."""
    scatter, pull = np.zeros_like(precision), scaled @ precision
    for gone in patterns_of(missing, precision):
        scaled[gone.at] = -gone.follow(pull[gone.at])
        often = np.bincount(gone.which, weight[gone.rows], len(gone.channels))
        np.add.at(scatter, (gone.channels[:, :, None], gone.channels[:, None, :]), gone.inverse * often[:, None, None])
    return scatter


def _joined(held: list[Weighted]) -> Weighted:
    rows = [part for part, _ in held]
    weight = joined_weights([own for _, own in held], [len(part) for part in rows])
    return np.concatenate(rows).astype(np.float64), weight


def fit_conditional(
    source: Source, few_modes: bool = False, like: ConditionalModel | None = None
) -> ConditionalModel:  # fmt: skip
    """Learn centre, jitter and precision in two streaming passes, rows counted by their weights; memory does not grow
    with the data. `few_modes`: where a few modes predict as well as the full covariance, take these; where a model is
    given that this is to be `like`, if it does, too.

    Raises SchemaError where the source has no rows.
    """
    centre, jitter, rows = _centre_and_jitter(source)
    correlation, count, gaps = _covariance(source, jitter)
    every = max(1, rows // MOST_ROWS)
    for _ in range(ROUNDS if gaps else 0):
        before = np.diag(np.linalg.inv(correlation))
        correlation, count, _ = _covariance(source, jitter, np.linalg.inv(correlation), every)
        if np.abs(np.log(np.diag(np.linalg.inv(correlation)) / before)).max() < SETTLED:
            break
    scale = np.sqrt(np.diag(correlation))
    correlation /= np.outer(scale, scale)
    precision = np.linalg.inv(correlation)
    known = 0 if like is None or like.coarse is None else like.coarse.loadings.shape[1]
    asked = few_modes if like is None else like.modes is not None
    modes = find_modes(correlation, precision, count) if asked else None
    asked = few_modes if like is None else known > 0
    coarse = coarse_modes(correlation, precision, known) if asked and modes is None else None
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
