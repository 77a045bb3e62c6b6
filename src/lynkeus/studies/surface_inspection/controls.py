"""What has next to nothing to do with defects and must not score well; and local contrast, which is cheap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, median_filter

from lynkeus.core import Array, Floats
from lynkeus.studies.surface_inspection.tiles import Surface, grey

HALVED = 2  # contrast is looked for in images of half the size
MEDIAN = 9  # pixels of these
SMOOTH = 1.0


@dataclass(frozen=True)
class Control:
    """As a baseline: how far (Mahalanobis) what `describe` says of an image is from what it says of good ones."""

    train: Surface
    test: Surface
    describe: Callable[[Array], tuple[float, ...]]

    def __call__(self, good: Floats, test: Floats) -> Floats:
        """Return (n,). The images are read again: where sizes differ the pixels are not given."""
        usual, found = self._described(self.train), self._described(self.test)
        off = found - usual.mean(axis=0)
        precision = np.linalg.inv(np.atleast_2d(np.cov(usual.T)) + 1e-12 * np.eye(off.shape[1]))
        return np.asarray(np.sqrt(np.einsum("ni,ij,nj->n", off, precision, off)))

    def _described(self, source: Surface) -> Floats:
        return np.array([self.describe(image) for batch in source for image in batch.values])


@dataclass(frozen=True)
class StrongestContrast:
    """As a baseline: the peak of local contrast, in grey levels."""

    test: Surface

    def __call__(self, good: Floats, test: Floats) -> Floats:
        """Return (n,). The images are read again: where sizes differ the pixels are not given."""
        return np.array([local_contrast(image).max() for batch in self.test for image in batch.values])


def size_of(image: Array) -> tuple[float, ...]:
    """Return the logarithms of rows and columns."""
    return float(np.log(image.shape[1])), float(np.log(image.shape[2]))


def mean_grey(image: Array) -> tuple[float, ...]:
    """Return the mean grey level of all pixels."""
    return (float(image.mean()),)


def spread_of_grey(image: Array) -> tuple[float, ...]:
    """Logarithm of the standard deviation."""
    return (float(np.log(max(float(image.std()), 1e-3))),)


def local_contrast(image: Array) -> Floats:
    """Return (rows, columns) how far a pixel is from the median around it, in grey levels."""
    picture = grey(image)
    values = np.asarray(picture.reduce(HALVED), np.float32)
    off = gaussian_filter(np.abs(values - median_filter(values, MEDIAN)), SMOOTH)
    whole = np.repeat(np.repeat(off, HALVED, axis=0), HALVED, axis=1)
    return np.asarray(whole[: picture.height, : picture.width])


CONTRAST = "local contrast"
DESCRIBED = {"image size": size_of, "mean grey": mean_grey, "spread of grey": spread_of_grey}
