"""MapTags: the task of a network of maps: cross-entropy, on maps that are changed in ways that keep their class."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.core import Floats
from lynkeus.networks.maps.profile import Profile
from lynkeus.training import ADAM, Losses, Update

Change = Callable[[Tensor], Tensor]


class MapTags:
    """`networks`: one, to logits (b, classes); `change` is applied to each batch of the training, in place of which the
    held-out maps are judged as they are."""

    betas = ADAM

    def __init__(self, network: nn.Module, change: Change, front: nn.Module) -> None:
        self.networks = nn.ModuleDict({"tagger": nn.Sequential(front, network)})
        self.change, self.front = change, front

    def look(self, maps: Floats) -> None:
        """Let what is before the network learn its scales from training maps."""
        if isinstance(self.front, Profile):
            self.front.learn(maps)

    def start(self, x: Tensor) -> None:
        """Learn nothing before the first epoch."""

    def step(self, x: Tensor, y: Tensor, update: Update) -> Losses:
        """Step the network on the cross-entropy and return it."""
        loss = functional.cross_entropy(self.networks["tagger"](self.change(x)), y)
        update("tagger", loss)
        return {"cross_entropy": loss}

    def logits(self, x: Tensor) -> Tensor:
        """Return logits (b, classes)."""
        found: Tensor = self.networks["tagger"](x)
        return found

    def judge(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cross-entropy (b,), and whether the most probable class is the right one (b,)."""
        logits = self.logits(x)
        return functional.cross_entropy(logits, y, reduction="none"), (logits.argmax(dim=1) == y).float()

    def spread(self, x: Tensor) -> Tensor:
        """Return the standard deviation (scalar) of the logits over the samples."""
        return self.logits(x).std(dim=0).mean()

    def loss(self, x: Tensor) -> Tensor:
        """Not asked of a task of classes."""
        raise NotImplementedError

    score = loss


def turned(x: Tensor, rings: tuple[bool, bool]) -> Tensor:
    """Return maps (b, c, row, column) that are mirrored, and moved along axes that go round, each by its own draw."""
    for axis, ring in ((2, rings[0]), (3, rings[1])):
        if not ring:
            continue
        length = x.shape[axis]
        by = torch.randint(length, (len(x), 1), device=x.device)
        place = torch.arange(length, device=x.device)
        mirrored = torch.rand(len(x), 1, device=x.device) < 0.5
        index = (torch.where(mirrored, -place - 1, place) + by) % length
        shape = [len(x), 1, 1, 1]
        shape[axis] = length
        x = x.gather(axis, index.reshape(shape).expand_as(x))
    return x
