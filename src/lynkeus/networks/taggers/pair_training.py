"""Layers of pairs in training: normalisation, GELU and the next linear map as one step that keeps its input alone.

A jet of 60 particles has 1,830 pairs, and PyTorch keeps three numbers for each of their channels in each layer. Here
what comes out of each linear map is kept, and the rest is computed again on the way back, in pieces that stay in the
cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from lynkeus.networks.taggers.edge_training import Moments

PIECE = 1 << 17  # numbers of one piece, half a megabyte


def pieces(z: Tensor) -> Iterator[slice]:
    """Yield rows of z (rows, channels), a piece at a time."""
    size = max(1, PIECE // max(1, z.shape[1]))
    for begin in range(0, len(z), size):
        yield slice(begin, min(begin + size, len(z)))


class NormedMap(Function):
    """z (rows, c) through batch normalisation, GELU and a linear map.

    apply(z, scale, shift, weight, bias, eps) gives (rows, made), and mean and biased variance of z.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, *given: Any) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        scale, shift, weight, bias, eps = given
        moments = Moments(z.shape[1])
        for rows in pieces(z):
            moments.add(z[rows])
        rate = (moments.variance() + eps).rsqrt()
        slope, mean = (scale.double() * rate).to(z.dtype), moments.mean
        level = (shift.double() - mean * scale.double() * rate).to(z.dtype)
        out = z.new_empty(len(z), len(weight))
        for rows in pieces(z):
            active = nn.functional.gelu(torch.addcmul(level, z[rows], slope))
            torch.addmm(bias, active, weight.T, out=out[rows])
        ctx.save_for_backward(z, scale, weight, mean, rate, slope, level)
        found = mean.to(z.dtype), moments.variance().to(z.dtype)
        ctx.mark_non_differentiable(*found)
        return out, *found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of all arguments: first through the GELU, counting what normalisation needs, then through it."""
        z, scale, weight, mean, rate, slope, level = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        flowing, of_weight = torch.empty_like(z), torch.zeros_like(weight)
        shifts, products = (z.new_zeros(z.shape[1], dtype=torch.float64) for _ in range(2))
        for rows in pieces(z):
            before = torch.addcmul(level, z[rows], slope)
            of_weight.addmm_(gradient[rows].T, nn.functional.gelu(before))
            back = torch.ops.aten.gelu_backward(gradient[rows] @ weight, before)
            flowing[rows] = back
            shifts += back.sum(dim=0)
            products += back.mul_(z[rows]).sum(dim=0)
        of_scale = (products - mean * shifts) * rate
        own = -scale.double() * rate * rate * of_scale / max(1, len(z))
        constant = -scale.double() * rate * shifts / max(1, len(z)) - own * mean
        own, constant = own.to(z.dtype), constant.to(z.dtype)
        for rows in pieces(z):
            flowing[rows].mul_(slope).add_(torch.addcmul(constant, z[rows], own))
        return flowing, of_scale.to(z.dtype), shifts.to(z.dtype), of_weight, gradient.sum(dim=0), None


def embedded(layers: nn.Sequential, x: Tensor) -> Tensor:
    """Return what `layers` make of x (rows, features) in training: normalisation, then linear map, normalisation and
    GELU as often as there are maps, the last GELU only where it is there. Updates the running statistics."""
    modules: list[Any] = list(layers)
    with torch.autocast("cpu", enabled=False):
        found: Tensor = modules[1](modules[0](x.to(modules[1].weight.dtype)))
        for at in range(2, len(modules) - 3, 3):
            norm, linear = modules[at], modules[at + 2]
            given = norm.weight, norm.bias, linear.weight, linear.bias, norm.eps
            found, mean, variance = NormedMap.apply(found, *given)
            remember(norm, mean, variance, len(x))
        for module in modules[-2:] if isinstance(modules[-1], nn.GELU) else modules[-1:]:
            found = module(found)
    return found


@torch.no_grad()
def remember(norm: Any, mean: Tensor, variance: Tensor, rows: int) -> None:
    """Update the running statistics of a normalisation by mean and biased variance of so many rows."""
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance * (rows / max(1, rows - 1)), norm.momentum)
