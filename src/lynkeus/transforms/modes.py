"""Few modes and noise of every channel's own: a covariance of which products cost a few per cent of the full ones.

Factor analysis by principal axes of the channels in units of their own noise (Lawley and Maxwell, *Factor Analysis as a
Statistical Method*, 1971, ch. 4), taken only where it predicts every channel as well as the full covariance does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lynkeus.core import Floats

LEAST = 512  # channels: the products of fewer take no longer than all else
SHARE = 8  # at most one mode for so many channels: more are not worth it
UPDATES, POWERS = 60, 2  # of the noise, and steps of the subspace iteration for each
WORSE = 0.02  # of a channel's conditional variance that fewer modes may cost, beyond the error of the full covariance
MOST_SHARE = 5  # at most one mode for so many channels, where they are to be cheaper than the full covariance
COARSER, COARSEST = 0.05, 0.15  # of the conditional variance that these may cost on average, and of any channel


@dataclass(frozen=True)
class Modes:
    """The covariance `diag(noise) + loadings @ loadings.T`: `noise` (c,), a variance, `loadings` (c, k)."""

    noise: Floats
    loadings: Floats

    def precision(self) -> Floats:
        """Return the inverse (c, c) of the covariance."""
        weighted = self.loadings / self.noise[:, None]
        return np.asarray(np.diag(1.0 / self.noise) - weighted @ self.scores_of(np.ones(len(self.noise), bool)).T)

    def scores_of(self, used: np.ndarray) -> Floats:
        """Return the matrix (c, k) that turns rows into the expected size of each mode, by the `used` channels."""
        weighted = np.where(used[:, None], self.loadings / self.noise[:, None], 0.0)
        return np.asarray(weighted @ np.linalg.inv(np.eye(weighted.shape[1]) + self.loadings.T @ weighted))

    def axes(self, used: np.ndarray) -> tuple[Floats, Floats]:
        """Return orthonormal axes (c, k) of the `used` channels in units of their noise, and the variance (k,) along
        each, that of the noise included."""
        scaled = np.where(used[:, None], self.loadings / np.sqrt(self.noise)[:, None], 0.0)
        axes, sizes, _ = np.linalg.svd(scaled, full_matrices=False)
        return axes, 1.0 + sizes**2

    def times(self, scale: Floats) -> Modes:
        """Return those of channels multiplied by (c,)."""
        return Modes(self.noise * scale**2, self.loadings * scale[:, None])


def find_modes(covariance: Floats, precision: Floats, rows: float) -> Modes | None:
    """Return the modes of a covariance (c, c) that was measured in so many rows, or None where few are not enough.

    Enough they are if each channel is predicted from all others as well as by the `precision` (c, c), its inverse: what
    is estimated of c channels in n rows adds c / (n - c) to the variance of a prediction, and `WORSE` is allowed beyond
    that.
    """
    channels = len(covariance)
    if channels < LEAST or rows < 2 * channels:
        return None
    noise = 1.0 / np.diag(precision) / (1.0 - channels / rows)  # what the full covariance has fitted of it, too
    edge = (1.0 + np.sqrt(channels / rows)) ** 2  # of the eigenvalues of noise alone (Marchenko and Pastur, 1967)
    values = np.linalg.eigvalsh(covariance / np.sqrt(np.outer(noise, noise)))
    first = int((values > 1.2 * edge).sum())
    most = channels // SHARE
    if not 0 < first <= most:
        return None
    for count in (first, min(first + first // 2, most)):
        modes = _factors(covariance, noise, count)
        other = modes.precision()
        difference = other / np.sqrt(np.diag(other)) - precision / np.sqrt(np.diag(precision))
        worse = (difference * (covariance @ difference)).sum(axis=0)
        if worse.max() <= WORSE + channels / (rows - channels):
            return modes
    return None


def coarse_modes(covariance: Floats, precision: Floats, known: int = 0) -> Modes | None:
    """Return the fewest modes that predict each channel nearly as well as the `precision` (c, c), the inverse of the
    covariance (c, c), does, or None where these are so many that nothing is gained.

    They are for what asks only whether a channel is noisier than it was: a prediction that leaves a twentieth more of
    the variance hides nothing of that. `known`: how many it is to be, if that is known.
    """
    sigma = np.sqrt(np.diag(covariance))
    covariance = covariance / np.outer(sigma, sigma)
    alone = np.diag(precision) * sigma**2  # of each channel given all others, one over the variance
    for count in [known] if known else range(16, len(sigma) // MOST_SHARE + 1, 8):
        modes = _factors(covariance, 1.0 / alone, count)
        if known:
            return modes.times(sigma)
        prediction = modes.precision() / np.diag(modes.precision())
        worse = (prediction * (covariance @ prediction)).sum(axis=0) * alone - 1.0
        if worse.mean() <= COARSER and worse.max() <= COARSEST:
            return modes.times(sigma)
    return None


def _factors(covariance: Floats, noise: Floats, count: int) -> Modes:
    """Return the principal axes of a covariance in units of the noise, found together with the noise."""
    basis = np.random.default_rng(0).standard_normal((len(covariance), count))
    variance = np.diag(covariance)
    for _ in range(UPDATES):
        sigma = np.sqrt(noise)[:, None]
        for _ in range(POWERS):
            basis, _ = np.linalg.qr((covariance @ (basis / sigma)) / sigma)
        values, turn = np.linalg.eigh((basis / sigma).T @ covariance @ (basis / sigma))
        loadings = sigma * (basis @ turn) * np.sqrt(np.maximum(values - 1.0, 0.0))
        noise = np.maximum(variance - np.square(loadings).sum(axis=1), 1e-4 * variance)
    return Modes(noise, loadings)
