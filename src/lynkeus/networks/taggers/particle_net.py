"""ParticleNet and ParticleNet-Lite (Qu and Gouskos 2019, arXiv:1902.08570) on packed clouds, without padding.

The same function as that of weaver-core 0.5.3 with the same weights where nothing is trained; its statistics of batch
normalisation in training count padded particles, ours do not (docs/explanations/taggers_and_weaver.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.networks.taggers.edge_conv import EdgeConv, Folded, fold
from lynkeus.networks.taggers.neighbours import nearest
from lynkeus.networks.taggers.ragged import Groups, joined, mean_over_jets, portions, role, take


@dataclass(frozen=True)
class ParticleNetSizes:
    """`blocks`: neighbours and channels of each EdgeConv; `dense`: width and dropout of each hidden layer after the
    mean over particles; `fusion`: the blocks are joined by one more layer before that; `input_norm`: features are
    standardised by batch normalisation."""

    blocks: tuple[tuple[int, tuple[int, ...]], ...] = ((7, (32, 32, 32)), (7, (64, 64, 64)))
    dense: tuple[tuple[int, float], ...] = ((128, 0.1),)
    fusion: bool = False
    input_norm: bool = True

    @property
    def fused(self) -> int:
        """Channels of the joining layer: all of the blocks, rounded down to a multiple of 128, between 128 and 1024."""
        return min(1024, max(128, sum(channels[-1] for _, channels in self.blocks) // 128 * 128))


LITE = ParticleNetSizes()
FULL = ParticleNetSizes(((16, (64, 64, 64)), (16, (128, 128, 128)), (16, (256, 256, 256))), ((256, 0.1),))


class ParticleNet(nn.Module):
    """Particles of jets to logits (n, classes): blocks of EdgeConv on the nearest neighbours, first in the coordinates
    of the group "points", then among the features that were made; the mean over particles; a dense network.

    forward(groups) reads a group that ends in "points" (rows, axes) and one that ends in "features" (rows, features).
    """

    def __init__(self, features: int, classes: int, sizes: ParticleNetSizes = LITE) -> None:
        super().__init__()
        self.sizes, self.features, self.classes = sizes, features, classes
        self.input_norm = nn.BatchNorm1d(features) if sizes.input_norm else None
        given, found = features, []
        for k, channels in sizes.blocks:
            found.append(EdgeConv(k, given, channels))
            given = channels[-1]
        self.blocks = nn.ModuleList(found)
        self.fusion = None
        if sizes.fusion:
            joint = sum(channels[-1] for _, channels in sizes.blocks)
            given = sizes.fused
            self.fusion = nn.Sequential(nn.Linear(joint, given, bias=False), nn.BatchNorm1d(given), nn.ReLU())
        dense: list[nn.Module] = []
        for width, dropout in sizes.dense:
            dense += [nn.Linear(given, width), nn.ReLU(), nn.Dropout(dropout)]
            given = width
        self.dense = nn.Sequential(*dense, nn.Linear(given, classes))

    def forward(self, groups: Groups) -> Tensor:
        """Return logits (n, classes) of jets; a jet without particles has those of the mean 0."""
        (points, offsets), (features, _) = role(groups, "points"), role(groups, "features")
        if self.training or torch.is_grad_enabled():
            return self._logits(points, features, offsets, list(self.blocks))
        folded = [block.folded() for block in self.blocks]
        # Twice what one piece of edges holds: jets of a portion are of similar length, and it stays in the cache.
        most = 2 * max((block.piece for block in self.blocks), default=1024)
        parts = portions(offsets, most)
        found = []
        for jets in parts:
            own, begins = take((points, offsets), jets)
            found.append(self._logits(own, take((features, offsets), jets)[0], begins, folded))
        return joined(found, parts)

    def _logits(self, points: Tensor, features: Tensor, offsets: Tensor, blocks: list[Any]) -> Tensor:
        x = features if self.input_norm is None else self.input_norm(features)
        made: list[Tensor] = []
        for index, block in enumerate(blocks):
            k = self.sizes.blocks[index][0]
            x = block(x, nearest(x if index else points, offsets, k))
            made.append(x)
        if self.fusion is not None:
            joint = torch.cat(made, dim=1)
            folded = isinstance(blocks[0], Folded)
            x = functional.linear(joint, *fold(*self.fusion[:2])).relu_() if folded else self.fusion(joint)
        logits: Tensor = self.dense(mean_over_jets(x, offsets))
        return logits
