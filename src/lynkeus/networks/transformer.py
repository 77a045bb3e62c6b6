"""Transformer encoder and decoder of waveforms: every shot looks at every other one (Vaswani et al. 2017).

Positions are told by turning pairs of coordinates by an angle that grows with time (Su et al. 2021): unlike a position
that is added this leaves zero at zero, so that a one-class network has no constant to lean on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lynkeus.networks.shapes import Codes, Samples, Shape

HEADS, LAYERS = 4, 2
SLOWEST = 1000.0  # shots in which the slowest pair turns by one radian


class Positions(nn.Module):
    """Shots (b, t, width) with each pair of coordinates turned by time times a frequency of its own; no weights."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        frequency = SLOWEST ** (-torch.arange(width // 2) / max(1, width // 2 - 1))
        angle = torch.arange(length)[:, None] * frequency
        self.register_buffer("cosine", torch.cos(angle), persistent=False)
        self.register_buffer("sine", torch.sin(angle), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        even, odd = x.chunk(2, dim=-1)
        cosine, sine = self.cosine[: x.shape[1]], self.sine[: x.shape[1]]
        return torch.cat([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1)


def attention_layers(width: int, bias: bool = True) -> nn.TransformerEncoder:
    """Layers of attention and of a network for each shot; what they find is added to what came in."""
    layer = nn.TransformerEncoderLayer(
        width, HEADS, 2 * width, dropout=0.0, batch_first=True, norm_first=True, bias=bias
    )  # fmt: skip
    return nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)


class TransformerEncoder(nn.Module):
    """Samples (b, c, t) to codes (b, latent): attention over shots, then the mean over them."""

    def __init__(self, shape: Shape, latent: int, width: int, bias: bool = True) -> None:
        super().__init__()
        self.first = nn.Linear(shape[0], width, bias=bias)
        self.positions = Positions(shape[1], width)
        self.layers = attention_layers(width, bias)
        self.last = nn.Linear(width, latent, bias=bias)

    def forward(self, x: Samples) -> Codes:
        shots = self.layers(self.positions(self.first(x.transpose(1, 2))))
        out: Tensor = self.last(shots.mean(dim=1))
        return out


class TransformerDecoder(nn.Module):
    """Codes (b, latent) to samples (b, c, t): the code, turned by the position of each shot, then attention."""

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        self.length = shape[1]
        self.first = nn.Linear(latent, width)
        self.positions = Positions(shape[1], width)
        self.layers = attention_layers(width)
        self.last = nn.Linear(width, shape[0])

    def forward(self, code: Codes) -> Samples:
        shots = self.first(code)[:, None, :].expand(-1, self.length, -1)
        out: Tensor = self.last(self.layers(self.positions(shots)))
        return out.transpose(1, 2)
