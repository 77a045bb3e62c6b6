"""Isolation forest: how few random cuts part a sample from all others (Liu, Ting & Zhou 2008).

scikit-learn grows the trees. They are kept and scored as plain arrays, so that no pickle is needed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from sklearn import ensemble

from lynkeus.core import Array, Batch, Evidence, Floats, Scores, Source
from lynkeus.explain.occlusion import occlusion
from lynkeus.scorers.folder import read_scorer, write_folder
from lynkeus.transforms.features import learn_features, points_of
from lynkeus.transforms.missing import with_enough_data
from lynkeus.transforms.robust_scale import RobustScale
from lynkeus.transforms.rows import like_values

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


@dataclass
class IsolationForest:
    """`anomaly` of a row, or a window, of a table: between 0 and 1, about 0.5 for any usual sample.

    `trees` trees see `points_per_tree` of at most `sample` reference points each. Learned: `scale_` of the features,
    `forest_`, `drawn_`: points that each tree got.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    trees: int = 200
    points_per_tree: int = 256
    sample: int = 10_000
    seed: int = 0

    def fit(self, source: Source) -> Self:
        """Learn in one pass over a stream. Raises SchemaError where nothing can be learned."""
        self.schema_ = source.schema
        self.scale_, reference = learn_features(source, self.sample, self.seed)
        self.drawn_ = min(self.points_per_tree, len(reference))
        grown = ensemble.IsolationForest(n_estimators=self.trees, max_samples=self.drawn_, random_state=self.seed)
        self.forest_ = forest_of([tree.tree_ for tree in grown.fit(reference).estimators_])
        return self

    def score(self, batch: Batch) -> Scores:
        """(n, 1); NaN for a sample that misses more than half of its values."""
        return with_enough_data(batch, self._of_points(self._points(batch)))

    def explain(self, batch: Batch) -> Evidence:
        """How much the score drops when a channel is at the reference's median, the same for all its shots."""
        evidence = occlusion(self._of_points, self._points(batch), batch.values.shape[1])
        return like_values(batch, evidence[:, None, :])

    def save(self, folder: Path) -> None:
        """Write to a folder."""
        arrays = self.forest_._asdict() | {"centre": self.scale_.centre, "sigma": self.scale_.sigma}
        write_folder(folder, self.schema_, asdict(self), arrays | {"drawn": np.array([self.drawn_])})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        names = (*Forest._fields, "centre", "sigma", "drawn")
        scorer, (*nodes, centre, sigma, drawn) = read_scorer(cls, folder, *names)
        scorer.forest_, scorer.scale_, scorer.drawn_ = Forest(*nodes), RobustScale(centre, sigma), int(drawn[0])
        return scorer

    def _points(self, batch: Batch) -> Floats:
        self.schema_.require(batch.schema, "the scorer isolation_forest")
        return points_of(batch, self.scale_)

    def _of_points(self, points: Floats) -> Floats:
        return self.forest_.score(points, self.drawn_)
