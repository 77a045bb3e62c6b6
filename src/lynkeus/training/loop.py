"""The one training loop: Lightning Fabric for device, precision and processes; early stopping; resume after a kill."""

from __future__ import annotations

import hashlib
import json
import math
import os
import socket
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from lynkeus.core import SettingsError
from lynkeus.core.extras import needing
from lynkeus.training.checkpoint import pack, part, read_checkpoint, unpack, write_checkpoint
from lynkeus.training.feed import ArrayFeed, Feed
from lynkeus.training.history import Epoch, History
from lynkeus.training.known import KnownFeed, KnownSet
from lynkeus.training.packed import PackedFeed, PackedSet
from lynkeus.training.schedule import Average, rate
from lynkeus.training.settings import Session, TrainingProgress, TrainSettings, compiled, session
from lynkeus.training.task import Task, TrainingSet, step_size

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CHECKPOINT_SECONDS = 2.0  # between two checkpoints: small networks would do nothing else
REPORT_SECONDS = 0.1
AGREE_S = 900.0  # after which processes of one training that wait for another one give up
AVERAGE = "average/"
Samples = TrainingSet | PackedSet | KnownSet


def train(task: Task, samples: Samples, settings: TrainSettings, seed: int, title: str) -> History:
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
    taught: Samples
    settings: TrainSettings
    seed: int
    title: str
    where: Session

    def __post_init__(self) -> None:
        self.fabric = _fabric(self.where.torch_device.type, self.where.precision)
        self.feed = self._feed()
        self.folder = self._folder() if self.where.folder else None
        self.task.networks.to(self.fabric.device)
        self.task.start(self.feed.first())
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
        self.history = History(self.title, self.feed.size, size, self.settings.epochs, named=_named(self.taught))
        self.average = Average(self.plain, self.settings.average) if self.settings.average else None
        self.best: dict[str, Tensor] = {}
        self.saved = self.reported = time.monotonic()

    def _feed(self) -> Feed:
        given = self.settings, self.seed, self.title, self.fabric.device
        if isinstance(self.taught, PackedSet):
            return PackedFeed(self.task, self.taught, *given)
        if isinstance(self.taught, KnownSet):
            return KnownFeed(self.taught, self.settings, self.seed, self.fabric.device)
        feed = ArrayFeed(self.task, self.taught, *given)
        feed.channels_last = self.where.channels_last
        return feed

    def run(self) -> History:
        """Train all epochs that are left and return their history."""
        self._resume()
        while not self._done():
            epoch = self._epoch(len(self.history.epochs))
            if not math.isfinite(epoch.loss) or not math.isfinite(epoch.held_out):
                self.history.diverged = True
            elif self.history.add(epoch):
                self.best = self._weights()
            if self.average:
                self.average.take_back()
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
        rank, world = self.fabric.global_rank, self.fabric.world_size
        if world > 1:
            # Each process drops out other numbers, and those of its own again when it goes on from the one checkpoint.
            torch.manual_seed((self.seed * 100_003 + number) * world + rank)
        draw = torch.Generator().manual_seed(self.seed * 100_003 + number)
        count, batches = self.feed.batches(draw, rank, world)
        total: dict[str, Tensor] = {}
        for name in self.optimisers:  # what stands still is used as it was judged
            self.task.networks[name].train()
        for index, step in enumerate(batches):
            self._set_rate((number + index / count) / self.settings.epochs)
            for name, loss in self.task.step(step.x, step.y, self._update, *step.weight).items():
                total[name] = total.get(name, torch.zeros_like(loss)) + loss.detach() / count
            if self.average:
                self.average.add()
            self._report(number, step.done)
        self.task.networks.eval()
        if self.average:
            self.average.put()  # these are judged, and kept
        held_out, right, spread, *losses = self._agreed([*self.feed.measure(self.task), *map(float, total.values())])
        seconds = time.monotonic() - began
        return Epoch(dict(zip(total, losses, strict=True)), held_out, right, spread, seconds, self._notes())

    def _agreed(self, numbers: list[float]) -> list[float]:
        """Return what the first of several processes says of an epoch: their running statistics differ, and all have to
        stop after the same one."""
        if self.fabric.world_size == 1:
            return numbers
        said = torch.tensor(numbers, dtype=torch.float64, device=self.fabric.device)
        torch.distributed.broadcast(said, 0)
        return [float(number) for number in said]

    def _notes(self) -> dict[str, list[float]]:
        """Return what a task notes of its networks after an epoch (`note`, called with each of them), which is kept in
        the history; most note nothing."""
        note = getattr(self.task, "note", None)
        if note is None:
            return {}
        return {name: own for network in self.plain.values() for name, own in note(network).items()}

    def _update(self, name: str, loss: Tensor) -> None:
        optimiser, network = self.optimisers[name], self.task.networks[name]
        optimiser.zero_grad()
        self.fabric.backward(loss)
        if self.settings.clip_norm:
            self.fabric.clip_gradients(network, optimiser, max_norm=self.settings.clip_norm, error_if_nonfinite=False)
        optimiser.step()

    def _set_rate(self, share: float) -> None:
        factor = rate(self.settings.schedule, share)
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
        epochs, n = self.settings.epochs, self.feed.size
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
        if self.average:
            self.average.restore(part(found.tensors, AVERAGE))
        where = f"{self.title}: going on after epoch {len(self.history.epochs)}"
        self.history.resumed += [message for message in (found.note, where) if message]

    def _checkpoint(self) -> None:
        now = time.monotonic()
        due = self._done() or now - self.saved > CHECKPOINT_SECONDS
        if self.folder is None or not due or self.fabric.global_rank:
            return
        facts = {"history": self.history.to_dict()}
        tensors = pack(self.plain, self.optimisers, self.best)
        if self.average:
            tensors |= {f"{AVERAGE}{name}": tensor.clone() for name, tensor in self.average.tensors().items()}
        write_checkpoint(self.folder, tensors, facts)
        self.saved = now

    def _folder(self) -> Path:
        """Return the folder of checkpoints, one for the same samples, settings, networks and plain attributes."""
        assert self.where.folder is not None
        facts = [asdict(self.settings), self.seed, self.title, self.where.precision, step_size(self.task)]
        own = {name: value for name, value in vars(self.task).items() if isinstance(value, bool | int | float | str)}
        facts += [own]
        digest = hashlib.sha256(json.dumps(facts).encode())
        self.feed.digest(digest)
        return self.where.folder / digest.hexdigest()[:16]


def _named(taught: Samples) -> str:
    """Return what the share of held-out samples is called that come out right; "" where faults are planted."""
    if isinstance(taught, KnownSet) and not taught.named:
        return "within one spread"
    return "" if isinstance(taught, TrainingSet) else "named rightly"


@cache  # a new one reads the entry points of all that is installed, as long as a small network takes to learn
def _fabric(accelerator: str, precision: str) -> Fabric:
    """Return Fabric on one process, or on as many as torchrun started."""
    with needing("training a network", "learn"):
        from lightning_fabric import Fabric  # takes as long to import as PyTorch, and scoring has no use for it

    world = int(os.environ.get("WORLD_SIZE", "1"))
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    strategy: Any = "auto"
    if world > 1:
        from lightning_fabric.strategies import DDPStrategy

        if devices == world:
            _speak_here()
        strategy = DDPStrategy(timeout=timedelta(seconds=AGREE_S))
    nodes = max(1, world // devices)
    fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, strategy=strategy, precision=precision)
    fabric.launch()
    return fabric


def _speak_here() -> None:
    """Let processes of one machine speak by its loopback: the machine's name may be known to nobody, or lead
    elsewhere."""
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    loopback = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    if loopback:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback[0])
