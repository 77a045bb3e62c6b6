"""Networks published for images of cavities: DCGAN (Radford et al. 2016, arXiv:1511.06434), for the sizes 28 to 256.

A generator doubles the sides and halves the channels until `width` (64 as published) of them are left; encoder and
critic are its mirror image. Slope 0.2 and a tenth of the channels dropped, as published. Two things are not: the last
layer has no tanh, as samples are in sigmas, and the critic normalises each sample by itself, as the gradient penalty
asks for. At 256 x 256 x 3 and 2048 numbers in a code generator and encoder have 112 million parameters each, the critic
has 45.
"""

from __future__ import annotations

from torch import Tensor, nn

from lynkeus.core import SettingsError
from lynkeus.networks.critic import Critic
from lynkeus.networks.shapes import Codes, Samples, Shape

SLOPE, DROPPED = 0.2, 0.1
LEAST_SIDE, MOST_SIDE = 4, 7  # of the smallest map
HALVING = {"kernel_size": 4, "stride": 2, "padding": 1}


def halvings(shape: Shape) -> tuple[int, int]:
    """Return how often images (c, side, side) are halved, and the side that is left, 4 to 7. Raises SettingsError."""
    side, steps = shape[-1], 0
    while side > MOST_SIDE and side % 2 == 0:
        side, steps = side // 2, steps + 1
    if len(shape) != 3 or shape[1] != shape[2] or not steps or not LEAST_SIDE <= side <= MOST_SIDE:
        raise SettingsError(
            f"the network dcgan reads square images of 28, 64, 128 or 256 pixels (4 to 7 times a power of two), not "
            f"samples of shape {shape}; resize them, or use network = auto"
        )
    return steps, side


def _halving(shape: Shape, width: int, norm: type[nn.Module]) -> nn.Sequential:
    """Images (b, c, side, side) to maps, `width` channels of the first doubled in each further step."""
    steps, _ = halvings(shape)
    layers: list[nn.Module] = [nn.Conv2d(shape[0], width, **HALVING)]
    for given in (width * 2**step for step in range(steps - 1)):
        layers += [nn.LeakyReLU(SLOPE), nn.Dropout2d(DROPPED), nn.Conv2d(given, 2 * given, **HALVING, bias=False)]
        layers += [norm(2 * given)]
    return nn.Sequential(*layers)


class DcganEncoder(nn.Module):
    """Images (b, c, side, side) to codes (b, latent)."""

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        steps, side = halvings(shape)
        self.maps = _halving(shape, width, nn.BatchNorm2d)
        self.last = nn.Sequential(nn.LeakyReLU(SLOPE), nn.Conv2d(width * 2 ** (steps - 1), latent, side))

    def forward(self, x: Samples) -> Codes:
        out: Tensor = self.last(self.maps(x)).flatten(1)
        return out


class DcganGenerator(nn.Module):
    """Codes (b, latent) to images (b, c, side, side)."""

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        steps, side = halvings(shape)
        given = width * 2 ** (steps - 1)
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent, given, side, bias=False)]
        for _ in range(steps - 1):
            layers += [nn.BatchNorm2d(given), nn.LeakyReLU(SLOPE), nn.Dropout2d(DROPPED)]
            layers += [nn.ConvTranspose2d(given, given // 2, **HALVING, bias=False)]
            given //= 2
        layers += [nn.BatchNorm2d(width), nn.LeakyReLU(SLOPE), nn.ConvTranspose2d(width, shape[0], **HALVING)]
        self.layers = nn.Sequential(*layers)

    def forward(self, code: Codes) -> Samples:
        out: Tensor = self.layers(code[:, :, None, None])
        return out


class _SampleNorm(nn.GroupNorm):
    """Normalises all channels of a sample together: the gradient penalty needs samples that do not see each other."""

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels)


def dcgan_critic(shape: Shape, width: int) -> Critic:
    """The critic: its features are all numbers of the last map, as f-AnoGAN compares them."""
    steps, side = halvings(shape)
    maps = nn.Sequential(_halving(shape, width, _SampleNorm), nn.Flatten())
    return Critic(maps, width * 2 ** (steps - 1) * side**2, SLOPE)
