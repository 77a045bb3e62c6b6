"""An image as one vector: its pattern in principal components, whatever its brightness, then what that leaves out.

Of pixels compared as they are, a faint or thin image is near to everything. So each channel is brought to mean 0 and
spread 1 by itself, and described by the strongest common patterns of good images. Of the fine rest only its size
counts; brightness and contrast count as much as any pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.decomposition import PCA

from lynkeus.core import Batch, Floats, Source
from lynkeus.transforms.inputs import read_samples

VARIANCE = 0.9  # share of the variance of patterns that the components carry
MOST_NUMBERS = 50_000_000  # pixels that are held in memory to learn from
LEAST_SPREAD = 0.01  # of the usual one: what is fainter stays faint


@dataclass(frozen=True)
class ImageFeatures:
    """`mean` (pixels,) pattern; `components` (k, pixels), in units of the spread of an average one; `light_centre` and
    `light_sigma` (2, c): mean and spread of each channel, each of which counts as much as an average component."""

    mean: Floats
    components: Floats
    light_centre: Floats
    light_sigma: Floats

    @classmethod
    def fit(cls, source: Source, size: int, seed: int) -> tuple[Self, Floats]:
        """Learn from a stream; also at most `size` reference points (n, features) of it.

        Raises SchemaError where no image has at least half of its values.
        """
        pixels = int(np.prod([length or 1 for length in source.schema.shape]))
        values = read_samples(source, min(size, max(2, MOST_NUMBERS // pixels)), seed, "this scorer")[0].astype(float)
        light = _light(values)
        centre, sigma = light.mean(axis=0), light.std(axis=0)
        sigma = np.where(sigma > 0, sigma, np.maximum(np.abs(centre), 1e-12))
        pattern = _pattern(values, light, centre)
        few = len(pattern) < pattern.shape[1]
        found = PCA(VARIANCE, svd_solver="full" if few else "covariance_eigh").fit(pattern)
        unit = max(float(np.sqrt(found.explained_variance_.mean())), 1e-12)
        features = cls(found.mean_, found.components_ / unit, centre, sigma)
        return features, features._points(values)

    def points(self, batch: Batch) -> Floats:
        """Return the features (n, features) of the images of a batch."""
        return self._points(batch.values.astype(float))

    def map(self, batch: Batch, difference: Floats) -> Floats:
        """Return maps in the shape of `values` of where differences (n, features) are; their squares sum to those of
        the features.

        A difference of brightness or contrast is that of all pixels alike, positive where the image is brighter.
        """
        values, count = batch.values.astype(float), len(self.components)
        light = np.linalg.norm(difference[:, count:-1], axis=1, keepdims=True)
        rest = self._rest(self._deviation(values))
        share = difference[:, -1:] / np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), 1e-12)
        found = difference[:, :count] @ self._orthonormal() + share * rest
        found += np.copysign(light / np.sqrt(len(self.mean)), difference[:, count, None])
        return found.reshape(values.shape)

    def _points(self, values: Floats) -> Floats:
        light = (_light(values) - self.light_centre) / self.light_sigma
        deviation = self._deviation(values)
        rest = np.linalg.norm(self._rest(deviation), axis=1, keepdims=True) * np.linalg.norm(self.components[0])
        return np.hstack([deviation @ self.components.T, light.reshape(len(values), -1), rest])

    def _deviation(self, values: Floats) -> Floats:
        """Return the pattern less the mean one (n, pixels)."""
        return _pattern(values, _light(values), self.light_centre) - self.mean

    def _rest(self, deviation: Floats) -> Floats:
        """Return what no principal component describes (n, pixels)."""
        return deviation - deviation @ self._orthonormal().T @ self._orthonormal()

    def _orthonormal(self) -> Floats:
        return np.asarray(self.components / np.linalg.norm(self.components[0]))


def _light(values: Floats) -> Floats:
    """Return mean and standard deviation of every channel (n, 2, c), of the pixels that are there."""
    flat = values.reshape(*values.shape[:2], -1)
    there = np.isfinite(flat)
    count = np.maximum(there.sum(axis=2), 1)
    mean = np.where(there, flat, 0.0).sum(axis=2) / count
    variance = (np.where(there, flat - mean[:, :, None], 0.0) ** 2).sum(axis=2) / count
    return np.stack([mean, np.sqrt(variance)], axis=1)


def _pattern(values: Floats, light: Floats, usual: Floats) -> Floats:
    """Return the pixels (n, pixels) with mean 0 and spread 1 in each channel; 0 for what is missing."""
    flat = values.reshape(*values.shape[:2], -1)
    spread = np.maximum(light[:, 1], np.maximum(LEAST_SPREAD * usual[1], 1e-12))
    pattern = (flat - light[:, 0, :, None]) / spread[:, :, None]
    return np.where(np.isfinite(pattern), pattern, 0.0).reshape(len(values), -1)
