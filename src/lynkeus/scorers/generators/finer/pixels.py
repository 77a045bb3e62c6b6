"""Pixels: how fine and coarse images are read by a network, and come back: bytes, numbers, or deposits of energy."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.transforms.resolution import coarser

SCALES = ("auto", "linear", "root")
SKEWED = 6.0  # times the mean: deposits, of which most are small and some are not
BRIGHTEST = 255.0


class Pixels(NamedTuple):
    """`whole`: pixels are bytes; `root`: a network reads square roots, in units of `unit`; `peak`: the largest."""

    whole: bool
    root: bool
    unit: float
    peak: float

    @classmethod
    def fit(cls, images: list[Array], scale: str) -> Self:
        """Learn from images (n, c, row, column) of any size."""
        whole = all(one.dtype == np.uint8 for one in images)
        lowest = min(float(np.nanmin(one)) for one in images)
        mean = float(np.mean([np.nanmean(one) for one in images]))
        spread = float(np.mean([np.nanstd(one) for one in images]))
        peak = BRIGHTEST if whole else max(float(np.nanmax(one)) for one in images)
        skewed = not whole and lowest >= 0 and peak > SKEWED * mean and spread > mean
        root = skewed if scale == "auto" else scale == "root"
        return cls(whole, root, max(mean, 1e-12) if root else 1.0, max(peak, 1e-12))

    def read(self, images: Array) -> Floats:
        """Return images as a network reads them."""
        found = np.nan_to_num(np.asarray(images, float))
        return np.sqrt(np.maximum(found, 0.0) / self.unit) if self.root else found

    def back(self, read: Floats) -> Floats:
        """Return the inverse of `read`; what is below nothing is nothing."""
        return np.maximum(read, 0.0) ** 2 * self.unit if self.root else read

    def estimate(self, mean: Floats, sigma: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of pixels whose reading is normal with `mean` and `sigma`."""
        if not self.root:
            return mean, sigma
        return (mean**2 + sigma**2) * self.unit, np.sqrt(4 * mean**2 * sigma**2 + 2 * sigma**4) * self.unit

    def consistent(self, images: Floats, low: Array, factor: int) -> Floats:
        """Return images whose means of squares of pixels are the coarse pixels, as far as these are known: bytes were
        rounded. Deposits are scaled, others moved."""
        own = coarser(images, factor)
        low = np.nan_to_num(np.asarray(low, float))
        if self.root:
            share = np.where(own > 0, low / np.maximum(own, 1e-300), 0.0)
            lost = (own <= 0) & (low > 0)  # nothing was put where something is: evenly then
            return images * _spread(share, factor) + _spread(np.where(lost, low, 0.0), factor)
        off = low - own
        off -= np.clip(off, -0.5, 0.5) if self.whole else 0.0
        return images + _spread(off, factor)

    def written(self, images: Floats) -> Array:
        """Return images in the numbers that they are kept in."""
        if self.whole:
            return np.clip(np.rint(images), 0, BRIGHTEST).astype(np.uint8)
        return images.astype(np.float32)


def _spread(low: Floats, factor: int) -> Floats:
    return np.repeat(np.repeat(low, factor, axis=2), factor, axis=3)
