"""Mixing: how what is not known of the fine pixels of one coarse pixel hangs together."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Floats

LEAST = 1e-3  # of the mean variance: directions that never vary are not enlarged any further


class Mixing(NamedTuple):
    """`root` (channels, channels) of the covariance of fine pixels, symmetric, and its inverse."""

    root: Floats
    inverse: Floats

    @classmethod
    def fit(cls, z: Floats) -> Self:
        """Learn from (n, channels, row, column)."""
        flat = z.transpose(0, 2, 3, 1).reshape(-1, z.shape[1]).astype(float)
        variance, axes = np.linalg.eigh(flat.T @ flat / len(flat))
        size = np.sqrt(np.maximum(variance, LEAST * variance.mean()))
        return cls((axes * size) @ axes.T, (axes / size) @ axes.T)

    def mixed(self, white: Floats) -> Floats:
        """Return (n, channels, row, column) with the covariance."""
        return np.einsum("ij,njrs->nirs", self.root, white, optimize=True)

    def apart(self, z: Floats) -> Floats:
        """Return the inverse of `mixed`."""
        return np.einsum("ij,njrs->nirs", self.inverse, z, optimize=True)
