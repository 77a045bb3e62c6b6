"""Entry and Look: what a file holds by name, and how it would be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHANNEL, TIMES, LABELS, WEIGHTS = "channel", "times", "labels", "weights"
PLOT, PICTURES, UNREAD = "plot of a run", "pictures", "not read"


@dataclass(frozen=True)
class Entry:
    """A column, dataset, array, branch or histogram by `name`: what it `holds` (a type), its `shape` and `unit` as
    text, and its `role`: channel, times, or why it is not read."""

    name: str
    holds: str
    shape: str = ""
    unit: str = ""
    role: str = ""


@dataclass
class Look:
    """What a file holds (`entries`), how it is read as a whole (`lines`), and with which options it would be read
    otherwise (`options`)."""

    what: str
    entries: list[Entry] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)


Describe = Callable[[Path, Any], Iterable[Entry]]  # a file, and the reader that opened it (None: it was refused)
