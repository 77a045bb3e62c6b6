"""EdgeConv (Wang et al. 2018, arXiv:1801.07829) as in ParticleNet (arXiv:1902.08570), on real particles only.

The first layer is linear in (x_i, x_j - x_i), so it is W_i x_i + W_j x_j: computed once for each particle and added up
after the gather, k times fewer products. All later layers are linear maps of rows (edges, channels), in pieces that
stay in the cache. Batch normalisation is folded into the maps where nothing is trained; where it is, its statistics are
those of the edges of real particles.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.networks.taggers.edge_training import TrainedEdges

PIECE = 1_000_000  # numbers of the widest layer in one piece of edges: 4 MB


def with_zeros(rows: Tensor) -> Tensor:
    """Rows and after them the one of zeros: the neighbour that a short jet does not have."""
    return torch.cat([rows, rows.new_zeros(1, rows.shape[1])])


class Folded(NamedTuple):
    """An EdgeConv that is not trained: all maps with their normalisation, (weight, bias) each."""

    own: tuple[Tensor, Tensor]
    other: Tensor
    later: list[tuple[Tensor, Tensor]]
    shortcut: tuple[Tensor, Tensor] | None
    piece: int

    def __call__(self, x: Tensor, neighbours: Tensor) -> Tensor:
        """Return (rows, channels) of features x (rows, given) and neighbours (rows, k)."""
        own, other = functional.linear(x, *self.own), with_zeros(x @ self.other.T)
        k = neighbours.shape[1]
        out = x if self.shortcut is None else functional.linear(x, *self.shortcut)
        parts = []
        for begin in range(0, len(x), self.piece):
            end = min(begin + self.piece, len(x))
            edges = other.index_select(0, neighbours[begin:end].reshape(-1)).view(end - begin, k, -1)
            edges = edges.add_(own[begin:end, None]).relu_().view((end - begin) * k, -1)
            for weight, bias in self.later:
                edges = torch.addmm(bias, edges, weight.T).relu_()
            parts.append(edges.view(end - begin, k, -1).mean(dim=1))
        return (torch.cat(parts) + out).relu_() if parts else out.relu()


class EdgeConv(nn.Module):
    """Features (rows, given) and neighbours (rows, k) to features (rows, channels[-1]).

    Each edge goes through linear maps, each with batch normalisation and ReLU; the mean over the k edges of a particle
    is added to a shortcut from its own features.
    """

    def __init__(self, k: int, given: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.k, self.widest = k, max(channels)
        sizes = (2 * given, *channels)
        self.maps = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in zip(sizes, channels, strict=False))
        self.norms = nn.ModuleList(nn.BatchNorm1d(made) for made in channels)
        same = given == channels[-1]
        self.shortcut = None if same else nn.Linear(given, channels[-1], bias=False)
        self.shortcut_norm = None if same else nn.BatchNorm1d(channels[-1])

    @property
    def piece(self) -> int:
        """Particles whose edges go through all layers at a time."""
        return max(1, PIECE // (self.k * self.widest))

    def forward(self, x: Tensor, neighbours: Tensor) -> Tensor:
        """Return (rows, channels[-1]); `neighbours` may be the number of rows: a particle of zeros."""
        mean = self._trained(x, neighbours) if self.training and x.device.type == "cpu" else self.plain(x, neighbours)
        shortcut = x
        if self.shortcut is not None and self.shortcut_norm is not None:
            shortcut = self.shortcut_norm(self.shortcut(x))
        return torch.relu(mean + shortcut)

    def plain(self, x: Tensor, neighbours: Tensor) -> Tensor:
        """Mean over edges (rows, channels[-1]), each step an operation of PyTorch: what all else is compared with."""
        own, other = self._first(x)
        edges = with_zeros(other)[neighbours] + own[:, None]
        shape = edges.shape[:2]
        edges = torch.relu(self.norms[0](edges.flatten(0, 1)))
        for linear, norm in zip(self.maps[1:], self.norms[1:], strict=True):
            edges = torch.relu(norm(linear(edges)))
        return edges.view(*shape, -1).mean(dim=1)

    def _first(self, x: Tensor) -> tuple[Tensor, Tensor]:
        given = x.shape[1]
        weight = self.maps[0].weight
        return functional.linear(x, weight[:, :given] - weight[:, given:]), functional.linear(x, weight[:, given:])

    def _trained(self, x: Tensor, neighbours: Tensor) -> Tensor:
        """The same by `TrainedEdges`, which keeps half as much for the way back; updates the running statistics."""
        own, other = self._first(x)
        norms: list[Any] = list(self.norms)
        parameters: list[Tensor] = [norms[0].weight, norms[0].bias]
        for linear, norm in zip(self.maps[1:], norms[1:], strict=True):
            parameters += [linear.weight, norm.weight, norm.bias]
        with torch.autocast("cpu", enabled=False):
            own, other = own.to(norms[0].weight.dtype), with_zeros(other.to(norms[0].weight.dtype))
            found = TrainedEdges.apply(own, other, neighbours, norms[0].eps, self.piece, *parameters)
        mean, statistics = found[0], found[1:]
        edges = neighbours.numel()
        if not edges:
            return mean
        with torch.no_grad():
            for index, norm in enumerate(norms):
                centre, variance = statistics[2 * index : 2 * index + 2]
                norm.num_batches_tracked += 1
                norm.running_mean.lerp_(centre, norm.momentum)
                norm.running_var.lerp_(variance * (edges / max(1, edges - 1)), norm.momentum)
        return mean

    def folded(self) -> Folded:
        """Return this EdgeConv as it scores: normalisation by the running statistics, within the maps."""
        given = self.maps[0].weight.shape[1] // 2
        later = [fold(linear, norm) for linear, norm in zip(self.maps, self.norms, strict=True)]
        (weight, bias), later = later[0], later[1:]
        own = (weight[:, :given] - weight[:, given:], bias)
        shortcut = None if self.shortcut is None else fold(self.shortcut, self.shortcut_norm)
        return Folded(own, weight[:, given:].contiguous(), later, shortcut, self.piece)


def fold(linear: Any, norm: Any) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a linear map followed by batch normalisation with running statistics."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    centre = norm.running_mean if linear.bias is None else norm.running_mean - linear.bias
    return linear.weight * scale[:, None], norm.bias - centre * scale
