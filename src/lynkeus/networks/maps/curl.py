"""Conserved flux as the curl of heights: what a network makes of noise conserves flux at each site, whatever it makes.

On a ring of t x sites every conserved flux is k_t = h(t, x) - h(t, x - 1), k_x = h(t - 1, x) - h(t, x) of whole heights
h between the sites, which rise by the flux through the lattice in time where one goes around in space, and fall by
that in space where one goes around in time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.networks.maps.padding import RingConvolution
from lynkeus.networks.maps.rings import RingCritic

SLOPE = 0.1
RINGS = (True, True)
PAIRS = 2  # l_x, l_t
# From so many on a critic sums over sites: means of many are so alike that it hardly learns to tell them apart.
SITES = 240


def background(windings: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return heights (b, 1, t, x) that rise evenly for flux through the lattice in time and in space (b, 2)."""
    nt, nx = shape
    t = torch.arange(nt, device=windings.device)[:, None] / nt
    x = torch.arange(nx, device=windings.device)[None, :] / nx
    through_t, through_x = (windings[:, k, None, None] for k in (0, 1))
    return (through_t * x - through_x * t)[:, None]


def curl(heights: Tensor, windings: Tensor) -> Tensor:
    """Return flux k_x, k_t (b, 2, t, x) of heights (b, 1, t, x) and of flux through the lattice (b, 2)."""
    h = heights[:, 0]
    k_x, k_t = torch.roll(h, 1, dims=1) - h, h - torch.roll(h, 1, dims=2)
    k_x = torch.cat([k_x[:, :1] + windings[:, 1, None, None], k_x[:, 1:]], dim=1)
    k_t = torch.cat([k_t[:, :, :1] + windings[:, 0, None, None], k_t[:, :, 1:]], dim=2)
    return torch.stack([k_x, k_t], dim=1)


def around(windings: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return what is known of heights before they are made (b, 4, t, x): the phase of whole ones in what is left of
    them without the background, and how steep that is."""
    angle = 2 * torch.pi * background(windings, shape)
    steep = torch.stack([windings[:, 0] / shape[1], windings[:, 1] / shape[0]], dim=1)
    return torch.cat([angle.sin(), angle.cos(), steep[:, :, None, None].expand(-1, -1, *shape)], dim=1)


def whole(x: Tensor) -> Tensor:
    """Return x rounded; a gradient goes through as if it were not (Bengio et al. 2013, arXiv:1308.3432)."""
    return x + (x.round() - x).detach()


def site_flux(links: Tensor) -> Tensor:
    """Return (b, 1, t, x) the sum of |k| + 2 l of the four links of each site, of links (b, 4, t, x)."""
    through = links[:, :2].abs() + 2 * links[:, 2:].clamp(min=0)
    return (through.sum(dim=1) + torch.roll(through[:, 0], 1, dims=2) + torch.roll(through[:, 1], 1, dims=1))[:, None]


class CurlGenerator(nn.Module):
    """Codes (b, latent, *`code_size`), noise (b, latent, t, x) and conditions (b, 2 + others) to links (b, 4, t, x) of
    whole numbers k_x, k_t, l_x, l_t; the first two conditions are flux through the lattice in time and in space."""

    def __init__(self, shape: tuple[int, int], latent: int, conditions: int, width: int) -> None:
        super().__init__()
        halved = (-(-shape[0] // 2), -(-shape[1] // 2))
        self.sizes = (shape, halved)
        self.code_size = (-(-halved[0] // 2), -(-halved[1] // 2))
        self.first = RingConvolution(latent + conditions, 2 * width, 3, RINGS)
        self.second = RingConvolution(2 * width, 2 * width, 3, RINGS)
        self.third = RingConvolution(2 * width + latent + 4, 2 * width, 3, RINGS)
        self.fourth = RingConvolution(2 * width, width, 3, RINGS)
        self.height = RingConvolution(width, 1, 3, RINGS)
        self.pairs = nn.Sequential(
            RingConvolution(width + latent + 5, width, 3, RINGS), nn.LeakyReLU(SLOPE),
            RingConvolution(width, width, 3, RINGS), nn.LeakyReLU(SLOPE), RingConvolution(width, PAIRS, 1, RINGS),
        )  # fmt: skip

    def forward(self, code: Tensor, fine: Tensor, condition: Tensor) -> Tensor:
        """Return links; `fine` is noise at their own size: the first part for heights, all of it for pairs."""
        shape, windings = self.sizes[0], condition[:, :2]
        scaled = torch.cat([windings[:, :1] / shape[1], windings[:, 1:] / shape[0], condition[:, 2:]], dim=1)
        spread = scaled[:, :, None, None].expand(-1, -1, *self.code_size)
        x = functional.leaky_relu(self.first(torch.cat([code, spread], dim=1)), SLOPE)
        x = functional.leaky_relu(self.second(functional.interpolate(x, size=self.sizes[1])), SLOPE)
        x = torch.cat([functional.interpolate(x, size=shape), fine, around(windings, shape)], dim=1)
        x = functional.leaky_relu(self.fourth(functional.leaky_relu(self.third(x), SLOPE)), SLOPE)
        k = curl(whole(self.height(x) + background(windings, shape)), windings)
        through = k.abs()
        site = through.sum(dim=1) + torch.roll(through[:, 0], 1, dims=2) + torch.roll(through[:, 1], 1, dims=1)
        pairs = self.pairs(torch.cat([x, fine.flip(1), k, through, site[:, None]], dim=1))
        return torch.cat([k, whole(pairs).clamp(min=0)], dim=1)


class CurlCritic(nn.Module):
    """Links (b, 4, t, x) and conditions (b, 2 + others) to values (b,); it is also shown |k| and the flux of sites."""

    def __init__(self, links: Tensor, conditions: int, width: int) -> None:
        super().__init__()
        self.critic = RingCritic(7, conditions, width, RINGS)
        shown = self.shown(links)
        self.register_buffer("centre", shown.mean(dim=(0, 2, 3))[:, None, None])
        self.register_buffer("sigma", shown.std(dim=(0, 2, 3)).clamp(min=0.05)[:, None, None])
        self.register_buffer("size", torch.tensor([links.shape[3], links.shape[2]], dtype=torch.float32))

    @staticmethod
    def shown(links: Tensor) -> Tensor:
        """Return (b, 7, t, x): links, sizes of k, flux of sites."""
        return torch.cat([links, links[:, :2].abs(), site_flux(links)], dim=1)

    def forward(self, links: Tensor, condition: Tensor) -> Tensor:
        scaled = torch.cat([condition[:, :2] / self.size, condition[:, 2:]], dim=1)
        found: Tensor = self.critic((self.shown(links) - self.centre) / self.sigma, scaled)
        return found * max(1.0, links.shape[2] * links.shape[3] / SITES)
