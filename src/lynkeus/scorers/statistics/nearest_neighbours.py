"""Nearest neighbours: how far a sample is from the most similar good ones (Ramaswamy et al. 2000)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from sklearn import neighbors

from lynkeus.core import About, Array, Batch, Evidence, Floats, Scores, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.scorers.statistics.features import Features
from lynkeus.scorers.statistics.image_features import ImageFeatures
from lynkeus.transforms.missing import with_enough_data
from lynkeus.transforms.rows import like_values

ITSELF = 1e-6  # a distance as small as this, in sigmas, is the sample's own


@dataclass
class NearestNeighbours:
    """`anomaly` of a row or window of a table, or an image: mean distance to its `neighbours` nearest reference points.

    A sample that is in the reference itself is not its own neighbour, so that its score is like that of any other.
    Learned: `features_`, `reference_` (at most `sample`, features) in sigmas.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("table", "waveform", "image"), False, "difference to the nearest", "a second")
    neighbours: int = 5
    sample: int = 5000
    seed: int = 0

    def fit(self, source: Source) -> Self:
        """Learn in three passes over a stream. Raises SchemaError where nothing can be learned."""
        self.schema_ = source.schema
        kind = ImageFeatures if source.schema.kind == "image" else Features
        found: tuple[Features | ImageFeatures, Floats] = kind.fit(source, self.sample, self.seed)
        self.features_, self.reference_ = found
        self._index()
        return self

    def score(self, batch: Batch) -> Scores:
        """Return the mean distance to the nearest neighbours (n, 1) in sigmas; NaN for a sample that misses more than
        half of its values."""
        return with_enough_data(batch, self._nearest(self._points(batch))[0].mean(axis=1))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Each channel's squared difference to the mean of the nearest neighbours, the same for all its shots.

        Of an image the difference of each pixel, positive where it is too bright.
        """
        points = self._points(batch)
        mean = self.reference_[self._nearest(points)[1]].mean(axis=1)
        if isinstance(self.features_, ImageFeatures):
            return self.features_.map(batch, points - mean)
        evidence = ((points - mean) ** 2).reshape(len(points), -1, batch.values.shape[1]).sum(axis=1)
        return like_values(batch, evidence[:, None, :])

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        features = self.features_
        arrays = features.to_arrays() if isinstance(features, Features) else arrays_of(features)
        write_folder(folder, self.schema_, asdict(self), arrays | {"reference": self.reference_})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        image = scorer.schema_.kind == "image"
        scorer.features_ = part_of(ImageFeatures, arrays) if image else Features.from_arrays(arrays)
        scorer.reference_ = arrays["reference"]
        scorer._index()
        return scorer

    def _index(self) -> None:
        """Index the reference by brute force: in hundreds of dimensions no tree is faster than looking at all
        points."""
        wanted = min(self.neighbours + 1, len(self.reference_))
        self._search = neighbors.NearestNeighbors(n_neighbors=wanted, algorithm="brute").fit(self.reference_)

    def _points(self, batch: Batch) -> Floats:
        self.schema_.require(batch.schema, "the scorer nearest_neighbours")
        if isinstance(self.features_, ImageFeatures):
            return self.features_.points(batch)
        return self.features_.points(self.features_.residuals(batch))

    def _nearest(self, points: Floats) -> tuple[Floats, Array]:
        """Distances and indices (n, neighbours) of the nearest reference points other than the sample itself."""
        if not len(points):
            return np.empty((0, 1)), np.empty((0, 1), np.intp)
        distance, index = self._search.kneighbors(points)
        if distance.shape[1] == 1:
            return distance, index
        first = (distance[:, 0] < ITSELF).astype(np.intp)  # leave out either the first or the last
        columns = first[:, None] + np.arange(distance.shape[1] - 1)
        return np.take_along_axis(distance, columns, axis=1), np.take_along_axis(index, columns, axis=1)
