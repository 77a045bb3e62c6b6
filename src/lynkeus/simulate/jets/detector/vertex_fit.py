"""Fits of vertices to straight tracks, many at once: two residuals a track, linear in the place of the vertex."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.detector.seen import Seen
from lynkeus.simulate.jets.four_vectors import phi_of, pt_of


@dataclass(frozen=True)
class Lines:
    """n tracks as lines: `rows` (n, 2, 3) and `targets` (n, 2): rows @ vertex - targets are the residuals across and
    along the beam in units of their errors."""

    rows: Floats
    targets: Floats

    @classmethod
    def of(cls, seen: Seen) -> Self:
        """Return the lines of tracks."""
        phi, slope = phi_of(seen.p), seen.p[:, 2] / pt_of(seen.p)
        d0, d0_error, dz, dz_error = seen.impact.T
        sin, cos, nothing, one = np.sin(phi), np.cos(phi), np.zeros(len(phi)), np.ones(len(phi))
        across = np.stack([-sin, cos, nothing], axis=1) / d0_error[:, None]
        along = np.stack([-slope * cos, -slope * sin, one], axis=1) / dz_error[:, None]
        return cls(np.stack([across, along], axis=1), np.stack([d0 / d0_error, dz / dz_error], axis=1))

    def cut(self, chosen: Array) -> Self:
        """Return the lines chosen."""
        return type(self)(self.rows[chosen], self.targets[chosen])

    def chi2(self, vertex: Floats) -> Floats:
        """Return the sums of both residuals squared (n,) of lines to a `vertex` (n, 3) each."""
        residual = np.einsum("nij,nj->ni", self.rows, vertex) - self.targets
        return (residual**2).sum(axis=1)


def fit_vertices(lines: Lines, vertex: Array, count: int) -> tuple[Floats, Floats]:
    """Return the places (count, 3) in mm and covariances (count, 3, 3) of vertices; `vertex` (n,): which one a line is
    of. One without two lines has no meaning."""
    normal, right = np.zeros((count, 3, 3)), np.zeros((count, 3))
    for j in range(3):
        right[:, j] = np.bincount(vertex, (lines.rows[:, :, j] * lines.targets).sum(axis=1), count)
        for k in range(3):
            normal[:, j, k] = np.bincount(vertex, (lines.rows[:, :, j] * lines.rows[:, :, k]).sum(axis=1), count)
    covariance = np.linalg.inv(
        normal + 1e-6 * np.eye(3)
    )  # parallel tracks meet nowhere: then far away, not at infinity
    return np.einsum("nij,nj->ni", covariance, right), covariance
