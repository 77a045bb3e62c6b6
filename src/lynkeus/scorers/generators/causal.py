"""CausalTask: the likelihood of flux: each whole number of conserved flux given all before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.networks.maps.causal import COUNTS, MOST_STEP, STEPS, Causal
from lynkeus.training import ADAM, Losses, Update


class CausalTask:
    """`networks`: one, a Causal; x of a step are heights with their even rise, l_x and l_t (b, 3, t, x), y flux through
    the lattice (b, 2 + others; only these are looked at)."""

    betas = ADAM

    def __init__(self, network: Causal) -> None:
        self.networks = nn.ModuleDict({"causal": network})

    def start(self, x: Tensor) -> None:
        """Learn nothing before the first epoch."""

    def _losses(self, x: Tensor, y: Tensor) -> Tensor:
        """Return (b, t x) minus the logarithm of the probability of what is at each site."""
        network: Causal = self.networks["causal"]
        flat, windings = x.flatten(2), y[:, :2]
        sites = torch.arange(flat.shape[2], device=x.device)
        step = (flat[:, 0] - network.reference(flat[:, 0], sites)).round().long()
        step = (step + MOST_STEP).clamp(0, STEPS - 1)
        first, second = (flat[:, k].round().long().clamp(0, COUNTS - 1) for k in (1, 2))
        logits = network.logits(network.seen(flat, windings, sites), step, first)
        each = [
            functional.cross_entropy(own.flatten(0, 1), truth.flatten(), reduction="none")
            for own, truth in zip(logits, (step, first, second), strict=True)
        ]
        return sum(each[1:], each[0]).unflatten(0, step.shape)

    def step(self, x: Tensor, y: Tensor, update: Update) -> Losses:
        """Step the network on the mean over sites."""
        loss = self._losses(x, y).mean()
        update("causal", loss)
        return {"nats": loss}

    def judge(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean over sites (b,), and the share of sites whose numbers together were likelier than not."""
        losses = self._losses(x, y)
        return losses.mean(dim=1), (losses < 0.6931).float().mean(dim=1)

    def spread(self, x: Tensor) -> Tensor:
        """Return 1: it draws."""
        return torch.ones(())

    def loss(self, x: Tensor) -> Tensor:
        """Not asked of a generator."""
        raise NotImplementedError

    score = loss

    def made(self, known: Tensor, draw: torch.Generator | None = None) -> Tensor:
        """Return heights, l_x, l_t (b, 3, t, x) for flux through the lattice."""
        network: Causal = self.networks["causal"]
        return network.drawn(known[:, :2], draw)
