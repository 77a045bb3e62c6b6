"""Generator and critic of maps whose edges are neighbours, or end: convolutions only, so that no place is special."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.networks.maps.padding import RingConvolution

SLOPE = 0.1
Rings = tuple[bool, bool]


def _halved(size: tuple[int, int]) -> tuple[int, int]:
    return -(-size[0] // 2), -(-size[1] // 2)


class RingGenerator(nn.Module):
    """Codes (b, latent, *`code_size`) and conditions (b, conditions) to maps (b, *shape): doubled twice."""

    def __init__(self, shape: tuple[int, int, int], latent: int, conditions: int, width: int, rings: Rings) -> None:
        super().__init__()
        size = (shape[1], shape[2])
        self.sizes = (size, _halved(size))
        self.code_size = _halved(_halved(size))
        self.first = RingConvolution(latent + conditions, 2 * width, 3, rings)
        self.second = RingConvolution(2 * width, 2 * width, 3, rings)
        self.third = RingConvolution(2 * width + latent, width, 3, rings)
        self.last = RingConvolution(width, shape[0], 3, rings)

    def forward(self, code: Tensor, fine: Tensor, condition: Tensor) -> Tensor:
        """Return maps; `fine` (b, latent, row, column) is noise at their own size, for what is local."""
        spread = condition[:, :, None, None].expand(-1, -1, *self.code_size)
        x = functional.leaky_relu(self.first(torch.cat([code, spread], dim=1)), SLOPE)
        x = functional.leaky_relu(self.second(functional.interpolate(x, size=self.sizes[1])), SLOPE)
        x = torch.cat([functional.interpolate(x, size=self.sizes[0]), fine], dim=1)
        found: Tensor = self.last(functional.leaky_relu(self.third(x), SLOPE))
        return found


class RingCritic(nn.Module):
    """Maps (b, c, row, column) and conditions (b, conditions) to values (b,), by means over places."""

    def __init__(self, channels: int, conditions: int, width: int, rings: Rings) -> None:
        super().__init__()
        self.layers = nn.ModuleList([
            RingConvolution(channels + conditions, width, 3, rings), RingConvolution(width, 2 * width, 3, rings),
            RingConvolution(2 * width, 2 * width, 3, rings),
        ])  # fmt: skip
        self.last = nn.Linear(5 * width + 2 * channels, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        own = [x.mean(dim=(2, 3)), (x**2).mean(dim=(2, 3))]
        x = torch.cat([x, condition[:, :, None, None].expand(-1, -1, *x.shape[2:])], dim=1)
        for number, layer in enumerate(self.layers):
            x = functional.leaky_relu(layer(x), SLOPE)
            own.append(x.mean(dim=(2, 3)))
            if number < 2 and min(x.shape[2:]) > 1:
                x = functional.avg_pool2d(x, 2, ceil_mode=True)
        found: Tensor = self.last(torch.cat(own, dim=1)).squeeze(1)
        return found
