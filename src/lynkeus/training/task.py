"""Task: what is trained. The loop knows devices, epochs, checkpoints and judging; a task knows networks and losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

CHUNK, CHUNK_NUMBERS = 4096, 4_000_000  # samples, and numbers of samples, that go through a network at a time
ADAM = (0.9, 0.999)  # the usual memories of Adam
# Named losses of one step. `update(name, loss)`: clear gradients, go back through the loss, clip, step that optimiser.
Losses = dict[str, Tensor]
Update = Callable[[str, Tensor], None]


class Task(Protocol):
    """Networks by name, each with an optimiser of the same name that steps its parameters."""

    networks: nn.ModuleDict
    betas: tuple[float, float]  # of Adam; less memory than ADAM where two networks chase each other

    def start(self, x: Tensor) -> None:
        """Look at some training samples before the first step (a centre of embeddings, a scale)."""

    def step(self, x: Tensor, y: Tensor, update: Update) -> Losses:
        """One step on samples x (b, ...) with labels y (b,): 0 good, else a class of anomaly."""

    def loss(self, x: Tensor) -> Tensor:
        """(n,) loss of held-out good samples, each by itself: what early stopping looks at."""

    def score(self, x: Tensor) -> Tensor:
        """(n,) anomaly score, higher = more anomalous."""

    def spread(self, x: Tensor) -> Tensor:
        """Scalar: how differently different samples come out, relative to what went in; near 0 is a collapse."""


def step_size(task: Task) -> int:
    """Number of parameters of all networks."""
    return sum(parameter.numel() for parameter in task.networks.parameters())


def in_chunks(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A function of samples, some at a time, without gradients."""
    size = max(1, min(CHUNK, CHUNK_NUMBERS // max(1, x.shape[1:].numel())))
    with torch.no_grad():
        return torch.cat([function(part) for part in x.split(size)]) if len(x) else function(x)
