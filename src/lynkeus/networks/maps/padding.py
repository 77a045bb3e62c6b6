"""Convolutions that know of each axis whether it is a ring: what leaves a map on one side comes in on the other."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.core import Array

LOOKED_AT = 200  # samples
AS_NEAR = 1.5  # opposite edges of a ring differ no more than this times what neighbours do, squared


def rings_of(values: Array) -> tuple[bool, bool]:
    """Return of the rows and of the columns of maps (n, c, row, column) whether their opposite edges are neighbours, by
    how much these differ beside what neighbours do."""
    some = np.nan_to_num(values[:LOOKED_AT].astype(float))
    found = []
    for axis in (2, 3):
        steps = np.diff(some, axis=axis)
        across = np.take(some, 0, axis) - np.take(some, -1, axis)
        found.append(bool(steps.size and (across**2).mean() <= AS_NEAR * (steps**2).mean() + 1e-30))
    return found[0], found[1]


class RingConvolution(nn.Conv2d):
    """A convolution that keeps the size of maps (n, c, row, column): axes in `rings` go round, the others end in 0."""

    def __init__(self, given: int, made: int, size: int, rings: tuple[bool, bool], bias: bool = True) -> None:
        super().__init__(given, made, size, bias=bias)
        self.rings, self.before = rings, (size - 1) // 2
        self.after = size - 1 - self.before

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(padded(x, self.rings, self.before, self.after))


def padded(x: Tensor, rings: tuple[bool, bool], before: int, after: int) -> Tensor:
    """Return maps with more rows and columns, `before` and `after` them: from the other side of a ring, else 0."""
    for axis, ring in ((2, rings[0]), (3, rings[1])):
        length = x.shape[axis]
        if ring and length >= max(before, after):
            first, last = x.narrow(axis, length - before, before), x.narrow(axis, 0, after)
            x = torch.cat([first, x, last], dim=axis)
        else:
            edges = [before, after, 0, 0] if axis == 3 else [0, 0, before, after]
            x = functional.pad(x, edges)
    return x
