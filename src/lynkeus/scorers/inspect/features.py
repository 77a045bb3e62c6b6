"""What a pretrained network sees at every place of an image, on one grid of cells, for images of any size."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from lynkeus.core import Array
from lynkeus.networks.backbone import Backbone
from lynkeus.scorers.inspect.grid import CENTRE, STRIDE
from lynkeus.scorers.inspect.memory import keep_freed_memory

NEAR = 0.05  # of a cell: nearer than that is there
BLOCK = 16  # sides of what the network reads are multiples of it, with one more on the right and below
STRIP_PIXELS = 3_000_000  # larger images are read in strips
OVERLAP = 128  # rows on either side of a strip that are read too: beyond it hardly anything is felt


class FeatureMaps:
    """A backbone and how its three taps are brought to one grid, of cells `stride` pixels apart."""

    def __init__(self, network: Backbone, stride: int = STRIDE) -> None:
        keep_freed_memory()
        torch.set_num_threads(1)  # two wait for one another; images are seen side by side
        self.network, self.stride = network, stride

    def of(self, pixels: Array) -> Tensor:
        """Return the features (rows, columns, f) of an image (channel, row, column) of 0 ... 255, grey or colour."""
        rows, columns = pixels.shape[1:]
        most = strip_pixels(self.stride)
        if rows * columns <= most:
            return self._strip(pixels, 0, rows)
        height = max(BLOCK, most // columns // BLOCK * BLOCK)
        return torch.cat([self._strip(pixels, top, min(top + height, rows)) for top in range(0, rows, height)])

    def _strip(self, pixels: Array, top: int, bottom: int) -> Tensor:
        """Return the features of the cells between two rows of pixels, computed with OVERLAP rows more on either
        side."""
        above = min(OVERLAP, top)
        part = pixels[:, top - above : min(bottom + OVERLAP, pixels.shape[1])]
        with torch.inference_mode():
            whole = torch.tensor(np.ascontiguousarray(part))[None]
            found = seen_by(self.network, whole, self.stride)[above // self.stride :]
        return found[: (bottom - top) // self.stride] if bottom < pixels.shape[1] else found


def strip_pixels(stride: int) -> int:
    """Return how many pixels of an image are read at once, where cells are `stride` of them apart."""
    return STRIP_PIXELS * stride**2 // STRIDE**2


def seen_by(network: Backbone, pixels: Tensor, stride: int = STRIDE) -> Tensor:
    """Return the features (rows, columns, f) of an image (1, channel, row, column) as a whole, of cells `stride` pixels
    apart; a graph that holds for any size."""
    if stride != STRIDE:
        pixels = interpolate(pixels.float(), scale_factor=STRIDE / stride, mode="bilinear", align_corners=False)
    rows, columns = pixels.shape[2:]
    for axis in (2, 3):
        pixels = pixels.index_select(axis, _mirrored(pixels.shape[axis]))
    fine, middle, coarse = network(pixels.expand(1, 3, -1, -1))
    fine = pad(fine, (1, 1, 1, 1), mode="replicate")
    # The finest tap has several cells in one of the grid: mean and spread keep what a single one of them would lose.
    mean = avg_pool2d(fine, 3, 1)
    spread = (avg_pool2d(fine * fine, 3, 1) - mean * mean).clamp(min=0).sqrt()
    taps = zip((torch.cat([mean, spread], 1), middle, coarse), (4, 8, 16), network.offsets, strict=True)
    return torch.cat([_resampled(tap, (cells(rows), cells(columns)), stride, at) for tap, stride, at in taps], dim=2)


def _mirrored(length: int) -> Tensor:
    """Return the indices of the pixels that the network reads along an axis: all, then mirrored ones up to a multiple
    of BLOCK and one BLOCK more."""
    at = torch.arange(((length + BLOCK - 1) // BLOCK + 1) * BLOCK)
    at = at.remainder(torch.full_like(at, 2 * length))
    return torch.minimum(at, 2 * length - 1 - at)


def cells(length: int) -> int:
    """Return how many cells have their centre within so many pixels, at least one."""
    return torch.sym_max(1, (length + 3) // STRIDE)


def _resampled(tap: Tensor, shape: tuple[int, int], stride: int, offset: float) -> Tensor:
    """Return a tap (1, c, ...) of the network at the centres of the cells (rows, columns, c), by linear
    interpolation."""
    found = tap[0].permute(1, 2, 0)
    between = any(
        abs(at - round(at)) >= NEAR for at in ((CENTRE - offset) / stride, (STRIDE + CENTRE - offset) / stride)
    )
    for axis, count in enumerate(shape):
        at = (STRIDE * torch.arange(count) + CENTRE - offset) / stride
        at = torch.where((at - at.round()).abs() < NEAR, at.round(), at).clamp(0, found.shape[axis] - 1)
        low = at.floor().long()
        share = (at - low).view(-1, *[1] * (2 - axis))
        first = found.index_select(axis, low)
        if between:
            next_ = found.index_select(axis, (low + 1).clamp(max=found.shape[axis] - 1))
            first = first + share * (next_ - first)
        found = first
    return found


def smoothed(features: Tensor, size: int = 3) -> Tensor:
    """Return the features (rows, columns, f) averaged over `size` x `size` cells around each, those at the edges
    repeated; one axis after the other, a quarter of the time of a pooling of all features."""
    found = features
    for axis in (0, 1):
        count = found.shape[axis]
        at = torch.arange(-(size // 2), count + size // 2).clamp(0, count - 1)
        wide = found.index_select(axis, at)
        found = wide.narrow(axis, 0, count)
        for start in range(1, size):
            found = found + wide.narrow(axis, start, count)
    return found / (size * size)
