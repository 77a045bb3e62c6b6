"""Inputs as a layer, so that it runs where the network does, batch by batch, and goes with it into another format."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lynkeus.networks.shapes import Samples
from lynkeus.transforms.inputs import FAR_SIGMA, LEAST_SIGMA, Inputs


class Standardise(nn.Module):
    """Raw values (b, c, ...), of 8 bits or floating, to what networks read, float32: see `Inputs.of`."""

    centre: Tensor
    sigma: Tensor
    whitening: Tensor | None

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        self.windows = inputs.windows
        self.register_buffer("centre", torch.from_numpy(inputs.centre))
        self.register_buffer("sigma", torch.from_numpy(inputs.sigma))
        whitening = inputs.whitening
        self.register_buffer("whitening", None if whitening is None else torch.from_numpy(whitening))

    def forward(self, values: Tensor) -> Samples:
        # Twice the precision where a small deviation may stand on a large number.
        x = values.to(torch.float32 if values.dtype == torch.uint8 else torch.float64)
        column = (..., *([None] * (values.ndim - 1 - self.centre.ndim)))
        x = (x - self.centre[column].to(x.dtype)) / self.sigma[column].to(x.dtype)
        x = torch.where(torch.isfinite(x), x, 0.0)
        by_itself = values.ndim > 2 if self.windows == "z" else values.ndim > 3 and self.windows == "auto"
        if by_itself:
            axes = tuple(range(2, values.ndim))
            x = x - x.mean(dim=axes, keepdim=True)
            x = x / (x**2).mean(dim=axes, keepdim=True).sqrt().clamp(min=LEAST_SIGMA)
        if self.whitening is not None:
            x = (x.flatten(1) @ self.whitening.to(x.dtype)).reshape(x.shape)
        return FAR_SIGMA * torch.asinh(x.to(torch.float32) / FAR_SIGMA)
