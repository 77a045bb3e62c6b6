"""ParticleNet on padded tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lynkeus.networks.taggers.edge_conv import EdgeConv, fold
from lynkeus.networks.taggers.neighbours import FEW, squared_distances
from lynkeus.networks.taggers.particle_net import ParticleNet

AWAY = 1e30  # distance of padding: farther than any particle, nearer than itself, which is infinitely far


class Linear(nn.Module):
    """A linear map that is not trained any more."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().clone().contiguous())
        self.register_buffer("bias", bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Return x times the weight, plus the bias."""
        return nn.functional.linear(x, self.weight, self.bias)


class PaddedEdgeConv(nn.Module):
    """An EdgeConv of features (n, p, given) and the distances of all places, (n, p, p)."""

    def __init__(self, block: EdgeConv) -> None:
        super().__init__()
        folded = block.folded()
        self.k = block.k
        self.own, self.other = Linear(*folded.own), Linear(folded.other, torch.zeros(len(folded.other)))
        self.later = nn.ModuleList(Linear(*one) for one in folded.later)
        self.shortcut = nn.Identity() if folded.shortcut is None else Linear(*folded.shortcut)

    def forward(self, x: Tensor, distances: Tensor) -> Tensor:
        """Return (n, p, channels); what comes out at padding means nothing."""
        n, places = x.shape[:2]
        nearest = distances.topk(self.k, dim=-1, largest=False).indices
        rows = nearest + places * torch.arange(n, device=x.device)[:, None, None]
        other = self.other(x)
        edges = other.flatten(0, 1)[rows.flatten()].view(n, places, self.k, other.shape[-1])
        edges = torch.relu(edges + self.own(x)[:, :, None])
        for linear in self.later:
            edges = torch.relu(linear(edges))
        return torch.relu(edges.mean(dim=2) + self.shortcut(x))


class PaddedParticleNet(nn.Module):
    """points (n, p, axes), features (n, p, features), mask (n, p) to logits (n, classes); n and p are free."""

    groups = ("points", "features")
    shared_mask = True

    def __init__(self, network: ParticleNet) -> None:
        super().__init__()
        self.input_norm = nn.Identity()
        if network.input_norm is not None:
            given = network.input_norm
            scale = given.weight / torch.sqrt(given.running_var + given.eps)
            self.input_norm = Linear(torch.diag(scale), given.bias - given.running_mean * scale)
        self.blocks = nn.ModuleList(PaddedEdgeConv(block) for block in network.blocks)
        self.fusion = None if network.fusion is None else Linear(*fold(network.fusion[0], network.fusion[1]))
        self.dense = network.dense
        self.spare = max(k for k, _ in network.sizes.blocks)

    def forward(self, points: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        # As many places of padding as there are neighbours: a short jet finds them, and they are zeros.
        points, features = (nn.functional.pad(one, (0, 0, 0, self.spare)) for one in (points, features))
        mask = nn.functional.pad(mask, (0, self.spare))
        real = mask[:, :, None]
        place = torch.arange(mask.shape[1], device=mask.device)
        itself = place[:, None] == place
        x = torch.where(real, self.input_norm(features), 0.0)
        made = []
        for index, block in enumerate(self.blocks):
            near = x if index else points
            distances = squared(near).masked_fill(~mask[:, None, :], AWAY).masked_fill(itself, torch.inf)
            x = torch.where(real, block(x, distances), 0.0)
            made.append(x)
        if self.fusion is not None:
            x = torch.where(real, torch.relu(self.fusion(torch.cat(made, dim=2))), 0.0)
        many = mask.sum(dim=1, keepdim=True).clamp(min=1)
        logits: Tensor = self.dense(x.sum(dim=1) / many)
        return logits


def squared(points: Tensor) -> Tensor:
    """Return the squared distances (n, p, p) of all places."""
    if points.shape[-1] > FEW:
        return squared_distances(points)
    return (points[:, :, None] - points[:, None]).square().sum(dim=-1)
