"""LocalMean: numbers of a map that are means of something local, such as a density, by convolutions and one mean.

It knows nothing of the size of a map, and what it learns at one value of a parameter it sees in every small part of
others.
"""

from __future__ import annotations

from torch import Tensor, nn

from lynkeus.networks.maps.padding import RingConvolution


class LocalMean(nn.Module):
    """Maps (b, c, row, column) to numbers (b, outputs): the mean over places of what three layers say of each."""

    def __init__(self, channels: int, outputs: int, width: int, rings: tuple[bool, bool]) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            RingConvolution(channels, width, 3, rings), nn.SiLU(), RingConvolution(width, width, 3, rings), nn.SiLU(),
            nn.Conv2d(width, outputs, 1),
        )  # fmt: skip
        nn.init.zeros_(self.layers[-1].weight)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layers(x).mean(dim=(2, 3))
        return found
