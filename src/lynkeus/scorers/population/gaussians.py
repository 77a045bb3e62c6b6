"""The log of a Gaussian is linear in the monomials of degree 0, 1 and 2: many of them at many events are one product of
matrices, and so are the means and covariances of events that are weighted."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans

from lynkeus.core import Floats
from lynkeus.transforms.mixture import Mixture

MAX_STEPS, CONVERGED = 60, 1e-3  # of a fit; change of the mean log likelihood
LEAST_EVENTS = 10.0 * np.finfo(float).eps  # of a component


def degree_two(columns: int) -> int:
    """Return the number of monomials of degree 0, 1 and 2 of so many columns."""
    return (columns + 1) * (columns + 2) // 2


def _pairs(columns: int) -> list[tuple[int, int]]:
    """Return the pairs of columns in the order of the monomials of degree 2."""
    return [(a, b) for a in range(columns) for b in range(a, columns)]


def monomials(points: Floats) -> Floats:
    """Return the monomials (..., m, n) of degree 0, 1 and 2 of events (..., n, c)."""
    *draws, n, columns = points.shape
    made = np.empty((*draws, degree_two(columns), n))
    made[..., 0, :] = 1.0
    made[..., 1 : columns + 1, :] = np.swapaxes(points, -1, -2)
    for at, (a, b) in enumerate(_pairs(columns), columns + 1):
        np.multiply(made[..., 1 + a, :], made[..., 1 + b, :], out=made[..., at, :])
    return made


def coefficients(mean: Floats, covariance: Floats) -> Floats:
    """Return the coefficients (..., m) of the monomials in the log density of Gaussians of means (..., c) and
    covariances (..., c, c), without the constant of c times log(2 pi) / 2."""
    return of_precision(mean, np.linalg.inv(covariance), -0.5 * np.linalg.slogdet(covariance)[1])


def of_precision(mean: Floats, precision: Floats, log_height: Floats) -> Floats:
    """Return the coefficients (..., m) as above of Gaussians of precisions (..., c, c), whose log density at their mean
    is `log_height` (...,)."""
    columns = mean.shape[-1]
    linear = np.einsum("...ij,...j->...i", precision, mean)
    found = np.empty((*mean.shape[:-1], degree_two(columns)))
    found[..., 0] = log_height - 0.5 * (linear * mean).sum(axis=-1)
    found[..., 1 : columns + 1] = linear
    for at, (a, b) in enumerate(_pairs(columns), columns + 1):
        found[..., at] = (-0.5 if a == b else -1.0) * precision[..., a, b]
    return found


def mean_and_covariance(moments: Floats, columns: int) -> tuple[Floats, Floats]:
    """Return means (..., c) and covariances (..., c, c) from weighted sums (..., m) of the monomials."""
    of_all = moments[..., 1:] / moments[..., :1]
    mean = of_all[..., :columns]
    covariance = np.empty((*moments.shape[:-1], columns, columns))
    for at, (a, b) in enumerate(_pairs(columns), columns):
        covariance[..., a, b] = covariance[..., b, a] = of_all[..., at] - mean[..., a] * mean[..., b]
    return mean, covariance


def log_sum(parts: Floats) -> Floats:
    """Return the log (n,) of the sum of exp of (k, n); several times quicker than that of SciPy, which expects
    infinities."""
    largest = parts.max(axis=0)
    result: Floats = largest + np.log(np.exp(parts - largest).sum(axis=0))
    return result


def fitted_mixture(points: Floats, powers: Floats, count: int, wider: float, seed: int) -> Mixture:
    """Return a mixture of `count` Gaussians, fitted to points (n, c) of monomials `powers` (m, n) by expectation and
    maximisation from the clusters of k-means, as scikit-learn's GaussianMixture does in two to three times the time;
    each variance is widened by `wider`."""
    columns, floor = points.shape[1], wider * np.eye(points.shape[1])
    label = KMeans(count, n_init=1, random_state=np.random.RandomState(seed)).fit(points).labels_
    share = (label == np.arange(count)[:, None]).astype(float)
    log_weight, mean, covariance = _maximised(share, powers, columns)
    reached = -np.inf
    for _ in range(MAX_STEPS):
        before = reached
        parts = coefficients(mean, covariance + floor) @ powers + log_weight[:, None]
        whole = log_sum(parts)
        reached = float(whole.mean())
        share = np.exp(np.subtract(parts, whole, out=parts), out=parts)
        log_weight, mean, covariance = _maximised(share, powers, columns)
        if abs(reached - before) < CONVERGED:
            break
    whiten = np.swapaxes(np.linalg.inv(np.linalg.cholesky(covariance + floor)), 1, 2)
    volume = np.log(np.diagonal(whiten, axis1=1, axis2=2)).sum(axis=1)
    return Mixture(log_weight, mean, whiten, volume)


def _maximised(share: Floats, powers: Floats, columns: int) -> tuple[Floats, Floats, Floats]:
    """Return log weights (k,), means and covariances of components of which each event is with a probability `share`
    (k, n)."""
    moments = share @ powers.T
    moments[:, 0] += LEAST_EVENTS
    return np.log(moments[:, 0] / moments[:, 0].sum()), *mean_and_covariance(moments, columns)
