"""What scorers with a network share: reading samples, training, scoring in chunks, a model folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from lynkeus.core import Array, Batch, Floats, ModelError, Schema, Source
from lynkeus.scorers.folder import read_folder, read_scorer, write_folder
from lynkeus.training import History, TrainSettings, in_chunks, session, train
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

    def save(self, folder: Path) -> None:
        """Write to a folder."""
        save_learned(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        return load_learned(cls, folder)


def learn(scorer: Learned, source: Source, defaults: TrainSettings) -> Any:
    """Read, standardise and train; the task with the trained networks. Gives the scorer all that a fitted one has."""
    settings = defaults.but(scorer.training)
    task, samples, labels = prepare(scorer, source)
    scorer.history_ = train(task, samples, labels, settings, scorer.seed, name_of(scorer))
    return task


def prepare(scorer: Learned, source: Source) -> tuple[Any, Floats, Array]:
    """The task, untrained, standardised samples and their labels; gives the scorer `schema_`, `inputs_` and `task_`."""
    values, labels = read_samples(source, SAMPLE, scorer.seed, f"the scorer {name_of(scorer)}")
    scorer.schema_ = source.schema
    scorer.inputs_ = Inputs.fit(values[labels == 0] if (labels == 0).any() else values, scorer.windows)
    with seeded(scorer.seed):
        scorer.task_ = scorer.make_task(values.shape[1:])
    return scorer.task_, scorer.inputs_.of(values), labels


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random weights that depend on the seed only, without touching the generator of the caller."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def per_sample(scorer: Learned, batch: Batch, function: Callable[[Tensor], Tensor]) -> Floats:
    """(n, ...) float64: a function of standardised samples. Raises SchemaError for another schema."""
    scorer.schema_.require(batch.schema, f"the scorer {name_of(scorer)}")
    device = session().torch_device
    scorer.task_.networks.to(device).eval()
    size = max(1, CHUNK_NUMBERS // max(1, int(np.prod(batch.values.shape[1:]))))
    parts = []
    for first in range(0, max(len(batch), 1), size):
        x = torch.from_numpy(scorer.inputs_.of(batch.values[first : first + size])).to(device)
        parts.append(in_chunks(function, x).cpu().double().numpy())
    scorer.task_.networks.to("cpu")
    return np.concatenate(parts)


def save_learned(scorer: Learned, folder: Path) -> None:
    """Weights and inputs as safetensors, the settings and the history of the training as JSON."""
    weights = {f"{NETWORK}{name}": tensor.numpy() for name, tensor in scorer.task_.networks.state_dict().items()}
    write_folder(folder, scorer.schema_, asdict(scorer), weights | scorer.inputs_.to_arrays())
    (folder / HISTORY).write_text(json.dumps(scorer.history_.to_dict()), encoding="utf-8")


def load_learned(kind: type[S], folder: Path) -> S:
    """Inverse of `save_learned`. Raises ModelError naming what is damaged."""
    scorer: Any = read_scorer(kind, folder)[0]
    arrays = read_folder(folder)[2]
    scorer.inputs_ = Inputs.from_arrays(arrays, scorer.windows)
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
