"""Values that are missing: each is what the other channels say in the same shot, so that it speaks for nothing.

Residuals by all channels but those that are gone: the rest of a Gaussian is its marginal (Lauritzen 1996, ch. 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats
from lynkeus.transforms.missing import Gone, patterns_of
from lynkeus.transforms.rows import fold


class Gap(NamedTuple):
    """What is missing in a window: `channels` (k,) that lack a value in some shot, and by how much (k, k) their values
    follow if they are expected to be off by so many sigmas, averaged over the shots."""

    channels: npt.NDArray[np.intp]
    follow: Floats

    def filled(self, mean: Floats, expected: Floats, correlation: Floats) -> Floats:
        """Return the mean residuals (c,) of the window with missing values where the baseline is `expected` (c,), of
        the `mean` (c,) with these where nothing is off."""
        moved = (expected[self.channels] @ self.follow) @ correlation[self.channels]
        return np.asarray(mean + moved, mean.dtype)


def fill(
    away: Floats, missing: npt.NDArray[np.bool_], length: int, sigma: Floats, correlation: Floats
) -> tuple[Floats, list[Gap], Floats]:  # fmt: skip
    """Write into rows `away` (n * length, c) from the centre, 0 where they are `missing`, what the others say in that
    shot, and let them be away from the mean of their window instead.

    Return that mean (n, c) where no missing value is off from what the others say; what follows where it is; and how
    much less (n, c) the sums of squared residuals are for what is missing.
    """
    patterns, less = list(patterns_of(missing, correlation)), np.zeros_like(away)
    residual = (away / sigma) @ correlation
    for gone in patterns:
        away[gone.at] = -gone.follow(residual[gone.at]) * sigma[gone.at[1]]
        less[gone.rows] = _explained(gone, correlation)[gone.which]
    mean = fold(away, length).mean(axis=1)
    # A channel that is off is off in the shots without a value, too: its spread is that of the others.
    there = length - fold(missing, length).sum(axis=1)
    off = np.where(there > 0, ((mean / sigma) @ correlation) * (length / np.maximum(there, 1)), 0.0)
    for gone in patterns:
        own = off[gone.rows[:, None] // length, gone.channels[gone.which]]
        away[gone.at] += gone.follow(own) * sigma[gone.at[1]]
    shots = fold(away, length)
    shots -= shots.mean(axis=1)[:, None]
    return mean, _gaps(patterns, missing, length), np.minimum(fold(less, length).sum(axis=1), np.float32(length - 1))


def _explained(gone: Gone, correlation: Floats) -> Floats:
    """Return by how much less than 1 (p, c) the squared residual of each channel is without those of each pattern."""
    whole = correlation[gone.channels].astype(np.float64)
    return np.minimum(np.einsum("pkc,pkc->pc", gone.inverse @ whole, whole), 1.0).astype(np.float32)


def _gaps(patterns: Sequence[Gone], missing: npt.NDArray[np.bool_], length: int) -> list[Gap]:
    """Return what is missing in each window."""
    union: npt.NDArray[np.bool_] = np.logical_or.reduce(fold(missing, length), axis=1)
    place = np.cumsum(union, axis=1) - 1  # of a channel among those of its window
    channels = [np.flatnonzero(each) for each in union]
    found = [np.zeros((len(own), len(own))) for own in channels]
    for gone in patterns:
        window = gone.rows // length
        at = place[window[:, None], gone.channels[gone.which]]
        for row, own, which in zip(window.tolist(), at, gone.which.tolist(), strict=True):
            found[row][own[:, None], own] += gone.inverse[which]
    return [Gap(own, each / length) for own, each in zip(channels, found, strict=True)]
