"""How to train, and where: TrainSettings belong to the model, a Session to the machine it is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from lynkeus.core import SettingsError
from lynkeus.core.typed import typed

DEVICES = ("auto", "cpu", "cuda")
SCHEDULES = ("cosine", "flat", "cycle")  # see `rate`
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
LEAST_BATCH, MOST_BATCH, STEPS = 32, 128, 8  # samples in a batch, and batches in an epoch of few samples
ReportProgress = Callable[["TrainingProgress"], None]


@dataclass(frozen=True)
class TrainingProgress:
    """What a training does at this moment: `done` of `total` samples over all epochs, and how good it is."""

    title: str
    epoch: int
    epochs: int
    done: int
    total: int
    loss: float
    efficiency: float


@dataclass(frozen=True)
class TrainSettings:
    """`epochs` at most, fewer where nothing improves for `patience` of them; `batch_size` 0: by the number of samples,
    32 to 128, so that few of them still make some steps an epoch; `held_out`: share of good samples that are not
    trained on but judged by; `clip_norm`: largest norm of a gradient, 0: any; `decay`: weight decay; `known_share`:
    known anomalies added to each batch, as a share of it, all classes alike, so that few labels count; `schedule`: of
    the learning rate, one of SCHEDULES; `average`: memory of the mean of the weights over steps that is judged and kept
    instead of the last ones (0.999: a thousand steps; 0: no mean). Raises SettingsError for a value out of range."""

    epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 1e-3
    decay: float = 0.0
    patience: int = 12
    held_out: float = 0.15
    clip_norm: float = 5.0
    known_share: float = 0.0
    schedule: str = "cosine"
    average: float = 0.0

    def __post_init__(self) -> None:
        for name, least in {"epochs": 1, "batch_size": 0, "patience": 1}.items():
            if int(getattr(self, name)) < least:
                raise SettingsError(f"training.{name} must be at least {least}, got {getattr(self, name)!r}")
        if not 0 < self.held_out < 0.9:
            raise SettingsError(f"training.held_out must lie between 0 and 0.9, got {self.held_out!r}")
        if self.schedule not in SCHEDULES:
            raise SettingsError(f"training.schedule must be one of {', '.join(SCHEDULES)}, got {self.schedule!r}")
        if not 0 <= self.average < 1:
            raise SettingsError(f"training.average must lie between 0 and 1, got {self.average!r}")
        if not self.learning_rate > 0:
            raise SettingsError(f"training.learning_rate must be positive, got {self.learning_rate!r}")

    def batch_of(self, samples: int) -> int:
        """Return how many of so many samples are in a batch: `batch_size`, or where it is 0 an eighth, within
        bounds."""
        return self.batch_size or min(MOST_BATCH, max(LEAST_BATCH, samples // STEPS))

    def replaced(self, given: Any) -> TrainSettings:
        """Return these settings with some changed. Raises SettingsError for a name that does not exist, and for a value
        of another type."""
        known = {field.name: field.type for field in fields(self)}
        for name in given:
            if name not in known:
                raise SettingsError(f"training.{name}: no such setting; there are: {', '.join(known)}")
        return replace(self, **{name: typed(f"training.{name}", known[name], one) for name, one in given.items()})


@dataclass(frozen=True)
class Session:
    """Where to train: `device` auto, cpu or cuda; `precision` as Lightning Fabric calls it; `folder` for checkpoints
    (None: none are kept); `report` is called with the progress. `channels_last` and `compiled` (torch.compile, which
    needs a C++ compiler) change the speed of networks of images: they gain on a GPU that computes in bf16-mixed."""

    device: str = "auto"
    precision: str = "32-true"
    folder: Path | None = None
    report: ReportProgress | None = None
    channels_last: bool = False
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise SettingsError(f"device must be one of {', '.join(DEVICES)}, got {self.device!r}")
        if self.precision not in PRECISIONS:
            raise SettingsError(f"precision must be one of {', '.join(PRECISIONS)}, got {self.precision!r}")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise SettingsError("device cuda was asked for, but PyTorch finds no GPU here; use --device cpu, or auto")

    @property
    def torch_device(self) -> torch.device:
        """Return the device on which networks score."""
        use_cuda = self.device == "cuda" or (self.device == "auto" and torch.cuda.is_available())
        return torch.device("cuda" if use_cuda else "cpu")


_session: ContextVar[Session] = ContextVar("session")


def session() -> Session:
    """Return the session in force; without one: whatever device there is, no checkpoints, no progress reported."""
    return _session.get(Session())


@contextmanager
def use_session(chosen: Session) -> Iterator[Session]:
    """Train within this block as `chosen` says."""
    token = _session.set(chosen)
    try:
        yield chosen
    finally:
        _session.reset(token)


def compiled(network: torch.nn.Module) -> Any:
    """Return a network that is compiled when it first runs; where the compiler cannot, it runs as it is, more slowly,
    which PyTorch logs: for some processors it writes C++ that does not compile."""
    torch._dynamo.config.suppress_errors = True
    return torch.compile(network)
