"""DeepAK8 (CMS, arXiv:2004.08262): residual networks of 1-D convolutions along sorted particles and vertices.

Convolutions run on packed rows: beyond the ends of a jet there are zeros in every layer, and nothing else is computed
there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lynkeus.networks.taggers.deep.collections import Collection, leading, places_of
from lynkeus.networks.taggers.edge_conv import with_zeros
from lynkeus.networks.taggers.ragged import Group, Groups, jet_of, lengths_of, mean_over_jets


@dataclass(frozen=True)
class Tower:
    """A collection, channels of the `first` convolution, and channels and number of residual units of each stage; each
    stage but the first begins by taking every second place.

    `mapped`: a map lies beside the first unit of every stage, as published; else, as in models that were saved before
    that was seen, only where channels or places change.
    """

    collection: Collection
    channels: tuple[int, ...]
    units: tuple[int, ...]
    first: int = 32
    mapped: bool = True

    @property
    def layers(self) -> int:
        """Layers as they are counted: the first convolution, two a unit, and the dense one after all."""
        return 2 + 2 * sum(self.units)


@dataclass(frozen=True)
class DeepAK8Sizes:
    """`towers`: one residual network for each collection; `width` and `dropout` of the dense layer after them."""

    towers: tuple[Tower, ...]
    width: int = 512
    dropout: float = 0.2


def published(particles: int, vertices: int, order: tuple[int | None, int | None] = (None, None)) -> DeepAK8Sizes:
    """Return the published sizes for so many features: 100 particles through 14 layers, 7 vertices through 10; `order`:
    the features by which they are sorted."""
    return DeepAK8Sizes(
        (
            Tower(Collection("particles", particles, 100, order[0]), (64, 64, 128), (2, 2, 2)),
            Tower(Collection("vertices", vertices, 7, order[1]), (32, 64), (2, 2)),
        )
    )


class Convolution(nn.Module):
    """A convolution over three places along the rows of each jet, without bias, at every place or every second one."""

    def __init__(self, given: int, made: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.map = nn.Linear(3 * given, made, bias=False)

    def forward(self, group: Group) -> Group:
        """Return the group after it: of `stride` 2 a jet of p rows keeps (p + 1) // 2."""
        values, offsets = group
        end = len(values)
        places, lengths = places_of(offsets), lengths_of(offsets)
        rows = torch.arange(end, device=values.device)
        last = places == lengths[jet_of(offsets)] - 1
        before, after = torch.where(places == 0, end, rows - 1), torch.where(last, end, rows + 1)
        if self.stride > 1:
            kept = places % self.stride == 0
            before, rows, after = before[kept], rows[kept], after[kept]
            offsets = thinned(offsets, self.stride)
        padded = with_zeros(values)
        three = torch.cat([padded[before], padded[rows], padded[after]], dim=1)
        return self.map(three), offsets


def thinned(offsets: Tensor, stride: int) -> Tensor:
    """Return the offsets when each jet keeps every so manieth row, from its first."""
    lengths = (lengths_of(offsets) + stride - 1) // stride
    return torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])


class Unit(nn.Module):
    """A residual unit: normalisation, ReLU and convolution, twice, added to what came in (He et al. 2016)."""

    def __init__(self, given: int, made: int, stride: int, mapped: bool = False) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm1d(given), nn.BatchNorm1d(made)])
        self.first, self.second = Convolution(given, made, stride), Convolution(made, made)
        same = given == made and stride == 1 and not mapped
        self.shortcut = None if same else nn.Linear(given, made, bias=False)

    def forward(self, group: Group) -> Group:
        """Return the group after it."""
        values, offsets = group
        active = torch.relu(self.norms[0](values))
        passed = values
        if self.shortcut is not None:
            stride = self.first.stride
            passed = self.shortcut(active if stride == 1 else active[places_of(offsets) % stride == 0])
        made, after = self.first((active, offsets))
        made, _ = self.second((torch.relu(self.norms[1](made)), after))
        return made + passed, after


class Residual(nn.Module):
    """The leading rows of a collection to (n, channels[-1]): convolutions, then the mean over what is left of them."""

    def __init__(self, tower: Tower) -> None:
        super().__init__()
        self.tower = tower
        self.norm = nn.BatchNorm1d(tower.collection.features)
        given = tower.first
        self.first = Convolution(tower.collection.features, given)
        units = []
        for stage, (channels, many) in enumerate(zip(tower.channels, tower.units, strict=True)):
            for unit in range(many):
                units.append(Unit(given, channels, 2 if stage and not unit else 1, tower.mapped and not unit))
                given = channels
        self.units = nn.ModuleList(units)
        self.last = nn.BatchNorm1d(given)

    def forward(self, group: Group) -> Tensor:
        """Return (n, channels[-1]); 0 where a jet has no rows."""
        group = self.first((self.norm(group[0]), group[1]))
        for unit in self.units:
            group = unit(group)
        return mean_over_jets(torch.relu(self.last(group[0])), group[1])


class DeepAK8(nn.Module):
    """Jets to logits (n, classes), from a group for each collection."""

    def __init__(self, classes: int, sizes: DeepAK8Sizes) -> None:
        super().__init__()
        self.sizes, self.classes = sizes, classes
        self.towers = nn.ModuleList(Residual(tower) for tower in sizes.towers)
        given = sum(tower.channels[-1] for tower in sizes.towers)
        self.dense = nn.Sequential(
            nn.Linear(given, sizes.width), nn.ReLU(), nn.Dropout(sizes.dropout), nn.Linear(sizes.width, classes)
        )

    def forward(self, groups: Groups) -> Tensor:
        """Return logits (n, classes) of jets."""
        found = [
            tower(leading(groups, one.collection)) for one, tower in zip(self.sizes.towers, self.towers, strict=True)
        ]
        logits: Tensor = self.dense(torch.cat(found, dim=1))
        return logits
