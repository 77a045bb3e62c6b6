"""PackedFeed: jets of any number of particles for the training loop, in memory or on disk, nothing padded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lynkeus.core import Array, Floats, Group, Packed
from lynkeus.training.feed import FIRST, Step, cut, shared, usable_weight
from lynkeus.training.settings import TrainSettings
from lynkeus.training.task import Task

ROWS = 60_000  # particles that are judged at a time
BUCKET = 32  # batches whose jets are sorted by length among one another, where the network wants similar ones
Clouds = dict[str, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class PackedSet:
    """Jets `values` with `labels` (n,), the numbers of their classes; `weight` (n,): how much each counts (None: once).

    `similar`: jets of a batch are of similar length, for networks that pad within. Values may be memory-mapped.
    """

    values: Packed
    labels: Array
    weight: Floats | None = None
    similar: bool = False


class PackedFeed:
    """Training and held-out jets; the latter are judged by cross-entropy and by how many are named rightly."""

    def __init__(
        self, task: Task, taught: PackedSet, settings: TrainSettings, seed: int, title: str, device: torch.device
    ) -> None:
        self.settings, self.seed, self.device, self.similar = settings, seed, device, taught.similar
        self.values, self.labels = taught.values, taught.labels
        ones = np.zeros(len(taught.labels), np.int64)  # no class is the good one: weights are 1 on average over all
        self.counts = usable_weight(task, taught.weight, ones, title)
        self.held_out, self.training = halves(len(self.labels), settings, seed)
        self.size = len(self.training)
        self.lengths = sum(group.lengths for group in self.values.groups.values())

    def first(self) -> Clouds:
        """Return some jets."""
        return self._clouds(self.training[: min(FIRST, 1024)])

    def batches(self, draw: torch.Generator, rank: int, world: int) -> tuple[int, Iterator[Step]]:
        """See `Feed`."""
        order, size = torch.randperm(self.size, generator=draw), self.settings.batch_of(self.size)
        batches = shared(self._similar(order, size, draw) if self.similar else cut(order, size), rank, world)
        return len(batches), (self._step(self.training[rows.numpy()], k * size) for k, rows in enumerate(batches))

    def _similar(self, order: Tensor, size: int, draw: torch.Generator) -> list[Tensor]:
        """Return batches of similar length, in a random order: sorted among some batches that were drawn together."""
        lengths = torch.from_numpy(np.asarray(self.lengths)[self.training])
        found: list[Tensor] = []
        for part in order.split(BUCKET * size):
            found += cut(part[torch.argsort(lengths[part], stable=True)], size)
        return [found[k] for k in torch.randperm(len(found), generator=draw).tolist()]

    def _step(self, rows: Array, done: int) -> Step:
        weight = () if self.counts is None else (torch.from_numpy(self.counts[rows]).to(self.device),)
        return Step(self._clouds(rows), torch.from_numpy(self.labels[rows]).to(self.device), weight, done)

    def _clouds(self, rows: Array) -> Clouds:
        return tensors(self.values[rows].groups, self.device)

    def measure(self, task: Any) -> tuple[float, float, float]:
        """Return mean cross-entropy, share of held-out jets whose class is the most probable one, and the spread of the
        logits; jets count by their weights."""
        rows = self.held_out[np.argsort(np.asarray(self.lengths)[self.held_out], kind="stable")]
        losses, right, spread = [], [], []
        size = max(1, ROWS // max(1, int(np.mean(np.asarray(self.lengths)[rows]))))
        with torch.no_grad():
            for first in range(0, len(rows), size):
                own = rows[first : first + size]
                logits = task.logits(self._clouds(own)).float()
                truth = torch.from_numpy(self.labels[own]).to(self.device)
                losses.append(torch.nn.functional.cross_entropy(logits, truth, reduction="none").cpu().double())
                right.append((logits.argmax(dim=1) == truth).cpu().double())
                spread.append(logits.cpu().double())
        judge = getattr(task, "judge", None)
        heavy = np.ones(len(rows)) if self.counts is None else self.counts[rows].astype(float)
        loss, named = (float(np.average(torch.cat(one).numpy(), weights=heavy)) for one in (losses, right))
        if judge is not None:  # a loss of all of them together
            with torch.no_grad():
                truth, all_weight = torch.from_numpy(self.labels[rows]), torch.from_numpy(heavy)
                loss = float(judge(self._clouds(rows), truth.to(self.device), all_weight.to(self.device)))
        return loss, named, float(torch.cat(spread).std(dim=0).mean())

    def digest(self, digest: Any) -> None:
        """Add labels, weights, lengths and some particles to a checksum; all of them may be larger than memory."""
        for array in (self.labels, *(() if self.counts is None else (self.counts,))):
            digest.update(np.ascontiguousarray(array).data)
        for name, group in self.values.groups.items():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(group.offsets).data)
            digest.update(np.ascontiguousarray(group.values[:: max(1, len(group.values) // 100_000)]).data)


def halves(count: int, settings: TrainSettings, seed: int) -> tuple[Array, Array]:
    """Return which of `count` samples a training holds out, and which it learns from; both rise."""
    order = np.random.default_rng(seed).permutation(count)
    held_out = min(max(1, round(settings.held_out * count)), count - 1)
    return np.sort(order[:held_out]), np.sort(order[held_out:])


def tensors(groups: Mapping[str, Group], device: torch.device) -> Clouds:
    """Return groups as the networks of clouds read them: values (rows, features) float32, and offsets (n + 1,)."""
    return {
        name: (
            torch.from_numpy(np.ascontiguousarray(group.values, np.float32)).to(device),
            torch.from_numpy(group.offsets).to(device),
        )
        for name, group in groups.items()
    }
