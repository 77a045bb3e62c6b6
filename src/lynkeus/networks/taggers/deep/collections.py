"""Collections of a jet (tracks, neutral particles, vertices): the leading ones, in order, packed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from lynkeus.core import SchemaError
from lynkeus.networks.taggers.ragged import Group, Groups, jet_of, lengths_of


@dataclass(frozen=True)
class Collection:
    """Of the `group` with so many `features` the first `most` rows of each jet; `order`: the feature by which they are
    sorted first, falling, such as pT or the significance of a track (None: as they come)."""

    group: str
    features: int
    most: int
    order: int | None = None


def group_of(groups: Groups, name: str) -> Group:
    """Return the group of that name. Raises SchemaError where there is none."""
    if name not in groups:
        raise SchemaError(f"the network reads the group {name!r}; groups: {', '.join(groups) or 'none'}")
    return groups[name]


def places_of(offsets: Tensor) -> Tensor:
    """Return (rows,): the place of each row within its jet, from 0."""
    rows = torch.arange(int(offsets[-1]), device=offsets.device)
    return rows - torch.repeat_interleave(offsets[:-1], lengths_of(offsets))


def leading(groups: Groups, collection: Collection) -> Group:
    """Return the leading rows of each jet, packed, the first one first."""
    values, offsets = group_of(groups, collection.group)
    if collection.order is not None:
        falling = torch.argsort(values[:, collection.order], descending=True, stable=True)
        jets = jet_of(offsets)[falling]
        values = values[falling[torch.argsort(jets, stable=True)]]
    kept = places_of(offsets) < collection.most
    lengths = lengths_of(offsets).clamp(max=collection.most)
    return values[kept], torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])


def side_by_side(group: Group, most: int) -> Tensor:
    """Return (n, most, features): rows of each jet side by side, zeros where it has no more."""
    values, offsets = group
    found = values.new_zeros(len(offsets) - 1, most, values.shape[1])
    return found.index_put((jet_of(offsets), places_of(offsets)), values)


def of_jets(groups: Groups, name: str) -> Tensor:
    """Return (n, features) of a group of one row a jet. Raises SchemaError for another number of rows."""
    values, offsets = group_of(groups, name)
    if not bool((lengths_of(offsets) == 1).all()):
        raise SchemaError(f"the group {name!r} describes whole jets and has one row for each")
    return values


def dense(widths: tuple[int, ...], dropout: float, last_norm: bool = True) -> nn.Sequential:
    """Linear maps between `widths`, each with ReLU, batch normalisation and dropout; without `last_norm` the last one
    has a ReLU alone."""
    found: list[nn.Module] = []
    for given, made in pairwise(widths):
        found += [nn.Linear(given, made), nn.ReLU(), nn.BatchNorm1d(made), nn.Dropout(dropout)]
    return nn.Sequential(*(found if last_norm else found[:-2]))
