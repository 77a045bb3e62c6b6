"""DeepCSV (CMS, arXiv:1712.07158): a dense network on the jet, its leading tracks and its leading vertex."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lynkeus.networks.taggers.deep.collections import Collection, leading, of_jets, side_by_side
from lynkeus.networks.taggers.ragged import Groups


@dataclass(frozen=True)
class DeepCSVSizes:
    """`whole`: features of the group "global"; `collections`: six tracks and one vertex as published; `hidden` layers
    of `width`."""

    whole: int
    collections: tuple[Collection, ...]
    width: int = 100
    hidden: int = 5
    dropout: float = 0.1

    @property
    def inputs(self) -> int:
        """Numbers that the first layer reads; of what a jet does not have they are zeros after standardisation."""
        return self.whole + sum(one.features * one.most for one in self.collections)


class DeepCSV(nn.Module):
    """Jets to logits (n, classes): features of the jet and of its leading tracks and vertices side by side, through
    dense layers.

    forward(groups) reads "global" (one row a jet) and the groups of the collections.
    """

    def __init__(self, classes: int, sizes: DeepCSVSizes) -> None:
        super().__init__()
        self.sizes, self.classes = sizes, classes
        self.whole_norm = nn.BatchNorm1d(sizes.whole)
        self.norms = nn.ModuleList(nn.BatchNorm1d(one.features) for one in sizes.collections)
        layers: list[nn.Module] = []
        for given in (sizes.inputs, *[sizes.width] * (sizes.hidden - 1)):
            layers += [nn.Linear(given, sizes.width), nn.ReLU(), nn.Dropout(sizes.dropout)]
        self.dense = nn.Sequential(*layers, nn.Linear(sizes.width, classes))

    def forward(self, groups: Groups) -> Tensor:
        """Return logits (n, classes) of jets."""
        found = [self.whole_norm(of_jets(groups, "global"))]
        for one, norm in zip(self.sizes.collections, self.norms, strict=True):
            values, offsets = leading(groups, one)
            found.append(side_by_side((norm(values), offsets), one.most).flatten(1))
        logits: Tensor = self.dense(torch.cat(found, dim=1))
        return logits
