"""Mixture: a density of Gaussians, as many as the data support."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from lynkeus.core import Array, Floats

COMPONENTS = (1, 2, 4, 8, 16)
ROWS_PER_COMPONENT = 10
MOST_NUMBERS = 250_000  # in the covariances of all components; a wider table has one component
MAX_STEPS = 50


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians: `log_weight` (k,), `centre` (k, c), `whiten` (k, c, c), `log_volume` (k,)."""

    log_weight: Floats
    centre: Floats
    whiten: Floats
    log_volume: Floats

    @classmethod
    def fit(cls, points: Floats, seed: int, components: Sequence[int] = COMPONENTS) -> tuple[Self, Floats]:
        """Fit a mixture, and return also the scores of the quarter of the points that was held out, which chose the
        number of components.

        Each covariance is widened by columns / rows per component: many columns known from few rows are not trusted.
        """
        n, columns = points.shape
        drawn = np.random.default_rng(seed).permutation(n)
        learn, held = points[drawn[n // 4 :]], points[drawn[: n // 4]]
        best, likelihood = None, -np.inf
        for count in components:
            if count > 1 and (len(learn) < ROWS_PER_COMPONENT * count or count * columns**2 > MOST_NUMBERS):
                break
            wider = min(1.0, max(1e-3, columns * count / len(learn)))
            mixture = GaussianMixture(count, reg_covar=wider, max_iter=MAX_STEPS, random_state=seed)
            with warnings.catch_warnings():  # converged or not, the held-out likelihood judges
                warnings.simplefilter("ignore", ConvergenceWarning)
                mixture.fit(learn)
            reached = mixture.score(held)
            if reached <= likelihood:
                break
            best, likelihood = mixture, reached
        assert best is not None
        whiten = best.precisions_cholesky_
        volume = np.log(np.diagonal(whiten, axis1=1, axis2=2)).sum(axis=1)
        made = cls(np.log(best.weights_), best.means_, whiten, volume)
        return made, made.score(held)[0]

    def score(self, points: Floats) -> tuple[Floats, Array]:
        """Return -log of the density (n,), but for a constant, and the component (n,) that each point is most likely
        of."""
        log_density = self.log_parts(points)
        return -logsumexp(log_density, axis=0), log_density.argmax(axis=0)

    def log_parts(self, points: Floats) -> Floats:
        """Return the log of the density of each component at each point (k, n), but for the constant that `score`
        leaves out."""
        log_density = np.empty((len(self.centre), len(points)))
        for k, (centre, whiten) in enumerate(zip(self.centre, self.whiten, strict=True)):
            white = (points - centre) @ whiten
            log_density[k] = self.log_weight[k] + self.log_volume[k] - 0.5 * (white * white).sum(axis=1)
        return log_density

    def parts(self, points: Floats, component: Array) -> Floats:
        """Return by how much the squared distance of each point to its component falls (n, c) when a column is left
        out."""
        parts = np.empty(points.shape)
        for k, (centre, whiten) in enumerate(zip(self.centre, self.whiten, strict=True)):
            precision = whiten @ whiten.T
            pull = (points[component == k] - centre) @ precision
            parts[component == k] = pull**2 / np.diag(precision)
        return parts
