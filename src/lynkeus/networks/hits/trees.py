"""TreesOfHits: boosted trees as a module of tensors, so that they go with the features into another format."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.networks.hits.features import HitFeatures
from lynkeus.transforms.boosted import Boosted


class TreesOfHits(nn.Module):
    """Raw values (n, columns) to log odds (n,) by trees of the features."""

    def __init__(self, features: HitFeatures, trees: Boosted) -> None:
        super().__init__()
        self.features = features
        self.start = float(trees.start[0])
        for name in ("root", "left", "right", "feature", "threshold", "missing_left", "value"):
            self.register_buffer(name, torch.from_numpy(getattr(trees, name).copy()))
        self.depth = depth_of(trees)

    def forward(self, values: Tensor) -> Tensor:
        """Return (n,) log odds."""
        found = self.features(values).double()
        own: dict[str, Tensor] = dict(self.named_buffers())
        node = own["root"][None, :].expand(found.shape[0], -1)  # not len(), which a trace takes for a constant
        for _ in range(self.depth):
            x = torch.gather(found, 1, own["feature"][node])
            missing = torch.isnan(x)  # no torch.where: ONNX Runtime has none of true and false
            goes_left = (missing & own["missing_left"][node]) | (~missing & (x <= own["threshold"][node]))
            node = torch.where(goes_left, own["left"][node], own["right"][node])
        return (own["value"][node].sum(dim=1) + self.start).float()


def depth_of(trees: Boosted) -> int:
    """Return how many cuts it takes at most to come to a leaf."""
    depth, node = 0, trees.root
    while len(node := node[trees.left[node] != node]):
        node, depth = np.unique(np.concatenate([trees.left[node], trees.right[node]])), depth + 1
    return depth
