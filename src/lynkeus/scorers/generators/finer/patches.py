"""Patches: parts of fine images that networks learn from, and coarse images as they read them."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from scipy.ndimage import uniform_filter

from lynkeus.core import Array, Floats

AROUND = 5  # coarse pixels whose mean is taken out for the second half of the inputs


class Patches(NamedTuple):
    """`centre`, `sigma` (c,) of coarse pixels, `detail` (c,) of what they are beside the mean of those around."""

    centre: Floats
    sigma: Floats
    detail: Floats

    @classmethod
    def fit(cls, low: Floats) -> Self:
        """Learn from coarse images (n, c, row, column)."""
        axes = (0, 2, 3)
        sigma, detail = low.std(axis=axes), _detail(low).std(axis=axes)
        return cls(low.mean(axis=axes), *(np.where(one > 0, one, 1.0) for one in (sigma, detail)))

    def inputs(self, low: Floats) -> Floats:
        """Return (n, 2 c, row, column) float32: coarse pixels in their spreads, and their differences from those
        around: how bright an image is says little of what is in it."""
        column = (slice(None), None, None)
        whole = (low - self.centre[column]) / self.sigma[column]
        return np.concatenate([whole, _detail(low) / self.detail[column]], axis=1).astype(np.float32)

    @staticmethod
    def of(images: list[Array], factor: int, sizes: tuple[int, int], seed: int) -> Array:
        """Return (patches, c, side, side) parts of images (1, c, row, column): `sizes` coarse pixels on a side, fewer
        where images are smaller, and how many."""
        rng = np.random.default_rng(seed)
        smallest = [min(one.shape[axis] for one in images) // factor for axis in (2, 3)]
        rows, columns = (min(sizes[0], length) * factor for length in smallest)
        many = max(sizes[1], len(images)) if min(rows, columns) < max(smallest) * factor else len(images)
        found = []
        for number in range(many):
            image = images[number % len(images)][0]
            top, left = (int(rng.integers(image.shape[axis] - side + 1)) for axis, side in ((1, rows), (2, columns)))
            found.append(image[:, top : top + rows, left : left + columns])
        return np.stack(found)


def _detail(low: Floats) -> Floats:
    return np.asarray(low - uniform_filter(low, (0, 0, AROUND, AROUND), mode="nearest"), float)
