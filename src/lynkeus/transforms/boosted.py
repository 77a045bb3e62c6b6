"""Gradient-boosted trees that scikit-learn has grown, as plain arrays: kept without pickle, gone down by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Floats, ModelError

CHUNK_POINTS = 2048


class Boosted(NamedTuple):
    """The nodes of all trees one after the other. `root` (trees,) and `output` (trees,): the class that a tree adds to;
    per node both children (itself for a leaf), feature and threshold of its cut, whether a missing value goes left, and
    what a leaf adds; `start` (outputs,): the log odds that are added to."""

    root: npt.NDArray[np.int64]
    output: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: Floats
    missing_left: npt.NDArray[np.bool_]
    value: Floats
    start: Floats

    def decide(self, points: Floats) -> Floats:
        """Return (n, outputs) log odds of points (n, features); the same as `decision_function` of scikit-learn."""
        found = np.tile(self.start, (len(points), 1))
        onto = np.eye(len(self.start))[self.output]
        for first in range(0, len(points), CHUNK_POINTS):
            part = points[first : first + CHUNK_POINTS]
            node = np.tile(self.root, (len(part), 1))
            rows, inside = np.arange(len(part))[:, None], True
            while np.any(inside):
                x = part[rows, self.feature[node]]
                goes_left = np.where(np.isnan(x), self.missing_left[node], x <= self.threshold[node])
                below = np.where(goes_left, self.left[node], self.right[node])
                inside = below != node
                node = below
            found[first : first + CHUNK_POINTS] += self.value[node] @ onto
        return found

    def require(self, features: int) -> None:
        """Raise ModelError where a node points outside of the trees, or upwards, or cuts what points do not have."""
        own = np.arange(len(self.left))
        falls = all(((child > own) | (child == own)).all() for child in (self.left, self.right))
        inside = all(((one >= 0) & (one < len(own))).all() for one in (self.root, self.left, self.right))
        known = ((self.feature >= 0) & (self.feature < features)).all()
        alike = len({len(one) for one in self[2:8]}) == 1 and len(self.root) == len(self.output)
        if not (falls and inside and known and alike and (self.output < len(self.start)).all()):
            raise ModelError("the trees of the model are damaged: fit it again")


def boosted_of(model: Any) -> Boosted:
    """Return the arrays of a fitted HistGradientBoosting model of scikit-learn without categories."""
    trees = [tree.nodes for step in model._predictors for tree in step]
    output = np.array([k for step in model._predictors for k in range(len(step))], np.int64)
    counts = [len(nodes) for nodes in trees]
    root = np.cumsum([0, *counts[:-1]])
    nodes, shift = np.concatenate(trees), np.repeat(root, counts)
    leaf = nodes["is_leaf"].astype(bool)
    own = np.arange(len(nodes))
    left, right = (np.where(leaf, own, nodes[side].astype(np.int64) + shift) for side in ("left", "right"))
    feature = np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64)
    start = np.asarray(model._baseline_prediction, float).reshape(-1)
    cut = nodes["num_threshold"].astype(float)
    return Boosted(root, output, left, right, feature, cut, nodes["missing_go_to_left"] > 0, nodes["value"], start)


def boosted_regressors(x: Floats, y: Floats, seed: int) -> tuple[Boosted, ...]:
    """Return trees that estimate each of the numbers y (n, outputs) from columns x (n, columns)."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    found = []
    for own in y.T:
        model = HistGradientBoostingRegressor(max_iter=150, learning_rate=0.08, random_state=seed)
        found.append(boosted_of(model.fit(x, own)))
    return tuple(found)


def two_sided(decision: Floats) -> Array:
    """Return log odds (n, classes) where trees have one output for the second of two classes."""
    return np.hstack([np.zeros_like(decision), decision]) if decision.shape[1] == 1 else decision


def fast_decision(trees: Boosted) -> Callable[[Floats], Floats]:
    """Return a function of points (n, features) that gives log odds (n,) of trees with one output, by the compiled code
    of scikit-learn where this version of it takes the arrays, else as `decide`."""
    try:
        from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
        from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

        predictors = _predictors(trees, PREDICTOR_RECORD_DTYPE, TreePredictor)
        own = _by_predictors(predictors, float(trees.start[0]))
        tried = np.random.default_rng(0).normal(size=(8, int(trees.feature.max(initial=0)) + 1))
        if np.allclose(own(tried), trees.decide(tried)[:, 0], rtol=1e-9, atol=1e-9):
            return own
    except Exception:
        pass
    return lambda points: trees.decide(points)[:, 0]


def _predictors(trees: Boosted, dtype: Any, make: Any) -> list[Any]:
    ends = np.append(trees.root[1:], len(trees.left))
    found = []
    for first, last in zip(trees.root, ends, strict=True):
        nodes = np.zeros(last - first, dtype)
        own = np.arange(first, last)
        nodes["value"], nodes["num_threshold"] = trees.value[first:last], trees.threshold[first:last]
        nodes["feature_idx"], nodes["is_leaf"] = trees.feature[first:last], trees.left[first:last] == own
        nodes["left"] = np.where(nodes["is_leaf"], 0, trees.left[first:last] - first)
        nodes["right"] = np.where(nodes["is_leaf"], 0, trees.right[first:last] - first)
        nodes["missing_go_to_left"] = trees.missing_left[first:last]
        found.append(make(nodes, np.zeros((0, 8), np.uint32), np.zeros((0, 8), np.uint32)))
    return found


def _by_predictors(predictors: list[Any], start: float) -> Callable[[Floats], Floats]:
    no_categories, no_places = np.zeros((0, 8), np.uint32), np.zeros(0, np.uint32)

    def decide(points: Floats) -> Floats:
        x = np.ascontiguousarray(points, np.float64)
        found = np.full(len(x), start)
        for one in predictors:
            found += one.predict(x, no_categories, no_places, 1)
        return found

    return decide
