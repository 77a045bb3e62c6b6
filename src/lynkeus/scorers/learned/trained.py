"""What scorers with a network share: reading samples, training, scoring in chunks, a model folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.core import Array, Batch, Floats, ModelError, Schema, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.networks.standardise import Standardise
from lynkeus.training import History, Task, TrainingSet, TrainSettings, in_chunks, session, train
from lynkeus.training.seeded import seeded
from lynkeus.transforms.inputs import Inputs, read_samples, sample_shape

SAMPLE = 100_000  # samples that a network learns from, drawn from a stream of any length
NETWORK = "network/"  # how the names of weights begin in a model folder
HISTORY = "training.json"
CHUNK_NUMBERS = 4_000_000  # numbers of samples that go through a network at a time


# A dataclass of settings (seed, windows, training, ...) with make_task(shape): its networks, untrained. Fitted, it has
# `schema_`, `inputs_`, `task_` and `history_`.
Learned: TypeAlias = Any
S = TypeVar("S")


class Trained:
    """What a fitted scorer with networks has, and how it is kept; settings, `make_task` and fit are its own."""

    schema_: Schema
    inputs_: Inputs
    task_: Any
    history_: History

    def as_module(self) -> nn.Module:
        """Return a module from raw values (n, ...) to scores (n, 1), with all that is done to them before."""
        return FromRaw(self.inputs_, self.task_.networks, self.task_.score)

    def export(self, path: Path, model: Mapping[str, Any]) -> float:
        """Write the network as ONNX, from raw values to scores; see `export_onnx`."""
        from lynkeus.scorers.onnx.export import export_onnx  # it needs packages that a fit does not

        return export_onnx(self, path)

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        save_learned(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        return load_learned(cls, folder)


class FromRaw(nn.Module):
    """A function of standardised samples, that runs `networks`, as one of raw values (n, ...): scores (n, outputs).

    NaN for a sample that misses more than half of its values: see `with_enough_data`.
    """

    def __init__(self, inputs: Inputs, networks: nn.ModuleDict, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inputs, self.networks, self.function = Standardise(inputs), networks, function

    def forward(self, values: Tensor) -> Tensor:
        found = self.function(self.inputs(values))
        missing = (~torch.isfinite(values)).to(torch.float32).flatten(1).mean(dim=1, keepdim=True)
        return torch.where(missing > 0.5, torch.nan, found if found.ndim == 2 else found[:, None])


@dataclass(frozen=True)
class Samples:
    """What a network learns from, with labels (n,) and weights (n,) or None: `values` standardised, or images of 8 bits
    that `inputs` turns into that; `said`: what is to be known of them."""

    values: Array
    labels: Array
    inputs: Standardise | None
    said: list[str]
    weight: Floats | None = None

    def train(self, task: Task, settings: TrainSettings, seed: int, title: str) -> History:
        """Train the networks of a task on them."""
        taught = TrainingSet(self.values, self.labels, self.weight, self.inputs)
        history = train(task, taught, settings, seed, title)
        history.messages += self.said
        return history

    def seen(self, rows: slice) -> Tensor:
        """Some of them, as the network sees them."""
        x = torch.from_numpy(self.values[rows])
        return x if self.inputs is None else self.inputs(x)


def learn(scorer: Learned, source: Source, defaults: TrainSettings) -> Any:
    """Read, standardise and train; the task with the trained networks. Gives the scorer all that a fitted one has."""
    settings = defaults.replaced(scorer.training)
    task, samples = prepare(scorer, source)
    scorer.history_ = samples.train(task, settings, scorer.seed, name_of(scorer))
    return task


def prepare(scorer: Learned, source: Source) -> tuple[Any, Samples]:
    """The task, untrained, and what to train it on; gives the scorer `schema_`, `inputs_` and `task_`."""
    values, labels, seen, weight = read_samples(source, SAMPLE, scorer.seed, f"the scorer {name_of(scorer)}")
    scorer.schema_ = source.schema
    good = labels == 0 if labels.any() and (labels == 0).any() else slice(None)
    scorer.inputs_ = Inputs.fit(values[good], scorer.windows, None if weight is None else weight[good])
    with seeded(scorer.seed):
        scorer.task_ = scorer.make_task(values.shape[1:])
    said = [f"learned from {len(values):,} of {seen:,} samples, drawn at random"] if len(values) < seen else []
    if values.dtype == np.uint8:
        return scorer.task_, Samples(values, labels, Standardise(scorer.inputs_), said, weight)
    return scorer.task_, Samples(scorer.inputs_.of(values), labels, None, said, weight)


def per_sample(scorer: Learned, batch: Batch, function: Callable[[Tensor], Tensor]) -> Floats:
    """Return (n, ...) float64: a function of standardised samples. Raises SchemaError for another schema."""
    scorer.schema_.require(batch.schema, f"the scorer {name_of(scorer)}")
    device = session().torch_device
    scorer.task_.networks.to(device).eval()
    size = max(1, CHUNK_NUMBERS // max(1, int(np.prod(batch.values.shape[1:]))))
    parts = []
    for first in range(0, max(len(batch), 1), size):
        x = _seen(scorer, batch.values[first : first + size], device)
        parts.append(in_chunks(function, x).cpu().double().numpy())
    scorer.task_.networks.to("cpu")
    return np.concatenate(parts)


def _seen(scorer: Learned, values: Array, device: torch.device) -> Tensor:
    if values.dtype != np.uint8:
        return torch.from_numpy(scorer.inputs_.of(values)).to(device)
    x: Tensor = Standardise(scorer.inputs_).to(device)(torch.from_numpy(values).to(device))
    return x


def save_learned(scorer: Learned, folder: Path) -> None:
    """Weights and inputs as safetensors, the settings and the history of the training as JSON."""
    weights = {f"{NETWORK}{name}": tensor.numpy() for name, tensor in scorer.task_.networks.state_dict().items()}
    write_folder(folder, scorer.schema_, asdict(scorer), weights | arrays_of(scorer.inputs_, "input_", ("windows",)))
    (folder / HISTORY).write_text(json.dumps(scorer.history_.to_dict()), encoding="utf-8")


def load_learned(kind: type[S], folder: Path) -> S:
    """Rebuild it from what `save_learned` returned. Raises ModelError naming what is damaged."""
    found, arrays = read_scorer(kind, folder)
    scorer: Any = found
    scorer.inputs_ = part_of(Inputs, arrays, "input_", windows=scorer.windows)
    scorer.task_ = scorer.make_task(sample_shape(scorer.schema_))
    names = [name for name in arrays if name.startswith(NETWORK)]
    try:
        weights = {name.removeprefix(NETWORK): torch.from_numpy(arrays[name]) for name in names}
        scorer.task_.networks.load_state_dict(weights)
        scorer.history_ = History.from_dict(json.loads((folder / HISTORY).read_text(encoding="utf-8")))
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        raise ModelError(f"{folder} does not hold a whole {kind.__name__} ({error}); fit it again") from error
    scorer.task_.networks.eval()
    return scorer


def name_of(scorer: object) -> str:
    """The name of a scorer as on the command line: DeepSvdd is deep_svdd."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(scorer).__name__).lower()
