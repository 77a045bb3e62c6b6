"""Heights: conserved flux as networks learn it, with nothing left to conserve (see `networks.maps.curl`)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lynkeus.core import Array, Floats, Schema
from lynkeus.networks.maps.curl import around, background, curl, site_flux
from lynkeus.scorers.generators.gan import JUDGED, MapGame
from lynkeus.simulate.lattice.source import NAMES as FLUX
from lynkeus.simulate.lattice.source import divergence

WINDINGS = 2  # conditions before all others: flux through the lattice in time and in space
NEAREST = 0.05  # of the samples that were seen: whose windings are those of a condition that is asked for
FEWEST = 20


def windings_of(links: Array) -> Array:
    """Return (n, 2) flux through the lattice in time and in space of links (n, 4, t, x)."""
    return np.stack([links[:, 1, 0].sum(axis=1), links[:, 0, :, 0].sum(axis=1)], axis=1)


def heights_of(links: Array) -> Floats:
    """Return (n, 3, t, x) float32: heights less their even rise, whose mean is nearest to 0, and l_x, l_t."""
    whole = np.rint(links).astype(np.int64)
    k_x, k_t = whole[:, 0], whole[:, 1].copy()
    first = np.concatenate([np.zeros_like(k_t[:, :1, :1]), np.cumsum(k_t[:, :1, 1:], axis=2)], axis=2)
    h = first - np.concatenate([np.zeros_like(first), np.cumsum(k_x[:, 1:], axis=1)], axis=1)
    even = background(torch.from_numpy(windings_of(whole).astype(np.float32)), h.shape[1:])[:, 0].numpy()
    h = h - even
    h -= np.rint(h.mean(axis=(1, 2), keepdims=True))
    return np.concatenate([h[:, None], whole[:, 2:]], axis=1).astype(np.float32)


def raised(heights: Floats, windings: Array) -> Floats:
    """Return what `heights_of` returned with the even rise of heights: whole numbers, 0 at the first site."""
    rise = background(torch.from_numpy(np.asarray(windings, np.float32)), heights.shape[2:]).numpy()
    found = heights.copy()
    found[:, :1] = np.rint(heights[:, :1] + rise)
    found[:, 0] -= found[:, 0, :1, :1]
    return found


def lowered(heights: Floats, windings: Array) -> Floats:
    """Return the inverse of `raised`, up to a whole number that no link knows of."""
    rise = background(torch.from_numpy(np.asarray(windings, np.float32)), heights.shape[2:]).numpy()
    return np.concatenate([heights[:, :1] - rise, heights[:, 1:]], axis=1)


def links_of(heights: Floats, windings: Array) -> Floats:
    """Return links (n, 4, t, x) of whole numbers of what `heights_of` returned, rounded; its inverse."""
    rise = torch.from_numpy(np.asarray(windings, np.float32))
    h = torch.from_numpy(np.asarray(heights[:, :1], np.float32)) + background(rise, heights.shape[2:])
    k = curl(h.round(), rise).numpy()
    return np.concatenate([k, np.maximum(np.rint(heights[:, 1:]), 0)], axis=1)


def maps_known(windings: Array, others: Floats, shape: tuple[int, int]) -> Floats:
    """Return what a network that makes heights is shown (n, 4 + others, t, x) float32."""
    own = around(torch.from_numpy(np.asarray(windings, np.float32)), shape).numpy()
    more = np.broadcast_to(others[:, :, None, None], (*others.shape, *shape))
    return np.concatenate([own, more], axis=1).astype(np.float32)


class FluxGame(MapGame):
    """A MapGame whose generator is a CurlGenerator; the first conditions are `WINDINGS`, in whole numbers."""

    def judge(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See MapGame; the moments are those of the links and of the flux of sites."""
        made = self.made(y[:JUDGED], torch.Generator().manual_seed(0))
        own, theirs = (_moments(one) for one in (x, made))
        sigma = own.std(dim=0).clamp(min=1e-6)
        apart = (own.mean(dim=0) - theirs.mean(dim=0)) / sigma
        wide = (theirs.std(dim=0) / sigma).clamp(min=1e-3).log()
        distance = (apart**2).mean() + (wide**2).mean()
        return distance.expand(len(x)), (apart.abs() < 1).float().mean().expand(len(x))

    def spread(self, x: Tensor) -> Tensor:
        """Return 1: codes differ, and so do maps."""
        return torch.ones(())


def _moments(links: Tensor) -> Tensor:
    own = torch.cat([links, links.abs(), site_flux(links)], dim=1)
    return torch.cat([own.mean(dim=(2, 3)), (own**2).mean(dim=(2, 3))], dim=1)


def rows_like(seen: Floats, names: tuple[str, ...], fixed: dict[str, float], draws: tuple[int, int]) -> Array:
    """Return `draws` (count, seed): numbers of samples that were seen, drawn from those nearest to what is asked of
    anything but the density."""
    rng = np.random.default_rng([draws[1], 1])
    rows = np.arange(len(seen))
    for name, value in fixed.items():
        if name != "n":
            many = max(FEWEST, round(NEAREST * len(seen)))
            rows = rows[np.argsort(np.abs(seen[rows, names.index(name)] - value), kind="stable")[:many]]
    found: Array = rows[rng.integers(len(rows), size=draws[0])]
    return found


def is_flux(schema: Schema, values: Array) -> bool:
    """Return whether samples are integers on links, of which those of the first two kinds are conserved."""
    whole = schema.shape[0] == len(FLUX) and bool((values == np.rint(values)).all())
    return whole and not divergence(values).any() and bool((values[:, 2:] >= 0).all())
