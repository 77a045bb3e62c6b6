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

    @property
    def dropped(self) -> int:
        """Of LEVELS, how many are set to zero now."""
        return round(self.p * LEVELS) if self.training else 0

    def forward(self, x: Tensor) -> Tensor:
        """Return x with some numbers zero."""
        if not self.dropped:
            return x
        if x.device.type != "cpu":
            return nn.functional.dropout(x, self.p)
        return _Kept.apply(x, self._drawn(x), LEVELS / (LEVELS - self.dropped))

    def product(self, x: Tensor, other: Tensor) -> Tensor:
        """Return the product of x, with some numbers zero, and another stack of matrices, keeping x and not what is
        left of it for the way back."""
        if not self.dropped or x.device.type != "cpu":
            return torch.matmul(self(x), other)
        found: Tensor = _Product.apply(x, other, self._drawn(x), LEVELS / (LEVELS - self.dropped))
        return found

    def _drawn(self, x: Tensor) -> Tensor:
        """Return which numbers are kept, of the shape of x."""
        drawn = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)
        return (drawn.view(torch.int16)[: x.numel()] >= self.dropped - LEVELS // 2).view(x.shape)


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


class _Product(torch.autograd.Function):
    """(x * keep * scale) @ other, of which x, other and the mask are kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, other: Tensor, keep: Tensor, scale: float) -> Tensor:
        """See the class."""
        ctx.save_for_backward(x, other, keep)
        ctx.scale = scale
        return torch.matmul((x * keep).mul_(scale), other)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """See the class."""
        x, other, keep = ctx.saved_tensors
        of_other = torch.matmul((x * keep).mul_(ctx.scale).transpose(-1, -2), gradient)
        of_x = torch.matmul(gradient, other.transpose(-1, -2))
        return of_x.mul_(keep).mul_(ctx.scale), of_other, None, None
