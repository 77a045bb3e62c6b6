"""Dropout whose random numbers are cheap: a network of attention otherwise spends a quarter of its training on them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

LEVELS = 1 << 16


class Dropout(nn.Module):
    """Set each number to zero with a chance `p`, to the nearest of 65536, and scale the others up; nothing in
    evaluation. Four decisions come from one random number of 64 bits."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        dropped = round(self.p * LEVELS)
        if not self.training or not dropped:
            return x
        if x.device.type != "cpu":
            return nn.functional.dropout(x, self.p)
        drawn = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)
        keep = (drawn.view(torch.int16)[: x.numel()] >= dropped - LEVELS // 2).view(x.shape)
        return _Kept.apply(x, keep, LEVELS / (LEVELS - dropped))


class _Kept(torch.autograd.Function):
    """x * keep * scale, of which only the mask is kept: a byte for each number."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: Tensor, scale: float) -> Tensor:
        """See the class."""
        ctx.save_for_backward(keep)
        ctx.scale = scale
        return (x * keep).mul_(scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """See the class."""
        (keep,) = ctx.saved_tensors
        return (gradient * keep).mul_(ctx.scale), None, None
