"""Classes of pulses from their quantities, by many random trees; kept as plain arrays, so that no pickle is needed.

Quantities come from a table, or from waveforms by `transforms.pulse_quantities.measure_pulses`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from lynkeus.core import Array, Floats, SchemaError

CHUNK = 2048
MISSING = -1.0  # no quantity that can miss is negative
ARRAYS = ("root", "left", "right", "feature", "threshold", "share")


@dataclass(frozen=True)
class PulseClassifier:
    """The nodes of all trees in a row: `root` (trees,), children (itself for a leaf), feature and threshold of the cut,
    and the `share` (nodes, class) of each class in it."""

    root: Array
    left: Array
    right: Array
    feature: Array
    threshold: Floats
    share: Floats

    @classmethod
    def fit(cls, quantities: Floats, truth: Array, classes: int, trees: int = 100, seed: int = 0) -> Self:
        """From (n, quantity) and the class of each pulse, 0 to classes - 1. Raises SchemaError for labels beyond."""
        if len(truth) == 0 or truth.min() < 0 or truth.max() >= classes:
            raise SchemaError(f"pulses to learn from need labels from 0 to {classes - 1}; give those of each class")
        grown = ExtraTreesClassifier(trees, min_samples_leaf=2, random_state=seed)
        found = [estimator.tree_ for estimator in grown.fit(_known(quantities), truth).estimators_]
        counts = [tree.node_count for tree in found]
        first = np.cumsum([0, *counts[:-1]])
        own = np.arange(sum(counts))
        leaf = np.concatenate([tree.children_left for tree in found]) < 0
        left, right = (
            np.where(leaf, own, np.concatenate([getattr(tree, side) for tree in found]) + np.repeat(first, counts))
            for side in ("children_left", "children_right")
        )
        feature = np.where(leaf, 0, np.concatenate([tree.feature for tree in found]))
        share = np.zeros((len(own), classes), np.float32)
        share[:, grown.classes_] = np.concatenate([tree.value[:, 0] for tree in found])
        return cls(first, left, right, feature, np.concatenate([tree.threshold for tree in found]), share)

    def probabilities(self, quantities: Floats) -> Floats:
        """(n, class): the mean of all trees."""
        points, found = _known(quantities), np.empty((len(quantities), self.share.shape[1]))
        for start in range(0, len(points), CHUNK):
            part = points[start : start + CHUNK]
            node, rows = np.tile(self.root, (len(part), 1)), np.arange(len(part))[:, None]
            while np.any(self.left[node] != node):
                goes_left = part[rows, self.feature[node]] <= self.threshold[node]
                node = np.where(goes_left, self.left[node], self.right[node])
            found[start : start + CHUNK] = self.share[node].mean(axis=1)
        return found

    def classify(self, quantities: Floats) -> Array:
        """(n,) number of the most probable class."""
        return np.asarray(self.probabilities(quantities).argmax(axis=1))

    def to_arrays(self) -> dict[str, Array]:
        """For a model folder."""
        return {name: getattr(self, name) for name in ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Inverse of `to_arrays`."""
        return cls(*(arrays[name] for name in ARRAYS))


def _known(quantities: Floats) -> Floats:
    return np.nan_to_num(quantities, nan=MISSING).astype(np.float32)
