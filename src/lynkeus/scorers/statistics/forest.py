"""Trees that scikit-learn has grown as plain arrays: kept without pickle, gone down by all of NumPy at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Floats, ModelError

CHUNK_POINTS = 2048


class Trees(Protocol):
    """Arrays of all nodes of some trees one after the other, whatever else is known of each node: see `nodes_of`."""

    @property
    def root(self) -> Array: ...

    @property
    def left(self) -> Array: ...

    @property
    def right(self) -> Array: ...

    @property
    def feature(self) -> Array: ...

    @property
    def threshold(self) -> Floats: ...


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
        """Return the scores (n,) of points (n, features), 2 ** -(mean path / path in random data), in (0, 1); `drawn`:
        points per tree.

        The same as `-IsolationForest.score_samples` of scikit-learn, which compares in single precision too.
        """
        score, random = np.empty(len(points)), random_path(np.array([drawn]))[0]
        for some, leaf, path in leaves(self, points):
            path += random_path(self.points)[leaf]
            score[some] = 2.0 ** -(path.mean(axis=1) / random)
        return score


def random_path(points: Array) -> Floats:
    """Mean number of cuts that part one of `points` random points from the others (Liu et al., equation 1)."""
    n = np.maximum(points, 2).astype(np.float64)
    path = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.where(points <= 1, 0.0, np.where(points == 2, 1.0, path))


def forest_of(trees: Sequence[Any]) -> Forest:
    """Return the arrays of the `tree_` objects of an isolation forest of scikit-learn."""
    return Forest(*nodes_of(trees), np.concatenate([tree.n_node_samples for tree in trees]))


def nodes_of(trees: Sequence[Any]) -> tuple[Array, Array, Array, Array, Floats]:
    """Return root (trees,), and of each node both children (itself for a leaf), feature and threshold of its cut.

    `trees` are the `tree_` objects of scikit-learn.
    """
    counts = [tree.node_count for tree in trees]
    root = np.cumsum([0, *counts[:-1]])
    leaf = np.concatenate([tree.children_left for tree in trees]) < 0
    own = np.arange(len(leaf))
    left, right = (
        np.where(leaf, own, np.concatenate([getattr(tree, name) for tree in trees]) + np.repeat(root, counts))
        for name in ("children_left", "children_right")
    )
    feature = np.where(leaf, 0, np.concatenate([tree.feature for tree in trees]))
    return root, left, right, feature, np.concatenate([tree.threshold for tree in trees])


def require_nodes(trees: Trees, features: int) -> None:
    """Raise ModelError where a node points outside of its forest, or cuts a feature that points do not have: a path
    down would leave the arrays, or never end."""
    nodes = len(trees.left)
    inside = all(((index >= 0) & (index < nodes)).all() for index in (trees.root, trees.left, trees.right))
    known = ((trees.feature >= 0) & (trees.feature < features)).all()
    own = np.arange(nodes)
    leaf = (trees.left == own) & (trees.right == own) if inside else False
    falls = inside and all(((child > own) | leaf).all() for child in (trees.left, trees.right))
    if not (falls and known and len(trees.right) == len(trees.feature) == len(trees.threshold) == nodes):
        raise ModelError("the trees of the forest are damaged: fit the model again")


def leaves(trees: Trees, points: Floats) -> Iterator[tuple[slice, Array, Floats]]:
    """Give which points (n, features), some at a time, the leaf of each tree that they fall into, and the cuts to it.

    Leaf and cuts are (points, trees). Points are compared in single precision, as scikit-learn does.
    """
    single = points.astype(np.float32)
    for first in range(0, len(points), CHUNK_POINTS):
        part = single[first : first + CHUNK_POINTS]
        node = np.tile(trees.root, (len(part), 1))
        path, rows, inside = np.zeros(node.shape), np.arange(len(part))[:, None], True
        while np.any(inside):
            inside = trees.left[node] != node
            path += inside
            goes_left = part[rows, trees.feature[node]] <= trees.threshold[node]
            node = np.where(goes_left, trees.left[node], trees.right[node])
        yield slice(first, first + CHUNK_POINTS), node, path
