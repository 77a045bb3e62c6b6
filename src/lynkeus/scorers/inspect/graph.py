"""The scorer inspect as one graph of tensors, for an image of any size that was not learned from.

Most of it is the scorer's own code. Written again is what depends there on numbers that a graph does not know: which
good images are nearest, the Gaussians by blocks of cells, and the last step, which is NumPy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from lynkeus.networks.backbone import Backbone
from lynkeus.scorers.inspect.features import seen_by, smoothed
from lynkeus.scorers.inspect.grid import PLACES
from lynkeus.scorers.inspect.heads import CellFeatures
from lynkeus.scorers.inspect.novelty import DESCRIBED, GRID, NEAREST, REFERENCE_SIZE, SIZE, UNIT, Novelty, Where
from lynkeus.scorers.inspect.null_maps import MAP_WEIGHTS, SCORE_WEIGHTS, SMOOTH, NullMaps
from lynkeus.scorers.inspect.scorer import Inspect


class FeatureGraph(nn.Module):
    """Pixels (1, channel, row, column) to the features of cells (rows, columns, f)."""

    def __init__(self, network: Backbone, stride: int) -> None:
        super().__init__()
        self.network, self.stride = network, stride

    def forward(self, pixels: Tensor) -> Tensor:
        return seen_by(self.network, pixels, self.stride)


class ScoreGraph(nn.Module):
    """Features of cells and the references (r,) that are allowed, to the score (1, 1) and the map of cells in
    sigmas."""

    def __init__(self, scorer: Inspect) -> None:
        super().__init__()
        self.novelty = _Novelty(**vars(scorer.novelty_))
        self.heads, self.null_maps = scorer.heads_, _NullMaps(scorer.null_maps_)

    def forward(self, features: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        smooth = smoothed(features)
        white, where = self.novelty.white(smooth), Where.whole(features)
        nearest = self.novelty.nearest_numbers(white, allowed)
        seen = CellFeatures(features, smooth, self.novelty.distances(white, where, nearest), where)
        views = self.heads.views(seen)
        heights = torch.stack([self.null_maps.fused(half, SCORE_WEIGHTS, 1).max() for half in views])
        return heights.mean().reshape(1, 1), self.null_maps.fused(views.mean(dim=0), MAP_WEIGHTS, 0)


class _Novelty(Novelty):
    """The same distances, of tensors only; `nearest` (k,) are numbers of references, -1 where there is none."""

    def nearest_numbers(self, white: Tensor, allowed: Tensor) -> Tensor:
        """Return the numbers (k,) of the references nearest to a whole image, as `nearest_references` does, -1
        where there are fewer."""
        down, across = (_parts(length) for length in white.shape[:2])
        described = (down @ white.permute(2, 0, 1) @ across.T).flatten()
        far = (torch.from_numpy(self.described) - described).square().sum(dim=1)
        nearest = torch.topk(torch.where(allowed, far, torch.inf), min(NEAREST, len(self.described)), largest=False)
        count = (allowed.sum() - 1).clamp(min=1)
        return torch.where(torch.arange(len(nearest.indices)) < count, nearest.indices, -1)

    def _from_place(self, white: Tensor, where: Where, own: Tensor | None) -> Tensor:
        mean, precision = torch.from_numpy(self.place_mean), torch.from_numpy(self.place_precision)
        rows, columns = where.places(GRID)
        (down, height), (across, width) = _blocks(rows), _blocks(columns)
        off = white - mean[rows][:, columns]
        part = off[down[0]][:, across[0]].reshape(GRID, height, GRID, width, SIZE)
        part = part.permute(0, 2, 1, 3, 4).reshape(GRID, GRID, height * width, SIZE)
        found = (part @ precision * part).sum(dim=3).reshape(GRID, GRID, height, width)
        found = found.permute(0, 2, 1, 3).reshape(GRID * height, GRID * width)
        return found[down[1]][:, across[1]].clamp(min=0).sqrt()

    def _from_same(self, white: Tensor, where: Where, nearest: Any) -> Tensor:
        shapes, references = torch.from_numpy(self.reference_shape), torch.from_numpy(self.references)
        starts = shapes.prod(dim=1).cumsum(dim=0) - shapes.prod(dim=1)
        at, shape = starts[nearest.clamp(min=0)][:, None, None], shapes[nearest.clamp(min=0)]
        counts = shape[:, :1], shape[:, 1:]
        rows, columns = (
            torch.minimum((axis * count).long(), count - 1)
            for axis, count in zip(where.relative(), counts, strict=True)
        )
        found = []
        for down in (-1, 0, 1):
            row = torch.minimum((rows + down).clamp(min=0), counts[0] - 1)[:, :, None]
            for across in (-1, 0, 1):
                column = torch.minimum((columns + across).clamp(min=0), counts[1] - 1)[:, None]
                there = references[at + row * counts[1][..., None] + column].float() / UNIT
                found.append((white[..., :REFERENCE_SIZE] - there).square().sum(dim=3))
        best = torch.stack(found).amin(dim=0)
        return torch.where(nearest[:, None, None] >= 0, best, torch.inf).amin(dim=0).sqrt()


class _NullMaps:
    """The null distribution `NullMaps` as tensors in single precision."""

    def __init__(self, given: NullMaps) -> None:
        arrays = given.view_mean, given.view_sigma, given.fused_sigma
        self.mean, self.sigma, self.fused_sigma = (torch.from_numpy(np.asarray(one, np.float32)) for one in arrays)
        point = np.zeros((3, 3))
        point[1, 1] = 1
        self.smooth = torch.from_numpy(gaussian_filter(point, SMOOTH, mode="constant").astype(np.float32))[None, None]

    def fused(self, views: Tensor, weights: Sequence[float], what: int) -> Tensor:
        """Return the fused map (rows, columns) of views (5, rows, columns) in sigmas; `what`: 0 the map, 1 the one of
        the score."""
        down, across = (_between_places(length) for length in views.shape[1:])
        sigmas = (views - down @ self.mean @ across.T) / (down @ self.sigma @ across.T)
        fused = pad(
            torch.einsum("v,vrc->rc", torch.tensor(weights), sigmas)[None, None], (1, 1, 1, 1), mode="replicate"
        )
        return conv2d(fused, self.smooth)[0, 0] / self.fused_sigma[what]


def _between_places(length: int) -> Tensor:
    """Return weights (length, PLACES) that interpolate linearly between the centres of places."""
    at = ((torch.arange(length) + 0.5) / length * PLACES - 0.5).clamp(0, PLACES - 1)
    return (1 - (at[:, None] - torch.arange(PLACES)).abs()).clamp(min=0)


def _parts(length: int) -> Tensor:
    """Return weights (DESCRIBED, length) that average as adaptive_avg_pool2d does along one axis."""
    part, at = torch.arange(DESCRIBED), torch.arange(length)
    count = torch.full_like(part, length)
    first, last = part * count // DESCRIBED, ((part + 1) * count + DESCRIBED - 1) // DESCRIBED
    inside = (at >= first[:, None]) & (at < last[:, None])
    return inside.float() / (last - first)[:, None]


def _blocks(place: Tensor) -> tuple[tuple[Tensor, Tensor], int]:
    """Return the cells of each place, as many for each so that they make a batch (GRID count,), where a cell is in that
    list (cells,), and `count`."""
    length = place.shape[0]
    count = (length + GRID - 1) // GRID
    first = (place < torch.arange(GRID)[:, None]).sum(dim=1)
    cell = (first[:, None] + torch.arange(count)).clamp(max=length - 1).flatten()
    return (cell, place * count + torch.arange(length) - first[place]), count
