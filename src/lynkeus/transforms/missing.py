"""What is not there speaks for nothing: missing values are filled by what all others say of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Batch, Floats, Scores

AT_ONCE = 2_000_000  # numbers of matrices of patterns that are inverted together
FEW_PATTERNS = 8  # of which each is taken by itself


def fill_from_others(deviation: Floats, form: Floats) -> Floats:
    """Deviations (n, c) from the centre, with NaN replaced such that x' form x is least; `form` (c, c) is symmetric.

    With a precision matrix this is the expectation given the other channels, and x' form x the squared Mahalanobis
    distance of these alone. A row without any value becomes the centre.
    """
    missing = np.isnan(deviation)
    rows = np.flatnonzero(missing.any(axis=1))
    if not len(rows):
        return deviation
    filled = np.where(missing, 0.0, deviation)
    patterns, which = np.unique(missing[rows], axis=0, return_inverse=True)
    for number, gone in enumerate(patterns):
        here = rows[which.reshape(-1) == number]
        pull = filled[here] @ form[:, gone]
        filled[np.ix_(here, gone)] = -np.linalg.lstsq(form[np.ix_(gone, gone)], pull.T, rcond=None)[0].T
    return filled


class Gone(NamedTuple):
    """Rows (n,) in which as many columns are missing, by `which` (n,) of some patterns: `channels` (p, k), and the
    inverse (p, k, k) of their part of a form: with a precision matrix, their covariance given all others."""

    rows: npt.NDArray[np.intp]
    which: npt.NDArray[np.intp]
    channels: npt.NDArray[np.intp]
    inverse: Floats

    @property
    def at(self) -> tuple[Array, Array]:
        """Return the index (n, k) of the missing values in all rows."""
        return self.rows[:, None], self.channels[self.which]

    def follow(self, pull: Floats) -> Floats:
        """Return the product (n, k) of numbers (n, k) of each row with the inverse of its pattern."""
        if len(self.channels) > FEW_PATTERNS:
            return np.asarray(np.einsum("nk,nkj->nj", pull, self.inverse[self.which]))
        value = np.empty_like(pull)
        for number, inverse in enumerate(self.inverse):
            value[self.which == number] = pull[self.which == number] @ inverse
        return value


def patterns_of(missing: npt.NDArray[np.bool_], form: Floats) -> Iterator[Gone]:
    """Yield the patterns of `missing` (n, c) values; `form` (c, c) is symmetric and definite."""
    count = missing.sum(axis=1)
    for k in np.unique(count[count > 0]).tolist():
        rows = np.flatnonzero(count == k)
        _, first, which = np.unique(np.packbits(missing[rows], axis=1), axis=0, return_index=True, return_inverse=True)
        which, channels = which.reshape(-1), np.nonzero(missing[rows[first]])[1].reshape(len(first), k)
        step = max(1, AT_ONCE // (k * missing.shape[1]))
        for begin in range(0, len(channels), step):
            own, some = channels[begin : begin + step], np.flatnonzero((which >= begin) & (which < begin + step))
            inverse = np.linalg.inv(form[own[:, :, None], own[:, None, :]].astype(np.float64))
            yield Gone(rows[some], which[some] - begin, own, inverse)


def with_enough_data(batch: Batch, score: Floats) -> Scores:
    """One score per sample (n,) as a column (n, 1); NaN where more than half of the sample's values are missing."""
    missing = ~np.isfinite(batch.values)
    share = missing.mean(axis=tuple(range(1, missing.ndim)))
    return np.where(share > 0.5, np.nan, score)[:, None]
