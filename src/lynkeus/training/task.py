"""Task: what is trained. The loop knows devices, epochs, checkpoints and judging; a task knows networks and losses."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from lynkeus.core import Array, Floats

CHUNK, CHUNK_NUMBERS = 4096, 4_000_000  # samples, and numbers of samples, that go through a network at a time
SOME_NUMBERS = 100_000_000  # of samples, that a task may look at beforehand
ADAM = (0.9, 0.999)  # the usual memories of Adam
# Named losses of one step. `update(name, loss)`: clear gradients, go back through the loss, clip, step that optimiser.
Losses = dict[str, Tensor]
Update = Callable[[str, Tensor], None]


@dataclass(frozen=True)
class TrainingSet:
    """Samples `values` (n, ...) float32 with `labels` (n,), 0 good; `weight` (n,): how much each counts (None: once).

    With `inputs` the samples are what this makes float32 of, on the device, a batch at a time: images of 8 bits.
    """

    values: Array
    labels: Array
    weight: Floats | None = None
    inputs: nn.Module | None = None


class Task(Protocol):
    """Networks by name, each with an optimiser of the same name that steps its parameters.

    A task whose `step` takes a last argument `weight` can learn from samples with weights: the tensor (b,), 1 for a
    good sample on average, or None; `mean_loss` is for that.
    """

    networks: nn.ModuleDict
    betas: tuple[float, float]  # of Adam; less memory than ADAM where two networks chase each other

    def start(self, x: Tensor) -> None:
        """Look at some training samples before the first step (a centre of embeddings, a scale)."""

    def step(self, x: Tensor, y: Tensor, update: Update) -> Losses:
        """One step on samples x (b, ...) with labels y (b,): 0 good, else a class of anomaly."""

    def loss(self, x: Tensor) -> Tensor:
        """Return (n,) loss of held-out good samples, each by itself: what early stopping looks at."""

    def score(self, x: Tensor) -> Tensor:
        """Return (n,) anomaly score, higher = more anomalous."""

    def spread(self, x: Tensor) -> Tensor:
        """Scalar: how differently different samples come out, relative to what went in; near 0 is a collapse."""


def mean_loss(losses: Tensor, weight: Tensor | None = None) -> Tensor:
    """Scalar: the mean of losses (b, ...), those of each sample counted by its weight (b,)."""
    if weight is None:
        return losses.mean()
    return (losses.reshape(len(losses), -1).mean(dim=1) * weight).sum() / len(losses)


def weights_of(rows: Tensor, weight: Tensor | None) -> Tensor | None:
    """The weights of some samples, by index or mask."""
    return None if weight is None else weight[rows]


def some(samples: Array) -> int:
    """Return how many samples, as float32, take no more than 400 MB."""
    return max(1, SOME_NUMBERS // max(1, math.prod(samples.shape[1:])))


def step_size(task: Task) -> int:
    """Number of parameters of all networks."""
    return sum(parameter.numel() for parameter in task.networks.parameters())


def in_chunks(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A function of samples, some at a time, without gradients."""
    size = max(1, min(CHUNK, CHUNK_NUMBERS // max(1, x.shape[1:].numel())))
    with torch.no_grad():
        return torch.cat([function(part) for part in x.split(size)]) if len(x) else function(x)
