"""What the scorers share that judge a sample as one vector of features and know channels only by leaving them out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from lynkeus.core import Batch, Evidence, Floats, Schema, Scores
from lynkeus.explain.occlusion import occlusion
from lynkeus.scorers.statistics.features import Features
from lynkeus.transforms.missing import with_enough_data
from lynkeus.transforms.rows import like_values


class ByFeatures(ABC):
    """A scorer of rows or windows that learns `features_`, and gives residuals of shots a score."""

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    name: ClassVar[str]
    schema_: Schema
    features_: Features

    @abstractmethod
    def _of_shots(self, residuals: Floats) -> Floats:
        """Return the score (n,) of samples by the residuals of their shots (n, length, channel)."""

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1) scores; NaN for a sample that misses more than half of its values."""
        return with_enough_data(batch, self._of_shots(self._residuals(batch)))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return how much the score drops when a channel is not there, the same for all its shots."""
        evidence = occlusion(self._of_shots, self._residuals(batch), self.features_.model.correlation)
        return like_values(batch, evidence[:, None, :])

    def _residuals(self, batch: Batch) -> Floats:
        self.schema_.require(batch.schema, f"the scorer {self.name}")
        return self.features_.residuals(batch)
