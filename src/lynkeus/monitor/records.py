"""What goes into the store and what comes out of it, as frozen dataclasses."""

from __future__ import annotations

import math
import os
import re
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from lynkeus.core.alarm import Alarm
from lynkeus.core.batch import Floats

VERDICTS = ("real", "not real", "unsure")
LABELS = ("good", "defect", "unsure")
Status = Literal["open", "closed"]
Key = tuple[str, int]  # of an alarm of a monitor: its output, and when it began
Part = tuple[Key, Key]  # an alarm, and the one that it is a part of
_RATE = re.compile(r"; good data (does this|never does this)\b.*\.$")  # texts of earlier versions end with a rate


@dataclass(frozen=True)
class Monitor:
    """What is being watched, by what: everything the pages need to know beside the numbers.

    `channels` and `positions_m` (along the beam line, may be empty) have one entry per channel. `lineage`: model,
    data, version, scorer, fitted on, excluded, ... as plain JSON types. `titles`: what pages call the outputs; `call`:
    whom to call; `acknowledge`: what stood is listed until somebody has acknowledged it; `masks`: its scorer
    can leave channels out.
    """

    name: str
    title: str = ""
    outputs: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    positions_m: tuple[float, ...] = ()
    unit: str = ""
    budget_per_hour: float = 1.0
    lineage: Mapping[str, Any] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    call: str = ""
    acknowledge: bool = False
    masks: bool = False

    def title_of(self, output: str) -> str:
        """What pages call an output."""
        return self.titles.get(output) or output

    def reference_hours(self, output: str) -> float | None:
        """The hours of good data that the rates of an output are known from; None: not known."""
        by_output = self.lineage.get("hours")
        own = by_output.get(output) if isinstance(by_output, Mapping) else None
        hours = self.lineage.get("reference_hours") if own is None else own
        return float(hours) if isinstance(hours, int | float) and math.isfinite(hours) else None


@dataclass(frozen=True)
class Owner:
    """The process that writes for a monitor; `token` tells two processes with one recycled pid apart."""

    host: str
    pid: int
    token: str

    @classmethod
    def here(cls) -> Self:
        """Whoever calls, with a token of its own."""
        return cls(socket.gethostname(), os.getpid(), uuid.uuid4().hex)


@dataclass(frozen=True)
class ResumePoint:
    """How far a monitor has come, and whatever it needs to go on from there.

    `position`: time (UTC ns) of the last row that no later window needs; `last_end_ns`: end of the last window.
    """

    position: int
    last_end_ns: int
    state: bytes = b""
    open_alarms: Any = None  # plain JSON types


@dataclass(frozen=True)
class ScoredPoint:
    """One window of one output; NaN scores are kept as missing."""

    output: str
    start_ns: int
    end_ns: int
    score: float
    alarms_per_hour: float
    where: str = ""


@dataclass(frozen=True)
class TracePart:
    """Some windows of the channels of one alarm (`output`, `start_ns`): `values` (window, channel), or NaN."""

    output: str
    start_ns: int
    channels: tuple[str, ...]
    time_ns: tuple[int, ...]
    values: Floats


@dataclass(frozen=True)
class Commit:
    """Everything that some windows brought about; it is stored as a whole or not at all.

    `opened`: alarms with their evidence, in plain JSON types or NumPy arrays. `peaks`: open alarms that rose since.
    `closed`: alarms with an end. `samples`, `missed`: since the previous commit. `traces`: the channels of alarms.
    `parts`: alarms that are parts of others. `passed_s`: time that it took since the previous commit; None: since the
    last heartbeat, where nothing else beats.
    """

    progress: ResumePoint
    points: tuple[ScoredPoint, ...] = ()
    opened: tuple[tuple[Alarm, Mapping[str, Any]], ...] = ()
    peaks: tuple[Alarm, ...] = ()
    closed: tuple[Alarm, ...] = ()
    samples: int = 0
    missed: int = 0
    heartbeat_ns: int = field(default_factory=time.time_ns)
    traces: tuple[TracePart, ...] = ()
    standing: tuple[Mapping[str, Any], ...] = ()  # rows: what stands now and did not, and what is over
    parts: tuple[Part, ...] = ()
    passed_s: float | None = None


@dataclass(frozen=True)
class Pulse:
    """Is a monitor alive: its last heartbeat, its counts, and its rate over the last ten seconds or so. `stopped`: its
    watch was ended before its source was."""

    monitor: Monitor
    heartbeat_ns: int
    last_end_ns: int | None
    samples: int
    missed: int
    samples_per_s: float
    finished: bool
    host: str
    pid: int
    stopped: bool = False


@dataclass(frozen=True)
class StoredAlarm:
    """An alarm as it stands now: its latest peak, its end where it has one, its latest verdict, who sees to it, the
    number of the alarm that it is a part of, and the outputs of its own parts (`also`)."""

    id: int
    monitor: str
    alarm: Alarm
    verdict: str | None = None
    seen_by: str | None = None
    part_of: int | None = None
    also: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Return whether the alarm is still open: it has no end yet."""
        return self.alarm.end_ns is None


@dataclass(frozen=True)
class StoredVerdict:
    """What a person said of an alarm, with the interval it was said of: truth for the next fit."""

    alarm_id: int
    output: str
    start_ns: int
    end_ns: int | None
    verdict: str
    who: str
    note: str
    at_ns: int


@dataclass(frozen=True)
class Acknowledged:
    """Somebody has seen an alarm and sees to it, which is no verdict on it."""

    who: str
    note: str
    at_ns: int


@dataclass(frozen=True)
class AlarmFile:
    """All that is known of one alarm: evidence from its opening, the monitor as it was then, every verdict, and who has
    seen it."""

    stored: StoredAlarm
    monitor: Monitor
    evidence: Mapping[str, Any]
    verdicts: tuple[StoredVerdict, ...]
    seen: tuple[Acknowledged, ...] = ()

    @property
    def said(self) -> str:
        """Return what the scorer said when the alarm opened, without how rare it was then."""
        return _RATE.sub(".", str(self.evidence.get("text") or ""))


@dataclass(frozen=True)
class AlarmCount:
    """Alarms of one output of one monitor: open now, and in all."""

    monitor: str
    output: str
    open: int
    total: int
