"""Classes of pulses from their quantities, by many random trees; kept as plain arrays, so that no pickle is needed.

Quantities come from a table, or from waveforms by `transforms.pulse_quantities.measure_pulses`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from lynkeus.core import Array, Floats, SchemaError
from lynkeus.scorers.statistics.forest import leaves, nodes_of

MISSING = -1.0  # no quantity that can miss is negative


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
        """Learn from (n, quantity) and the class of each pulse, 0 to classes - 1. Raises SchemaError for labels
        beyond."""
        if len(truth) == 0 or truth.min() < 0 or truth.max() >= classes:
            raise SchemaError(f"pulses to learn from need labels from 0 to {classes - 1}; give those of each class")
        grown = ExtraTreesClassifier(trees, min_samples_leaf=2, random_state=seed)
        found = [estimator.tree_ for estimator in grown.fit(_known(quantities), truth).estimators_]
        nodes = nodes_of(found)
        share = np.zeros((len(nodes[1]), classes), np.float32)
        share[:, grown.classes_] = np.concatenate([tree.value[:, 0] for tree in found])
        return cls(*nodes, share)

    def probabilities(self, quantities: Floats) -> Floats:
        """Return (n, class): the mean of all trees."""
        found = np.empty((len(quantities), self.share.shape[1]))
        for some, leaf, _ in leaves(self, _known(quantities)):
            found[some] = self.share[leaf].mean(axis=1)
        return found

    def classify(self, quantities: Floats) -> Array:
        """Return (n,) number of the most probable class."""
        return np.asarray(self.probabilities(quantities).argmax(axis=1))


def _known(quantities: Floats) -> Floats:
    return np.nan_to_num(quantities, nan=MISSING).astype(np.float32)
