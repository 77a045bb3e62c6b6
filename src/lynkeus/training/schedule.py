"""The learning rate over a training, as a part of the highest one; and weights averaged over its steps."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

LAST_RATE = 0.01  # a learning rate falls to this part of the highest one
FLAT_SHARE = 0.7  # of a training is at the highest one, before it falls ("flat")
RISE_SHARE, FIRST_RATE = 0.3, 0.1  # of one cycle: rising from this part


def rate(schedule: str, share: float) -> float:
    """Return the part of the highest learning rate after a `share` of all steps.

    "cosine" falls along a cosine; "flat" stays for FLAT_SHARE and then does (as ParticleNet and ParT are trained, with
    another fall); "cycle" rises first (arXiv:1708.07120).
    """
    if schedule == "flat":
        return _fall(max(0.0, share - FLAT_SHARE) / (1 - FLAT_SHARE))
    if schedule == "cycle":
        if share < RISE_SHARE:
            return FIRST_RATE + (1 - FIRST_RATE) * 0.5 * (1 - math.cos(math.pi * share / RISE_SHARE))
        return _fall((share - RISE_SHARE) / (1 - RISE_SHARE))
    return _fall(share)


def _fall(share: float) -> float:
    return LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * share))


class Average:
    """Weights of networks averaged over steps with a memory of 1 / (1 - `decay`) of them, shorter at the beginning."""

    def __init__(self, networks: nn.ModuleDict, decay: float) -> None:
        self.networks, self.decay, self.steps = networks, decay, 0
        self.mean = {name: tensor.detach().clone() for name, tensor in networks.state_dict().items()}
        self.current: dict[str, Tensor] = {}

    @torch.no_grad()
    def add(self) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, tensor in self.networks.state_dict().items():
            if tensor.dtype.is_floating_point:
                self.mean[name].lerp_(tensor, share)
            else:
                self.mean[name].copy_(tensor)

    def put(self) -> None:
        """Put the mean in the place of the weights, until `take_back`."""
        self.current = {name: tensor.detach().clone() for name, tensor in self.networks.state_dict().items()}
        self.networks.load_state_dict(self.mean)

    def take_back(self) -> None:
        """Put the weights back."""
        self.networks.load_state_dict(self.current)

    def tensors(self) -> dict[str, Tensor]:
        """Return all that a checkpoint has to keep."""
        return {**self.mean, "steps": torch.tensor(self.steps)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take what `tensors` returned."""
        self.steps = int(tensors["steps"])
        for name, mean in self.mean.items():
            mean.copy_(tensors[name])
