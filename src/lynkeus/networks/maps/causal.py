"""Whole heights and pairs on a ring of sites, one site after the other: the probability of each given all before it.

A small network looks at the sites around one that are known already, also across the edges of the ring, and at how far
the heights have to come until they close (as PixelCNN, van den Oord et al. 2016, arXiv:1601.06759, with a dense network
in place of masked convolutions).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

AROUND = (2, 3)  # rows and columns on each side that are looked at
MOST_STEP, MOST_PAIRS = 8, 6  # sizes of a step of heights, and of l, that have a probability
STEPS, COUNTS = 2 * MOST_STEP + 1, MOST_PAIRS + 1
MORE = 8  # numbers beside those of sites around: how far it is to the ends of the ring, and flux through it


class Causal(nn.Module):
    """Logits of the step of the height of each site from the site before, and of its two pairs."""

    def __init__(self, shape: tuple[int, int], width: int) -> None:
        super().__init__()
        self.shape = shape
        for name, table in zip(("at", "turn", "known", "before"), _places(shape), strict=True):
            self.register_buffer(name, table, persistent=False)
        many = 4 * self.at.shape[1] + MORE
        self.trunk = nn.Sequential(nn.Linear(many, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.step = nn.Linear(width, STEPS)
        self.first = nn.Sequential(nn.Linear(width + STEPS, width), nn.SiLU(), nn.Linear(width, COUNTS))
        self.second = nn.Sequential(nn.Linear(width + STEPS + COUNTS, width), nn.SiLU(), nn.Linear(width, COUNTS))

    def reference(self, h: Tensor, sites: Tensor) -> Tensor:
        """Return (b, sites) the height from which the step of a site is counted: of the site before it, its own for the
        first of all; h (b, t x)."""
        return h[:, self.before[sites]]

    def seen(self, x: Tensor, windings: Tensor, sites: Tensor) -> Tensor:
        """Return what the network looks at (b, sites, numbers) of maps x (b, 3, t x): heights, l_x, l_t."""
        at, known, turn = self.at[sites], self.known[sites], self.turn[sites]
        h, reference = x[:, 0], self.reference(x[:, 0], sites)[..., None]
        across = (windings[:, None, None, :] * turn).sum(dim=-1)
        own = torch.stack([h[:, at] + across - reference, x[:, 1][:, at], x[:, 2][:, at], known.expand(len(x), -1, -1)])
        nt, nx = self.shape
        t, column = sites // nx, sites % nx
        to_end = h[:, column] - windings[:, 1:] - reference[..., 0]
        to_side = torch.where(column > 0, h[:, t * nx] + windings[:, :1] - reference[..., 0], 0.0)
        to_end = torch.where(t > 0, to_end, 0.0)
        left, right = ((nt - t) / nt).expand_as(to_end), ((nx - column) / nx).expand_as(to_end)
        through = windings / windings.new_tensor([nx, nt])
        more = [to_end, to_end / (nt - t), to_side, to_side / (nx - column), left, right]
        more += [through[:, k : k + 1].expand_as(to_end) for k in (0, 1)]
        return torch.cat([(own * known).permute(1, 2, 0, 3).flatten(2), torch.stack(more, dim=-1)], dim=-1)

    def logits(self, seen: Tensor, step: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits of steps, and of l_x and l_t given the classes `step` and `first` (b, sites)."""
        x = self.trunk(seen)
        given = torch.cat([x, functional.one_hot(step, STEPS).to(x)], dim=-1)
        more = torch.cat([given, functional.one_hot(first, COUNTS).to(x)], dim=-1)
        return self.step(x), self.first(given), self.second(more)

    def drawn(self, windings: Tensor, draw: torch.Generator | None) -> Tensor:
        """Return maps (b, 3, t, x) of heights, l_x and l_t, for flux through the lattice (b, 2)."""
        nt, nx = self.shape
        x = windings.new_zeros(len(windings), 3, nt * nx)
        for site in range(nt * nx):
            sites = torch.tensor([site], device=x.device)
            base = self.trunk(self.seen(x, windings, sites))[:, 0]
            step = _one(self.step(base), draw) if site else torch.full((len(x),), MOST_STEP, device=x.device)
            given = torch.cat([base, functional.one_hot(step, STEPS).to(x)], dim=-1)
            first = _one(self.first(given), draw)
            second = _one(self.second(torch.cat([given, functional.one_hot(first, COUNTS).to(x)], dim=-1)), draw)
            x[:, 0, site] = self.reference(x[:, 0], sites)[:, 0] + step - MOST_STEP
            x[:, 1, site], x[:, 2, site] = first.to(x), second.to(x)
        return x.unflatten(2, self.shape)


def _one(logits: Tensor, draw: torch.Generator | None) -> Tensor:
    """Return one class of each row by its probability."""
    at = torch.rand((len(logits), 1), generator=draw).to(logits.device)
    return (logits.softmax(dim=1).cumsum(dim=1) < at).sum(dim=1).clamp(max=logits.shape[1] - 1)


def _places(shape: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return of each site the sites around it (sites, around), what flux through the lattice in time and in space their
    heights have more because they are across an edge (sites, around, 2), whether they come before it (sites, around),
    and the site from which its step is counted (sites,)."""
    nt, nx = shape
    t, x = torch.meshgrid(torch.arange(nt), torch.arange(nx), indexing="ij")
    off_t, off_x = torch.meshgrid(
        torch.arange(-AROUND[0], AROUND[0] + 1), torch.arange(-AROUND[1], AROUND[1] + 1), indexing="ij"
    )
    at_t, at_x = t.reshape(-1, 1) + off_t.reshape(1, -1), x.reshape(-1, 1) + off_x.reshape(1, -1)
    at = at_t % nt * nx + at_x % nx
    turn = torch.stack(
        [torch.div(at_x, nx, rounding_mode="floor"), -torch.div(at_t, nt, rounding_mode="floor")], dim=-1
    )
    sites = torch.arange(nt * nx)
    before = torch.where(x.flatten() > 0, sites - 1, (sites - nx).clamp(min=0))
    return at, turn.float(), (at < sites[:, None]).float(), before
