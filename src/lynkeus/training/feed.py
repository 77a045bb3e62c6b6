"""Feed: what a training reads: batches of samples in a new order in each epoch, and held-out samples that judge it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.core import Array, Floats, SettingsError
from lynkeus.core.weights import differ
from lynkeus.training.settings import TrainSettings
from lynkeus.training.task import Task, TrainingSet, in_chunks, some
from lynkeus.training.validation import Rows, Validation, split

FIRST = 4096  # samples that a task may look at beforehand, at most


class Step(NamedTuple):
    """What `Task.step` is given: samples, labels and, where they count differently, weights; `done`: samples before."""

    x: Any
    y: Tensor
    weight: tuple[Tensor, ...]
    done: int


class Feed(Protocol):
    """`size`: samples trained on; `steps` in an epoch."""

    size: int

    def first(self) -> Any:
        """Return the samples that the task may look at before it begins."""

    def batches(self, draw: torch.Generator, rank: int, world: int) -> tuple[int, Iterator[Step]]:
        """Return how many batches this process of `world` ones has in an epoch, and these; `draw` gives the order."""

    def measure(self, task: Task) -> tuple[float, float, float]:
        """Return held-out loss, share that is found or named rightly, and spread of the outputs; see `Epoch`."""

    def digest(self, digest: Any) -> None:
        """Add all samples to a checksum, by which a checkpoint is found again."""


def usable_weight(task: Task, weight: Floats | None, labels: Array, title: str) -> Floats | None:
    """Return weights (n,), 1 on average over good samples; None where all count alike. Raises SettingsError."""
    if weight is None or not differ(weight):
        return None
    if "weight" not in inspect.signature(task.step).parameters:
        raise SettingsError(f"{title} counts all samples alike and cannot use weights; choose another scorer")
    good = weight[labels == 0]
    return np.asarray(weight / (good if good.any() else weight).mean(), np.float32)


def cut(order: Tensor, size: int) -> tuple[Tensor, ...]:
    """Return an order in batches. A handful of samples at the end makes a wild step: they come again in another
    order."""
    batches = order.split(size)
    return batches[:-1] if len(batches) > 1 and len(batches[-1]) < size // 4 else batches


def shared(batches: Sequence[Tensor], rank: int, world: int) -> list[Tensor]:
    """Return what one of several processes has of each batch: as many samples as every other one, since one with a step
    more would wait for the others for ever. The batches are those of one process, so that as many steps are taken, with
    the same mean gradients, by however many."""
    parts = [batch[: len(batch) - len(batch) % world][rank::world] for batch in batches]
    return [part for part in parts if len(part)]


class ArrayFeed:
    """Samples of one shape, whose held-out good ones get planted faults; see `TrainingSet`."""

    def __init__(
        self, task: Task, taught: TrainingSet, settings: TrainSettings, seed: int, title: str, device: torch.device
    ) -> None:
        self.settings, self.seed, self.device = settings, seed, device
        self.samples, self.labels = taught.values, taught.labels
        self.inputs = taught.inputs or nn.Identity()
        self.counts = usable_weight(task, taught.weight, self.labels, title)
        training, held_out, known = split(self.labels, settings.held_out, seed)
        self.size = len(training)
        self.training = torch.from_numpy(training).to(device)
        self.x, self.y = torch.from_numpy(self.samples).to(device), torch.from_numpy(self.labels).to(device)
        self.inputs.to(device)
        self.weight = None if self.counts is None else torch.from_numpy(self.counts).to(device)
        self.known = _Known(self.labels[training], None if self.counts is None else self.counts[training])
        held_out = self._few(held_out)
        of_good = None if self.counts is None else self.counts[held_out]
        self.validation = Validation(self._floats(held_out), self._floats(self._few(known)), seed, device, of_good)
        self.channels_last = False

    def first(self) -> Tensor:
        """Return some rows; drawn by their weights where there are such."""
        many = min(FIRST, some(self.samples))
        if self.weight is None:
            return self._seen(self.training[:many])
        draw = torch.Generator().manual_seed(self.seed)
        heavy = self.weight[self.training].double().cpu()
        chosen = torch.multinomial(heavy, min(many, len(heavy)), replacement=True, generator=draw)
        return self._seen(self.training[chosen.to(self.training.device)])

    def batches(self, draw: torch.Generator, rank: int, world: int) -> tuple[int, Iterator[Step]]:
        """See `Feed`; known anomalies are added to each batch."""
        order = torch.randperm(self.size, generator=draw)
        size = self.settings.batch_of(self.size)
        batches = shared(cut(order.to(self.device), size), rank, world)
        return len(batches), (self._step(rows, index * size, draw) for index, rows in enumerate(batches))

    def measure(self, task: Task) -> tuple[float, float, float]:
        """See `Feed`."""
        return self.validation.measure(task)

    def digest(self, digest: Any) -> None:
        """See `Feed`."""
        for array in (self.samples, self.labels, *(() if self.counts is None else (self.counts,))):
            digest.update(np.ascontiguousarray(array).data)

    def _step(self, rows: Tensor, done: int, draw: torch.Generator) -> Step:
        own, rows = len(rows), self.known.added(rows, self.settings.known_share, draw)
        rows = self.training[rows]
        weight = () if self.weight is None else (self._weight_of(rows, own),)
        return Step(self._seen(rows), self.y[rows], weight, done)

    def _seen(self, rows: Tensor) -> Tensor:
        x: Tensor = self.inputs(self.x[rows])
        return x.to(memory_format=torch.channels_last) if self.channels_last and x.ndim == 4 else x

    def _weight_of(self, rows: Tensor, own: int) -> Tensor:
        """Return the weights of a batch; anomalies added to its `own` samples were drawn by their weights, and count as
        1."""
        assert self.weight is not None
        weight = self.weight[rows]
        weight[own:] = 1.0
        return weight

    def _few(self, rows: Rows) -> Rows:
        """Return as many of some samples as fit into memory."""
        return rows[:: max(1, len(rows) // some(self.samples))]

    def _floats(self, rows: Rows) -> Floats:
        """Return some samples as the network reads them, for early stopping."""
        found: Floats = in_chunks(self.inputs, torch.from_numpy(self.samples[rows]).to(self.device)).cpu().numpy()
        return found


class _Known:
    """Known anomalies of the training samples, to be added to batches, each class as often, by weights within it."""

    def __init__(self, labels: Array, weight: Floats | None = None) -> None:
        self.rows = torch.from_numpy(np.flatnonzero(labels))
        heavy = None if weight is None else weight[labels != 0].astype(float)
        classes, which, counts = np.unique(labels[labels != 0], return_inverse=True, return_counts=True)
        shares = 1.0 / (len(classes) * counts[which]) if len(classes) else np.empty(0)
        if heavy is not None and len(classes):
            shares = heavy / (len(classes) * np.bincount(which, heavy)[which])
        self.weights = torch.from_numpy(shares)

    def added(self, rows: Tensor, share: float, draw: torch.Generator) -> Tensor:
        """The rows, and as many known anomalies as this share of them."""
        if not share or not len(self.rows):
            return rows
        more = torch.multinomial(self.weights, max(1, round(share * len(rows))), replacement=True, generator=draw)
        return torch.cat([rows, self.rows[more].to(rows.device)])
