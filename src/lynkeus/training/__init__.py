"""Training: one loop for every network, with devices, early stopping, checkpoints and a report in words."""

from lynkeus.training.history import History
from lynkeus.training.known import KnownSet
from lynkeus.training.loop import train
from lynkeus.training.packed import PackedSet, halves, tensors
from lynkeus.training.settings import Session, TrainingProgress, TrainSettings, session, use_session
from lynkeus.training.task import ADAM, Losses, Task, TrainingSet, Update, in_chunks, mean_loss, weights_of

__all__ = [
    "ADAM",
    "History",
    "KnownSet",
    "Losses",
    "PackedSet",
    "Session",
    "Task",
    "TrainSettings",
    "TrainingProgress",
    "TrainingSet",
    "Update",
    "halves",
    "in_chunks",
    "mean_loss",
    "session",
    "tensors",
    "train",
    "use_session",
    "weights_of",
]  # fmt: skip
