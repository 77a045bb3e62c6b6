"""A good image as it is held for a fit, and how it is known again."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lynkeus.core import Array, Floats
from lynkeus.scorers.inspect.features import smoothed
from lynkeus.scorers.inspect.heads import HALVES, CellFeatures
from lynkeus.scorers.inspect.novelty import Where
from lynkeus.scorers.inspect.patches import Taken
from lynkeus.scorers.inspect.references import Acquisition


class GoodImage(NamedTuple):
    """A good image as it is held for the fit: some `pixels` of it (c, row, column) that begin at cell `first` of its
    `size` cells, `features` of all of it as float16, where and when it was taken, its file and its contrast."""

    pixels: Array
    first: tuple[int, int]
    features: Array
    acquisition: Acquisition
    digest: int
    taken: Taken
    squares: Floats

    def as_read(self) -> Tensor:
        """Return the features (rows, columns, f) in single precision."""
        return torch.from_numpy(self.features).float()

    def seen(self, distances: Tensor) -> CellFeatures:
        """Return the inputs of the networks for the whole image, with distances that are known."""
        features = self.as_read()
        return CellFeatures(features, smoothed(features), distances, Where.whole(features))


def digest(pixels: Array) -> int:
    """Return a hash of 64 bits, by which an image that was learned from is recognised."""
    return int.from_bytes(blake2b(np.ascontiguousarray(pixels).tobytes(), digest_size=8).digest(), "little")


def half_of(index: int) -> int:
    """Return the half (0 or 1) of an image: neighbours in the folder resemble each other, so four at a time stay
    together."""
    return index // 4 % HALVES


def covered(mask: Array, shape: Sequence[int], stride: int) -> Floats:
    """Return the share (rows, columns) of each cell, of `stride` pixels along a side, that is blemished."""
    rows, columns = shape[0] * stride, shape[1] * stride
    whole = np.pad(mask, [(0, max(0, length - size)) for length, size in zip((rows, columns), mask.shape, strict=True)])
    return whole[:rows, :columns].reshape(shape[0], stride, shape[1], stride).mean(axis=(1, 3))
