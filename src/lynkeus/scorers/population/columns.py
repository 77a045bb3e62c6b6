"""Which columns of events belong together: those that depend on each other share a density."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from lynkeus.core import Array, Floats

RANKED, RANKED_LEAST, RANKED_CELLS = 20_000, 4000, 800_000  # events by which dependence is judged, and their values
CELLS = 8  # of each column, equally full
DEPENDENT = 0.01  # mutual information in nats from which two columns belong together
NOT_GIVEN = 0.02  # of the variance of a column that others must leave open
MOST_TOGETHER = 6  # columns of one density
FEWEST_TO_FIT = 200  # events of a view, of all good runs together


def complete_events(events: Floats) -> Floats:
    """Return the events without a missing value."""
    complete = np.isfinite(events).all(axis=1)
    return events if complete.all() else events[complete]


def dependent_columns(scaled: Floats) -> list[Array]:
    """Return groups of columns (indices) that depend on each other by their mutual information, at most MOST_TOGETHER
    in each.

    A column that does not depend on the others is alone: no population shows better with it than in its own density. So
    is one that the others of a group give (an area before and after its correction).
    """
    columns = scaled.shape[1]
    known = complete_events(scaled)[: int(np.clip(RANKED_CELLS / columns, RANKED_LEAST, RANKED))]
    if columns == 1 or len(known) < FEWEST_TO_FIT:
        return [np.array([k]) for k in range(columns)]
    own, given = _not_given(known)
    cells = np.stack([_cell(known[:, k]) for k in own])
    distance = np.exp(-np.maximum(_information(cells), 0.0) / DEPENDENT)
    distance = 0.5 * (distance + distance.T)  # but for rounding it is that
    np.fill_diagonal(distance, 0.0)
    parts = [np.array([k]) for k in own]
    tree = linkage(squareform(distance), "single") if len(own) > 1 else np.empty((0, 4))
    for most in np.geomspace(np.exp(-1.0), 1e-12, 40) if len(own) > 1 else ():
        part = fcluster(tree, most, "distance")
        if np.bincount(part).max() <= MOST_TOGETHER:
            parts = [np.sort(own[part == p]) for p in np.unique(part)]
            break
    return [*parts, *(np.array([k]) for k in given)]


def _not_given(known: Floats) -> tuple[Array, Array]:
    """Return the columns that no linear combination of others gives, and those that one does; of such a set the one
    with the sharpest peaks stays."""
    order = sorted(range(known.shape[1]), key=lambda k: _entropy(known[:, k]))
    own: list[int] = []
    basis = np.empty((known.shape[1] + 1, len(known)))  # orthonormal rows, of a constant and the columns that stay
    basis[0] = 1.0 / np.sqrt(len(known))
    for k in order:
        column, others = known[:, k], basis[: len(own) + 1]
        left = column - others.T @ (others @ column)
        left -= others.T @ (others @ left)  # what rounding has left of them
        if left.var() > NOT_GIVEN * column.var():
            basis[len(own) + 1] = left / np.linalg.norm(left)
            own.append(k)
    return np.array(sorted(own)), np.array(sorted(set(order) - set(own)), int)


def _entropy(column: Floats) -> float:
    """Return the Shannon entropy (nats) of a column in 100 bins over its range without tails; it is low where there are
    peaks."""
    low, high = np.quantile(column, [0.01, 0.99])
    share = np.histogram(column, 100, (low, high if high > low else low + 1.0))[0] / len(column)
    return float(-(share[share > 0] * np.log(share[share > 0])).sum())


def _cell(column: Floats) -> Array:
    """Return the class (n,) of each value: which of CELLS ranges of equally many events it is in."""
    return np.searchsorted(np.quantile(column, np.arange(1, CELLS) / CELLS), column)


def _information(cells: Array) -> Floats:
    """Return the mutual information (c, c) in nats of columns of classes (c, n), less what chance gives (Miller &
    Madow 1955)."""
    columns, n = cells.shape
    which = np.zeros((n, columns, CELLS), np.float32)
    which[np.arange(n)[:, None], np.arange(columns), cells.T] = 1.0
    flat = which.reshape(n, -1)
    joint = (flat.T @ flat).reshape(columns, CELLS, columns, CELLS).swapaxes(1, 2) / n
    own = np.einsum("iiaa->ia", joint)
    outer = np.maximum(own[:, None, :, None] * own[None, :, None, :], 1e-12)
    term = joint * np.log(np.maximum(joint, 1e-12) / outer)
    found: Floats = term.sum(axis=(2, 3)).astype(float) - (CELLS - 1) ** 2 / (2 * n)
    return found
