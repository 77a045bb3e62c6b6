"""NetworkTagger: what taggers with a network share: inputs, training, scoring of many jets, a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.core import Array, Batch, Floats, ModelError, Packed, SettingsError, Source
from lynkeus.scorers.taggers.inputs import particles_of
from lynkeus.scorers.taggers.store import Store
from lynkeus.scorers.taggers.tagger import Tagger
from lynkeus.scorers.taggers.weighting import CLASSES, NONE, training_weight
from lynkeus.training import ADAM, History, Losses, PackedSet, TrainSettings, Update, mean_loss, session, tensors, train
from lynkeus.training.seeded import seeded
from lynkeus.transforms.jets.four_vectors import four_vectors, pseudorapidity, sums

NETWORK, HISTORY = "network/", "training.json"
ROWS = 40_000  # particles that go through a network at a time
DEFAULTS = TrainSettings(
    epochs=16, batch_size=128, learning_rate=4e-3, decay=1e-4, patience=5, held_out=0.1, schedule="flat", average=0.999
)


class Tags:
    """The task: cross-entropy of the classes."""

    betas = ADAM

    def __init__(self, network: nn.Module) -> None:
        self.networks = nn.ModuleDict({"tagger": network})

    def start(self, x: Any) -> None:
        """Learn nothing before the first epoch."""

    def step(self, x: Any, y: Tensor, update: Update, weight: Tensor | None = None) -> Losses:
        """Step the network on the cross-entropy and return it."""
        losses = functional.cross_entropy(self.networks["tagger"](x).float(), y, reduction="none")
        loss = mean_loss(losses, weight)
        update("tagger", loss)
        return {"cross_entropy": loss}

    def logits(self, x: Any) -> Tensor:
        """Return logits (b, classes)."""
        found: Tensor = self.networks["tagger"](x)
        return found

    def loss(self, x: Any) -> Tensor:
        """Not asked of a task of classes."""
        raise NotImplementedError

    score = spread = loss


class NetworkTagger(Tagger):
    """A tagger whose kind has `make_network(names, classes)`, `inputs_of(batch)` and settings `training`, `seed`,
    `reweight`. Fitted it has `task_` and `history_`."""

    defaults: ClassVar[TrainSettings] = DEFAULTS
    similar: ClassVar[bool] = False  # whether the network pads within a batch
    training: Mapping[str, Any]
    seed: int
    reweight: str
    task_: Tags
    history_: History

    def make_network(self, names: tuple[str, ...], classes: int) -> nn.Module:
        """Return the network, untrained, for clouds with these names."""
        raise NotImplementedError

    def make_task(self) -> Tags:
        """Return the task with an untrained network."""
        return Tags(self.make_network(self.schema_.names, len(self.outputs)))

    @property
    def sizes(self) -> Any:
        """Return the sizes of the network, None where it has none of its own."""
        return None

    def inputs_of(self, batch: Batch) -> Packed:
        """Return what the network reads."""
        raise NotImplementedError

    def count(self, batch: Batch, inputs: Packed) -> Array:
        """Return (n,) of how many particles each jet is known; one of none has no score."""
        return particles_of(inputs.groups)

    def look(self, source: Source) -> None:
        """Look at the samples before the inputs are made of them; nothing, where they need no statistics."""

    def learn(self, source: Source) -> None:
        """Train the network, in one pass over the jets, which are kept in memory, or on disk where they are many."""
        settings = self.defaults.replaced(self.training)
        self.look(source)
        with seeded(self.seed):
            self.task_ = self.make_task()
        store, taught, self.messages = self._read(source)
        if store.on_disk:
            self.messages.append(f"{store.bytes / 1e9:.1f} GB of jets do not fit into memory and are read from disk")
        try:
            self.history_ = train(self.task_, taught, settings, self.seed, self.name)
        finally:
            store.close()
        self.facts = {"parameters": self.history_.parameters, "epochs": len(self.history_.epochs)}

    def _read(self, source: Source) -> tuple[Store, PackedSet, list[str]]:
        store = Store(folder=session().folder)
        truths, weights, moving, empty = [], [], [], 0
        wanted = self.reweight not in (NONE, CLASSES)
        for batch in source:
            inputs = self.inputs_of(batch)
            there = np.flatnonzero(self.count(batch, inputs) > 0)
            empty += len(batch) - len(there)
            store.add(inputs if len(there) == len(batch) else inputs[there])
            truths.append(np.asarray(batch.truth)[there])
            weights.append((np.ones(len(batch)) if batch.weight is None else batch.weight)[there])
            moving.append(_kinematics(batch)[there] if wanted else np.zeros((len(there), 2)))
        truth = np.concatenate(truths)
        weight, said = training_weight(
            self.reweight, self.outputs, truth, np.concatenate(moving), np.concatenate(weights)
        )
        said += [f"{empty} jets without particles are not learned from, and have no score"] if empty else []
        return store, PackedSet(store.packed(), truth.astype(np.int64), weight, self.similar), said

    def logits(self, batch: Batch) -> Floats:
        """Return (n, classes) logits, of jets of similar length at a time; NaN for a jet without particles."""
        inputs = self.inputs_of(batch)
        lengths = self.count(batch, inputs)
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        found = np.full((len(batch), len(self.outputs)), np.nan)
        device = session().torch_device
        network = self.task_.networks.to(device).eval()
        parts = np.split(order, np.flatnonzero(np.diff(np.cumsum(lengths[order]) // ROWS)) + 1) if len(order) else []
        with torch.no_grad():
            for rows in parts:
                out = network["tagger"](tensors(inputs[rows].groups, device))
                found[rows] = out.float().cpu().double().numpy()
        self.task_.networks.to("cpu")
        return found

    def export(self, path: Path, model: Mapping[str, Any]) -> float:
        """Write the network and its calibrated probabilities as ONNX, from what the network reads (see `inputs_of`);
        the largest difference of probabilities of random jets. Raises SettingsError without the packages."""
        from lynkeus.networks.taggers.padded.wrap import features_read, padded
        from lynkeus.scorers.onnx.taggers import drawn_jets, export_tagger

        network = self.task_.networks["tagger"]
        jets = drawn_jets(padded(network), features_read(network))
        about = {"schema": self.schema_.to_dict(), "outputs": list(self.outputs), "scorer": self.name}
        return export_tagger(network, path, jets, about, self.probabilities_.slope, self.probabilities_.bias)

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder, with what happened in its training."""
        super().save(folder)
        (folder / HISTORY).write_text(json.dumps(self.history_.to_dict()), encoding="utf-8")

    def to_arrays(self) -> dict[str, Array]:
        """Return the weights."""
        return {f"{NETWORK}{name}": tensor.numpy() for name, tensor in self.task_.networks.state_dict().items()}

    def take_arrays(self, arrays: Mapping[str, Array], folder: Path) -> None:
        """Take the weights and the history of the training. Raises ModelError naming what is damaged."""
        own = {name.removeprefix(NETWORK): array for name, array in arrays.items() if name.startswith(NETWORK)}
        self.task_ = self.make_task()
        try:
            self.task_.networks.load_state_dict({name: torch.from_numpy(array) for name, array in own.items()})
            self.history_ = History.from_dict(json.loads((folder / HISTORY).read_text(encoding="utf-8")))
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            raise ModelError(f"{folder} does not hold a whole {self.name} ({error}); fit it again") from error
        self.task_.networks.eval()


def one_of(value: str, known: Mapping[str, Any], what: str) -> Any:
    """Return what a setting by name is. Raises SettingsError naming those that there are."""
    if value not in known:
        raise SettingsError(f"{what} must be one of {', '.join(known)}, got {value!r}")
    return known[value]


def _kinematics(batch: Batch) -> Floats:
    jets = sums(four_vectors(batch.packed, batch.schema.names))
    return np.stack([np.hypot(jets[:, 0], jets[:, 1]), pseudorapidity(jets)], axis=1)
