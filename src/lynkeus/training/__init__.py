"""Training: one loop for every network, with devices, early stopping, checkpoints and a report in words."""

from lynkeus.training.history import History
from lynkeus.training.loop import train
from lynkeus.training.settings import Progress, Session, TrainSettings, session, use_session
from lynkeus.training.task import ADAM, Losses, Task, Update, in_chunks

__all__ = [
    "ADAM", "History", "Losses", "Progress", "Session", "Task", "TrainSettings", "Update", "in_chunks", "session",
    "train", "use_session",
]  # fmt: skip
