"""The one training loop: Lightning Fabric for device, precision and processes; early stopping; resume after a kill."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import os
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam

from lynkeus.core import Array, Floats, SettingsError
from lynkeus.core.extras import needing
from lynkeus.core.weights import differ
from lynkeus.training.checkpoint import pack, read_checkpoint, unpack, write_checkpoint
from lynkeus.training.history import Epoch, History
from lynkeus.training.settings import Session, TrainingProgress, TrainSettings, compiled, session
from lynkeus.training.task import Task, TrainingSet, in_chunks, step_size
from lynkeus.training.validation import Rows, Validation, split

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CHECKPOINT_SECONDS = 2.0  # between two checkpoints: small networks would do nothing else
REPORT_SECONDS = 0.1
FIRST, SOME_NUMBERS = 4096, 100_000_000  # samples, and numbers of samples, that a task may look at beforehand
LAST_RATE = 0.01  # the learning rate falls along a cosine to this part of the first one


def train(task: Task, samples: TrainingSet, settings: TrainSettings, seed: int, title: str) -> History:
    """Train on samples; the networks of the task end as those of the best epoch.

    Deterministic on a CPU, also when it was killed and started again with the same session folder. Raises SettingsError
    for a device that is absent, a loss that is no number from the start, or samples with weights and a task that takes
    none; ModelError for a damaged checkpoint.
    """
    where = session()
    torch.set_num_threads(1)  # two were slower than one, measured on networks of this size
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        run = _Run(task, samples, settings, seed, title, where)
        try:
            return run.run()
        finally:
            run.give_back()


@dataclass
class _Run:
    """One training under way."""

    task: Task
    taught: TrainingSet
    settings: TrainSettings
    seed: int
    title: str
    where: Session

    def __post_init__(self) -> None:
        self.samples, self.labels = self.taught.values, self.taught.labels
        self.inputs = self.taught.inputs or nn.Identity()
        self.counts = _usable_weight(self.task, self.taught, self.title)
        self.fabric = _fabric(self.where.torch_device.type, self.where.precision)
        self.folder = self._folder() if self.where.folder else None
        device = self.fabric.device
        training, held_out, known = split(self.labels, self.settings.held_out, self.seed)
        self.training = torch.from_numpy(training).to(device)
        self.x, self.y = torch.from_numpy(self.samples).to(device), torch.from_numpy(self.labels).to(device)
        self.inputs.to(device)
        self.weight = None if self.counts is None else torch.from_numpy(self.counts).to(device)
        self.known = _Known(self.labels[training], None if self.counts is None else self.counts[training])
        held_out = self._few(held_out)
        of_good = None if self.counts is None else self.counts[held_out]
        self.validation = Validation(self._floats(held_out), self._floats(self._few(known)), self.seed, device, of_good)
        self.task.networks.to(device)
        self.task.start(self._seen(self._first()))
        decay = self.settings.decay
        self.plain = nn.ModuleDict(dict(self.task.networks.items()))  # without what Fabric puts around them
        self.optimisers = {}
        for name in list(self.task.networks):
            network = self.task.networks[name]
            if self.where.channels_last:
                network.to(memory_format=torch.channels_last)
            if not any(parameter.requires_grad for parameter in network.parameters()):
                continue  # it stands still, such as a generator that was trained before
            rate = self.settings.learning_rate
            adam = Adam(network.parameters(), rate, self.task.betas, weight_decay=decay, fused=True)
            faster = compiled(network) if self.where.compiled else network
            self.task.networks[name], self.optimisers[name] = self.fabric.setup(faster, adam)
        size = step_size(self.task)
        self.history = History(self.title, len(training), size, self.settings.epochs)
        self.best: dict[str, Tensor] = {}
        self.saved = self.reported = time.monotonic()

    def run(self) -> History:
        """Train all epochs that are left and return their history."""
        self._resume()
        while not self._done():
            epoch = self._epoch(len(self.history.epochs))
            if not math.isfinite(epoch.loss) or not math.isfinite(epoch.held_out):
                self.history.diverged = True
            elif self.history.add(epoch):
                self.best = self._weights()
            self._checkpoint()
        if not self.best:
            raise SettingsError(self.history.says())
        self.plain.load_state_dict(self.best)
        return self.history

    def give_back(self) -> None:
        """Networks as they were handed in, on the CPU, in evaluation mode, nothing of Fabric around them."""
        for name, network in self.plain.items():
            self.task.networks[name] = network
        self.task.networks.to("cpu", memory_format=torch.contiguous_format).eval()
        for parameter in self.task.networks.parameters():
            parameter.grad = None

    def _done(self) -> bool:
        epochs, best = len(self.history.epochs), self.history.best
        waited = epochs - 1 - best >= self.settings.patience
        return self.history.diverged or epochs >= self.settings.epochs or waited

    def _epoch(self, number: int) -> Epoch:
        began = time.monotonic()
        draw = torch.Generator().manual_seed(self.seed * 100_003 + number)
        order = torch.randperm(len(self.training), generator=draw)
        mine = order[self.fabric.global_rank :: self.fabric.world_size].to(self.fabric.device)
        size = self.settings.batch_of(len(self.training))
        batches = mine.split(size)
        if len(batches) > 1 and len(batches[-1]) < size // 4:
            batches = batches[:-1]  # a handful of samples makes a wild step; they come again in another order
        total: dict[str, Tensor] = {}
        for name in self.optimisers:  # what stands still is used as it was judged
            self.task.networks[name].train()
        for index, rows in enumerate(batches):
            self._set_rate((number + index / len(batches)) / self.settings.epochs)
            own, rows = len(rows), self.known.added(rows, self.settings.known_share, draw)
            rows = self.training[rows]
            weight = () if self.weight is None else (self._weight_of(rows, own),)
            for name, loss in self.task.step(self._seen(rows), self.y[rows], self._update, *weight).items():
                total[name] = total.get(name, torch.zeros_like(loss)) + loss.detach() / len(batches)
            self._report(number, index * size)
        self.task.networks.eval()
        held_out, efficiency, spread = self.validation.measure(self.task)
        losses = {name: float(loss) for name, loss in total.items()}
        return Epoch(losses, held_out, efficiency, spread, time.monotonic() - began)

    def _seen(self, rows: Tensor) -> Tensor:
        x: Tensor = self.inputs(self.x[rows])
        return x.to(memory_format=torch.channels_last) if self.where.channels_last and x.ndim == 4 else x

    def _first(self) -> Tensor:
        """The rows that the task may look at before it begins; drawn by their weights where there are such."""
        many = min(FIRST, _some(self.samples))
        if self.weight is None:
            return self.training[:many]
        draw = torch.Generator().manual_seed(self.seed)
        heavy = self.weight[self.training].double().cpu()
        chosen = torch.multinomial(heavy, min(many, len(heavy)), replacement=True, generator=draw)
        return self.training[chosen.to(self.training.device)]

    def _weight_of(self, rows: Tensor, own: int) -> Tensor:
        """Return the weights of a batch; anomalies added to its `own` samples were drawn by their weights, and count as
        1."""
        assert self.weight is not None
        weight = self.weight[rows]
        weight[own:] = 1.0
        return weight

    def _few(self, rows: Rows) -> Rows:
        """Return as many of some samples as fit into memory."""
        return rows[:: max(1, len(rows) // _some(self.samples))]

    def _floats(self, rows: Rows) -> Floats:
        """Return some samples as the network reads them, for early stopping."""
        found: Floats = (
            in_chunks(self.inputs, torch.from_numpy(self.samples[rows]).to(self.fabric.device)).cpu().numpy()
        )
        return found

    def _update(self, name: str, loss: Tensor) -> None:
        optimiser, network = self.optimisers[name], self.task.networks[name]
        optimiser.zero_grad()
        self.fabric.backward(loss)
        if self.settings.clip_norm:
            self.fabric.clip_gradients(network, optimiser, max_norm=self.settings.clip_norm, error_if_nonfinite=False)
        optimiser.step()

    def _set_rate(self, share: float) -> None:
        factor = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * share))
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = self.settings.learning_rate * factor

    def _report(self, epoch: int, done: int) -> None:
        now = time.monotonic()
        if self.where.report is None or now - self.reported < REPORT_SECONDS:
            return
        self.reported = now
        last = self.history.epochs[-1] if self.history.epochs else None
        held_out, efficiency = (last.held_out, last.efficiency) if last else (math.nan, math.nan)
        epochs, n = self.settings.epochs, len(self.training)
        samples = epoch * n + done, epochs * n
        self.where.report(TrainingProgress(self.title, epoch + 1, epochs, *samples, held_out, efficiency))

    def _weights(self) -> dict[str, Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self.plain.state_dict().items()}

    def _resume(self) -> None:
        if self.folder is None:
            return
        found = read_checkpoint(self.folder)
        if found is None:
            return
        self.history = History.from_dict(found.facts["history"])
        self.best = unpack(found.tensors, self.plain, self.optimisers)
        where = f"{self.title}: going on after epoch {len(self.history.epochs)}"
        self.history.resumed += [message for message in (found.note, where) if message]

    def _checkpoint(self) -> None:
        now = time.monotonic()
        due = self._done() or now - self.saved > CHECKPOINT_SECONDS
        if self.folder is None or not due or self.fabric.global_rank:
            return
        facts = {"history": self.history.to_dict()}
        write_checkpoint(self.folder, pack(self.plain, self.optimisers, self.best), facts)
        self.saved = now

    def _folder(self) -> Path:
        """Return the folder of checkpoints, one for the same samples, settings, networks and plain attributes."""
        assert self.where.folder is not None
        facts = [asdict(self.settings), self.seed, self.title, self.where.precision, step_size(self.task)]
        own = {name: value for name, value in vars(self.task).items() if isinstance(value, bool | int | float | str)}
        facts += [own]
        digest = hashlib.sha256(json.dumps(facts).encode())
        for array in (self.samples, self.labels, *(() if self.counts is None else (self.counts,))):
            digest.update(np.ascontiguousarray(array).data)
        return self.where.folder / digest.hexdigest()[:16]


def _some(samples: Array) -> int:
    """Return how many samples, as float32, take no more than 400 MB."""
    return max(1, SOME_NUMBERS // max(1, math.prod(samples.shape[1:])))


def _usable_weight(task: Task, taught: TrainingSet, title: str) -> Floats | None:
    """Return weights (n,), 1 on average over good samples; None where all count alike. Raises SettingsError."""
    weight = taught.weight
    if weight is None or not differ(weight):
        return None
    if "weight" not in inspect.signature(task.step).parameters:
        raise SettingsError(f"{title} counts all samples alike and cannot use weights; choose another scorer")
    good = weight[taught.labels == 0]
    return np.asarray(weight / (good if good.any() else weight).mean(), np.float32)


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


@cache  # a new one reads the entry points of all that is installed, as long as a small network takes to learn
def _fabric(accelerator: str, precision: str) -> Fabric:
    """Return Fabric on one process, or on as many as torchrun started."""
    with needing("training a network", "learn"):
        from lightning_fabric import Fabric  # takes as long to import as PyTorch, and scoring has no use for it

    world = int(os.environ.get("WORLD_SIZE", "1"))
    strategy = "ddp" if world > 1 else "auto"
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    fabric = Fabric(
        accelerator=accelerator, devices=devices, num_nodes=max(1, world // devices), strategy=strategy,
        precision=precision,
    )  # fmt: skip
    fabric.launch()
    return fabric
