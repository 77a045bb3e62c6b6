"""What a pretrained network sees at every place of an image, on one grid of cells, for images of any size."""

from __future__ import annotations

from math import ceil

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from lynkeus.core import Array, Floats
from lynkeus.networks.backbone import Backbone
from lynkeus.networks.memory import keep_freed_memory

STRIDE = 8  # pixels from cell to cell; the centre of cell k is at pixel STRIDE * k + CENTRE
CENTRE = 3.5
NEAR = 0.05  # of a cell: nearer than that is there
BLOCK = 16  # sides of what the network reads are multiples of it, with one more on the right and below
STRIP_PIXELS = 3_000_000  # larger images are read in strips
OVERLAP = 128  # rows on either side of a strip that are read too: beyond it hardly anything is felt


class FeatureMaps:
    """A backbone and how its three taps are brought to one grid."""

    def __init__(self, network: Backbone) -> None:
        keep_freed_memory()
        self.network = network

    def of(self, pixels: Array) -> Tensor:
        """(rows, columns, features) of an image (channel, row, column) of 0 ... 255, grey or colour."""
        rows, columns = pixels.shape[1:]
        if rows * columns <= STRIP_PIXELS:
            return self._strip(pixels, 0, rows)
        height = max(BLOCK, STRIP_PIXELS // columns // BLOCK * BLOCK)
        return torch.cat([self._strip(pixels, top, min(top + height, rows)) for top in range(0, rows, height)])

    def _strip(self, pixels: Array, top: int, bottom: int) -> Tensor:
        """The cells whose rows lie between two rows of pixels."""
        above = min(OVERLAP, top)
        part = pixels[:, top - above : min(bottom + OVERLAP, pixels.shape[1])]
        found = self._cells(part)[above // STRIDE :]
        return found[: (bottom - top) // STRIDE] if bottom < pixels.shape[1] else found

    def _cells(self, pixels: Array) -> Tensor:
        size = pixels.shape[1:]
        ends = [(0, (ceil(length / BLOCK) + 1) * BLOCK - length) for length in size]
        framed = np.pad(pixels, ((0, 0), *ends), mode="symmetric")
        x = torch.from_numpy(np.ascontiguousarray(framed))[None].expand(1, 3, -1, -1)
        shape = cells(size[0]), cells(size[1])
        with torch.inference_mode():
            fine, middle, coarse = self.network(x)
            fine = pad(fine, (1, 1, 1, 1), mode="replicate")
            mean = avg_pool2d(fine, 3, 1)
            spread = (avg_pool2d(fine * fine, 3, 1) - mean * mean).clamp(min=0).sqrt()
            taps = zip((torch.cat([mean, spread], 1), middle, coarse), (4, 8, 16), self.network.offsets, strict=True)
            return torch.cat([_resampled(tap, shape, stride, offset) for tap, stride, offset in taps], dim=2)


def cells(length: int) -> int:
    """How many cells have their centre within so many pixels, at least one."""
    return max(1, int((length - 1 - CENTRE) // STRIDE) + 1)


def _resampled(tap: Tensor, shape: tuple[int, int], stride: int, offset: float) -> Tensor:
    """A tap (1, c, ...) as (rows, columns, c) at the centres of the cells, linear in between."""
    found = tap[0].permute(1, 2, 0)
    for axis, count in enumerate(shape):
        at = (STRIDE * torch.arange(count) + CENTRE - offset) / stride
        at = torch.where((at - at.round()).abs() < NEAR, at.round(), at).clamp(0, found.shape[axis] - 1)
        low = at.floor().long()
        share = (at - low).view(-1, *[1] * (2 - axis))
        first = found.index_select(axis, low)
        if bool(share.any()):
            next_ = found.index_select(axis, (low + 1).clamp(max=found.shape[axis] - 1))
            first = first + share * (next_ - first)
        found = first
    return found


def smoothed(features: Tensor, size: int = 3) -> Tensor:
    """(rows, columns, features) mean over so many cells around each."""
    x = pad(features.permute(2, 0, 1)[None], [size // 2] * 4, mode="replicate")
    return avg_pool2d(x, size, 1)[0].permute(1, 2, 0)


def to_pixels(grid: Floats, rows: int, columns: int) -> Floats:
    """A map (cells) at every pixel, float32, by cubic B-splines: smooth, no seams, at any size."""
    down, across = (_weights(count, length) for count, length in zip(grid.shape, (rows, columns), strict=True))
    return np.asarray(down @ grid.astype(np.float32) @ across.T, np.float32)


def _weights(count: int, length: int) -> Floats:
    """(pixels, cells) how much each cell has to say at each pixel."""
    pixels = np.arange(length)
    at = np.clip((pixels - CENTRE) / STRIDE, -0.5, count - 0.5)
    found = np.zeros((length, count), np.float32)
    for step in (-1, 0, 1, 2):
        cell = np.floor(at).astype(int) + step
        far = np.abs(at - cell)
        weight = np.where(far < 1, 4 - 6 * far**2 + 3 * far**3, np.clip(2 - far, 0, None) ** 3) / 6
        np.add.at(found, (pixels, np.clip(cell, 0, count - 1)), weight)
    return found
