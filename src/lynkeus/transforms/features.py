"""A sample as one vector, for methods that know vectors only: a row as it is, a window by the mean and spread of each channel."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Batch, Floats, SchemaError, Source
from lynkeus.transforms.reservoir import reservoir
from lynkeus.transforms.robust_scale import RobustScale
from lynkeus.transforms.rows import fold, rows_of

CLIP_SIGMA = 20.0  # the logarithm of a stuck channel's spread has no lower end
LEAST_VARIANCE = 1e-30


def features_of(batch: Batch) -> Floats:
    """(n, features) float64: a table's columns; of windows all channels' means, then the logs of all their spreads.

    Feature k belongs to channel k % channels. NaN where too few values are there to say.
    """
    rows, length = rows_of(batch)
    rows = np.where(np.isfinite(rows), rows, np.nan).astype(np.float64)
    if batch.schema.kind == "table":
        return rows
    shots = fold(rows, length)
    count = np.isfinite(shots).sum(axis=1)
    mean = np.nansum(shots, axis=1) / np.maximum(count, 1)
    variance = np.nansum((shots - mean[:, None]) ** 2, axis=1) / np.maximum(count - 1, 1)
    log_spread = 0.5 * np.log(np.maximum(variance, LEAST_VARIANCE))
    return np.hstack([np.where(count > 0, mean, np.nan), np.where(count > 1, log_spread, np.nan)])


def points_of(batch: Batch, scale: RobustScale) -> Floats:
    """(n, features) in sigmas of the reference, clipped; what is missing is at the reference's median, 0."""
    return np.nan_to_num(np.clip(scale.apply(features_of(batch)), -CLIP_SIGMA, CLIP_SIGMA))


def learn_features(source: Source, size: int, seed: int) -> tuple[RobustScale, Floats]:
    """Scale of the features, and at most `size` reference points (n, features) of a stream.

    Raises SchemaError where no sample has at least half of its values.
    """
    sample = reservoir((features_of(batch) for batch in source), size, seed)
    sample = sample[np.isnan(sample).mean(axis=1) <= 0.5]
    if not len(sample):
        raise SchemaError("no sample of the source has half of its values: nothing to learn from")
    scale = RobustScale.fit(sample)
    return scale, np.nan_to_num(np.clip(scale.apply(sample), -CLIP_SIGMA, CLIP_SIGMA))
