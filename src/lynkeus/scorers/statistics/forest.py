"""The trees of an isolation forest as plain arrays: kept without pickle, scored by all of NumPy at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Floats

CHUNK_POINTS = 2048


class Forest(NamedTuple):
    """The nodes of all trees one after the other: `root` (trees,) and, per node, both children (itself for a leaf),
    the feature and the threshold of its cut, and the number of training points in it."""

    root: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: Floats
    points: npt.NDArray[np.int64]

    def score(self, points: Floats, drawn: int) -> Floats:
        """(n,) 2 ** -(mean path / path in random data), in (0, 1), of points (n, features); `drawn`: points per tree.

        The same as `-IsolationForest.score_samples` of scikit-learn, which compares in single precision too.
        """
        single, score = points.astype(np.float32), np.empty(len(points))
        for first in range(0, len(points), CHUNK_POINTS):
            part = single[first : first + CHUNK_POINTS]
            node = np.tile(self.root, (len(part), 1))
            path, rows, inside = np.zeros(node.shape), np.arange(len(part))[:, None], True
            while np.any(inside):
                inside = self.left[node] != node
                path += inside
                goes_left = part[rows, self.feature[node]] <= self.threshold[node]
                node = np.where(goes_left, self.left[node], self.right[node])
            path += random_path(self.points)[node]
            score[first : first + CHUNK_POINTS] = 2.0 ** -(path.mean(axis=1) / random_path(np.array([drawn]))[0])
        return score


def random_path(points: Array) -> Floats:
    """Mean number of cuts that part one of `points` random points from the others (Liu et al., equation 1)."""
    n = np.maximum(points, 2).astype(np.float64)
    path = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.where(points <= 1, 0.0, np.where(points == 2, 1.0, path))


def forest_of(trees: list[Any]) -> Forest:
    """The arrays of scikit-learn's `tree_` objects."""
    counts = [tree.node_count for tree in trees]
    root = np.cumsum([0, *counts[:-1]])
    leaf = np.concatenate([tree.children_left for tree in trees]) < 0
    own = np.arange(len(leaf))
    left, right = (
        np.where(leaf, own, np.concatenate([getattr(tree, name) for tree in trees]) + np.repeat(root, counts))
        for name in ("children_left", "children_right")
    )
    feature = np.where(leaf, 0, np.concatenate([tree.feature for tree in trees]))
    threshold = np.concatenate([tree.threshold for tree in trees])
    return Forest(root, left, right, feature, threshold, np.concatenate([tree.n_node_samples for tree in trees]))
