"""Isolation forest: how few random cuts part a sample from all others (Liu, Ting & Zhou 2008).

scikit-learn grows the trees. They are kept and scored as plain arrays, so that no pickle is needed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from sklearn import ensemble

from lynkeus.core import About, Floats, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.scorers.statistics.by_features import ByFeatures
from lynkeus.scorers.statistics.features import Features
from lynkeus.scorers.statistics.forest import Forest, forest_of, require_nodes
from lynkeus.transforms.reservoir import copies_by_weight


@dataclass
class IsolationForest(ByFeatures):
    """`anomaly` of a row, or a window, of a table: between 0 and 1, about 0.5 for any usual sample.

    `trees` trees see `points_per_tree` of at most `sample` reference points each; of points with weights the forest
    sees copies, as many as they weigh. Learned: `features_`, `forest_`, `drawn_`: points that each tree got.
    """

    name: ClassVar[str] = "isolation_forest"
    about: ClassVar[About] = About(("table", "waveform"), False, "occlusion", "seconds", weights=True)
    trees: int = 200
    points_per_tree: int = 512
    sample: int = 10_000
    seed: int = 0

    def fit(self, source: Source) -> Self:
        """Learn in three passes over a stream. Raises SchemaError where nothing can be learned."""
        self.schema_ = source.schema
        self.features_, reference, weight = Features.weighted(source, self.sample, self.seed)
        if weight is not None:
            reference = copies_by_weight(reference, weight, self.seed)
        self.drawn_ = min(self.points_per_tree, len(reference))
        grown = ensemble.IsolationForest(n_estimators=self.trees, max_samples=self.drawn_, random_state=self.seed)
        self.forest_ = forest_of([tree.tree_ for tree in grown.fit(reference).estimators_])
        return self

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays = self.features_.to_arrays() | arrays_of(self.forest_) | {"drawn": np.array([self.drawn_])}
        write_folder(folder, self.schema_, asdict(self), arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.features_, scorer.drawn_ = Features.from_arrays(arrays), int(arrays["drawn"][0])
        scorer.forest_ = part_of(Forest, arrays)
        require_nodes(scorer.forest_, len(scorer.features_.scale.centre))
        return scorer

    def _of_shots(self, residuals: Floats) -> Floats:
        return self.forest_.score(self.features_.points(residuals), self.drawn_)
