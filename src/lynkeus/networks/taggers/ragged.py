"""Clouds of different lengths, one after the other: roles of groups, blocks of similar length, sums over a cloud.

A group is a pair of tensors: `values` (rows, features), the particles of all jets one after the other, and `offsets`
(n + 1,), where each jet begins and the last one ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lynkeus.core import SchemaError

Group = tuple[Tensor, Tensor]
Groups = Mapping[str, Group]

SIMILAR = 0.8  # the shortest cloud of a block, as a share of its longest


def role(groups: Groups, name: str) -> Group:
    """Return the group whose name is `name` or ends in it: "points" is found in "pf_points".

    Raises SchemaError where there is none, or more than one.
    """
    found = [key for key in groups if key == name or key.endswith(f"_{name}")]
    if len(found) != 1:
        have = ", ".join(groups) or "none"
        what = "is none" if not found else f"are {len(found)}"
        raise SchemaError(f"the network reads one group that ends in {name!r}, and there {what}; groups: {have}")
    return groups[found[0]]


def lengths_of(offsets: Tensor) -> Tensor:
    """Return (n,): how many particles each jet has."""
    return offsets[1:] - offsets[:-1]


def jet_of(offsets: Tensor) -> Tensor:
    """Return (rows,): the jet that each particle belongs to."""
    jets = torch.arange(len(offsets) - 1, device=offsets.device)
    return torch.repeat_interleave(jets, lengths_of(offsets))


def mean_over_jets(values: Tensor, offsets: Tensor) -> Tensor:
    """Return (n, features): the mean over the particles of each jet, 0 for a jet without particles."""
    total = values.new_zeros(len(offsets) - 1, values.shape[1]).index_add(0, jet_of(offsets), values)
    return total / lengths_of(offsets).clamp(min=1)[:, None].to(values.dtype)


def rows_of(offsets: Tensor, jets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows of some jets, in their order, and the offsets that those rows then have."""
    lengths = lengths_of(offsets)[jets]
    begins = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    within = torch.arange(int(begins[-1]), device=offsets.device) - torch.repeat_interleave(begins[:-1], lengths)
    return torch.repeat_interleave(offsets[:-1][jets], lengths) + within, begins


def take(group: Group, jets: Tensor) -> Group:
    """Return the group of some jets, in their order."""
    rows, offsets = rows_of(group[1], jets)
    return group[0].index_select(0, rows), offsets


class Block(NamedTuple):
    """Jets of similar length side by side: `rows` (m, longest) of the packed values, and which of them are `real`.

    Where a jet has no more particles `rows` is the number of rows of all: the place of one row of zeros after the last.
    """

    jets: Tensor
    rows: Tensor
    real: Tensor


def blocks(offsets: Tensor, most: int) -> Iterator[Block]:
    """Yield all jets with particles in blocks of similar length, of at most `most` places (but at least one jet)."""
    lengths = lengths_of(offsets)
    order = torch.argsort(lengths, stable=True)
    sizes = lengths[order].tolist()
    end = int(offsets[-1])
    first = sum(size == 0 for size in sizes)
    while first < len(sizes):
        last = first + 1
        while last < len(sizes) and sizes[first] >= SIMILAR * sizes[last] and (last + 1 - first) * sizes[last] <= most:
            last += 1
        jets, longest = order[first:last], sizes[last - 1]
        place = torch.arange(longest, device=offsets.device)
        real = place < lengths[jets][:, None]
        yield Block(jets, torch.where(real, offsets[jets][:, None] + place, end), real)
        first = last


def portions(offsets: Tensor, rows: int) -> list[Tensor]:
    """Return all jets, shortest first, in portions of about so many rows each, at least one jet."""
    lengths = lengths_of(offsets)
    order = torch.argsort(lengths, stable=True)
    if len(order) == 0:
        return [order]
    # A jet without particles counts as one row, so that a portion is never endless.
    number = (lengths[order].clamp(min=1).cumsum(0) - 1) // max(1, rows)
    return list(order.split(torch.unique_consecutive(number, return_counts=True)[1].tolist()))


def joined(parts: Sequence[Tensor], portioned: Sequence[Tensor]) -> Tensor:
    """Return what was computed in portions in the order of all jets."""
    order = torch.cat(list(portioned))
    found = torch.cat(list(parts))
    return torch.empty_like(found).index_copy_(0, order, found)
