"""A sample as one vector, for methods that know nothing of channels and time.

Distances and cuts along single axes are blind to correlation, and what all channels do together hides what one does
alone. So a row is given by the conditional residuals of its channels, a window by their mean and spread over time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from lynkeus.core import Array, Batch, Floats, SchemaError, Source
from lynkeus.files.arrays import arrays_of, part_of
from lynkeus.transforms.conditional import ConditionalModel, fit_conditional
from lynkeus.transforms.reservoir import weighted_reservoir
from lynkeus.transforms.robust_scale import RobustScale
from lynkeus.transforms.rows import fold, rows_of

FAR_SIGMA = 20.0
LEAST_VARIANCE = 1e-30


@dataclass(frozen=True)
class Features:
    """`model` gives the residuals, `scale` the usual place and spread of each feature."""

    model: ConditionalModel
    scale: RobustScale

    @classmethod
    def fit(cls, source: Source, size: int, seed: int) -> tuple[Self, Floats]:
        """Learn from a stream; also at most `size` reference points (n, features) of it.

        Raises SchemaError where no sample has at least half of its values.
        """
        return cls.weighted(source, size, seed)[:2]

    @classmethod
    def weighted(cls, source: Source, size: int, seed: int) -> tuple[Self, Floats, Floats | None]:
        """Learn as `fit` does, and return also the weights of the reference points, None where samples have none."""
        model = fit_conditional(source)
        parts = ((features_of(residuals_of(batch, model)), batch.weight) for batch in source)
        sample, weight = weighted_reservoir(parts, size, seed)
        there = np.isnan(sample).mean(axis=1) <= 0.5
        sample, weight = sample[there], None if weight is None else weight[there]
        if not len(sample):
            raise SchemaError("no sample of the source has half of its values: nothing to learn from")
        scale = RobustScale.fit(sample, weight)
        return cls(model, scale), _compressed(sample, scale), weight

    def residuals(self, batch: Batch) -> Floats:
        """Return (n, length, channel) conditional residuals of all shots, NaN where a value is missing."""
        return residuals_of(batch, self.model)

    def points(self, residuals: Floats) -> Floats:
        """Return (n, features) in sigmas of the reference, far ones compressed; 0, the median, for what is missing.

        Feature k belongs to channel k % channels.
        """
        return _compressed(features_of(residuals), self.scale)

    def to_arrays(self) -> dict[str, Array]:
        """Return what was learned as arrays for a model folder."""
        return arrays_of(self.model) | arrays_of(self.scale, "feature_")

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Rebuild it from what `to_arrays` returned."""
        return cls(part_of(ConditionalModel, arrays), part_of(RobustScale, arrays, "feature_"))


def residuals_of(batch: Batch, model: ConditionalModel) -> Floats:
    """Return the conditional residuals (n, length, channel), NaN where a value is missing; a row of a table is one
    shot."""
    rows, length = rows_of(batch)
    return fold(np.where(np.isfinite(rows), model.residual(rows), np.nan), length)


def features_of(residuals: Floats) -> Floats:
    """Return the features (n, features): of single shots the residuals; else their means, then the logs of their
    spreads, of all channels.

    NaN where too few values are there to say.
    """
    if residuals.shape[1] == 1:
        return residuals[:, 0]
    count = np.isfinite(residuals).sum(axis=1)
    mean = np.nansum(residuals, axis=1) / np.maximum(count, 1)
    variance = np.nansum((residuals - mean[:, None]) ** 2, axis=1) / np.maximum(count - 1, 1)
    log_spread = 0.5 * np.log(np.maximum(variance, LEAST_VARIANCE))
    return np.hstack([np.where(count > 0, mean, np.nan), np.where(count > 1, log_spread, np.nan)])


def _compressed(features: Floats, scale: RobustScale) -> Floats:
    """Return the features in sigmas, logarithmic far out: the log of a stuck channel's spread has no lower end, and no
    channel may count alone."""
    return FAR_SIGMA * np.arcsinh(np.nan_to_num(scale.apply(features)) / FAR_SIGMA)
