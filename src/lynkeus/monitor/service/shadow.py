"""Shadow: a store in which a new model writes nothing until it has agreed with the old one, and then takes its place.

What it would have written is kept, so that between the last window of the old one and the first one of the new nothing
is lost; an alarm that is open goes on as the same alarm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from lynkeus.core import Alarm, OpenAlarm
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.ended import has_ended
from lynkeus.monitor.records import Commit, Monitor, Owner, Part, ResumePoint, ScoredPoint
from lynkeus.monitor.store import Store
from lynkeus.monitor.tables import progress
from lynkeus.monitor.traces import Follower
from lynkeus.monitor.watch import COMMITTED, Watched, progress_of

KEPT = 20_000  # commits
AGREE = 0.98  # of the windows


class Compared(NamedTuple):
    """Of how many `windows` in which both stood for an alarm or for none, and in how many of them they `agree`."""

    windows: int
    agree: int
    only_new: int
    only_old: int

    def says(self, wanted: int) -> str:
        """One line."""
        return (
            f"new model in shadow: agrees in {self.agree} of {self.windows} windows ({wanted} are wanted, "
            f"{AGREE:.0%} of them alike); {self.only_new} with an alarm of the new one only, {self.only_old} of the "
            "old one only"
        )

    def enough(self, wanted: int) -> bool:
        """Return whether they agree well enough to change over."""
        return self.windows >= wanted and self.agree >= AGREE * self.windows


class Shadow(Store):
    """A Store that keeps commits to itself until `promote`."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.hidden = True
        self.kept: deque[Commit] = deque(maxlen=KEPT)
        self.alarms_of: dict[tuple[str, int], Alarm] = {}
        self.evidence: dict[tuple[str, int], Any] = {}
        self.parts: list[Part] = []
        self._monitor: Monitor | None = None
        self._owner: Owner | None = None

    def claim(self, monitor: Monitor, owner: Owner) -> ResumePoint | None:
        """Begin where the old one is, without its state."""
        if not self.hidden:
            return super().claim(monitor, owner)
        self._monitor, self._owner = monitor, owner
        kept = (progress.c.position, progress.c.last_end_ns, progress.c.state)
        where = sa.select(*kept).where(progress.c.monitor == monitor.name)
        with self.reading() as connection:
            row = connection.execute(where).one_or_none()
        if row is None or row.position is None:
            return None
        # Of the state only when it was stored: by it clocks that jumped are found, and both move their times alike.
        state = load_arrays(row.state) if row.state else {}
        when = {name: array for name, array in state.items() if name == COMMITTED}
        return ResumePoint(row.position, row.last_end_ns, save_arrays(when) if when else b"")

    def commit(self, name: str, owner: Owner, commit: Commit) -> None:
        """Keep what some windows brought about."""
        if not self.hidden:
            super().commit(name, owner, commit)
            return
        self.kept.append(replace(commit, traces=(), standing=(), progress=replace(commit.progress, state=b"")))
        for alarm, evidence in commit.opened:
            self.alarms_of[alarm.output, alarm.start_ns] = alarm
            self.evidence[alarm.output, alarm.start_ns] = evidence
        for alarm in (*commit.peaks, *commit.closed):
            self.alarms_of[alarm.output, alarm.start_ns] = alarm
        self.parts += commit.parts

    def release(self, name: str, owner: Owner, finished: bool = False) -> None:
        """Nothing is held while it is a shadow."""
        if not self.hidden:
            super().release(name, owner, finished)

    def compare(self, wanted: int) -> Compared:
        """Compare the last windows with the alarms of the old model, as far as both have come."""
        assert self._monitor is not None
        pulse = self.monitor(self._monitor.name)
        until_ns = (pulse.last_end_ns or 0) if pulse else 0
        output = self._monitor.outputs[0]
        points = [one for commit in self.kept for one in commit.points if one.output == output]
        windows = [one for one in points if one.end_ns <= until_ns][-wanted:]
        starts = np.array([one.start_ns for one in windows], np.int64)
        old = _covered(starts, [stored.alarm for stored in self.alarms(self._monitor.name, limit=1000)])
        new = _covered(starts, list(self.alarms_of.values()))
        return Compared(len(windows), int((old == new).sum()), int((new & ~old).sum()), int((old & ~new).sum()))

    def promote(self, fitted: Fitted, run: Watched) -> str:
        """Take the place of the old model, which has ended; return what was done in one line."""
        assert self._monitor is not None
        assert self._owner is not None
        before = super().claim(self._monitor, self._owner)
        until_ns = before.last_end_ns if before else 0
        later = [commit for commit in self.kept if commit.progress.last_end_ns > until_ns]
        points = [one for commit in later for one in commit.points if one.start_ns >= until_ns]
        opened, closed, parts = self._taken_over(run, before, until_ns)
        run.follower = Follower()
        moved = ResumePoint(max(run.position, before.position if before else 0), max(run.end_ns, until_ns))
        moved = replace(progress_of(fitted, run), position=moved.position, last_end_ns=moved.last_end_ns)
        missed = sum(commit.missed for commit in later)
        samples = sum(commit.samples for commit in later)
        both = Commit(moved, tuple(points), tuple(opened), (), tuple(closed), samples, missed, parts=tuple(parts))
        self.hidden = False
        super().commit(self._monitor.name, self._owner, both)
        self.kept.clear()
        return f"the new model has taken over without a gap: {_windows(points)} windows since the last of the old one"

    def _taken_over(
        self, run: Watched, before: ResumePoint | None, until_ns: int
    ) -> tuple[list[tuple[Alarm, Any]], list[Alarm], list[Part]]:
        """Alarms to open and to close, and which are parts of which; what was open in the old one and is in the new
        goes on under its old start."""
        stored = (before.open_alarms if before else None) or {}
        known = {name: OpenAlarm.of(one) for name, one in stored.items()}
        known = {name: one for name, one in known.items() if not has_ended(one)}
        same = {name: found for name, one in known.items() if (found := _the_same(run.open, name, one)) is not None}
        old = {run.open[now].key: known[name].key for name, now in same.items()}
        there = {state.key for state in run.open.values()}
        opened: list[tuple[Alarm, Any]] = []
        closed = [replace(one.alarm, end_ns=one.last_high_ns) for name, one in known.items() if name not in same]
        for key, alarm in self.alarms_of.items():
            if key not in old and (key in there or alarm.start_ns >= until_ns):
                opened.append((replace(alarm, end_ns=None), self.evidence[key]))
                if alarm.end_ns is not None:
                    closed.append(alarm)
        for name, now in same.items():
            last_ns = max(known[name].last_high_ns, run.open[now].last_high_ns)
            run.open[now] = replace(run.open[now], alarm=known[name].alarm, last_high_ns=last_ns)
        for now, state in run.open.items():
            whole = state.part_of
            run.open[now] = replace(state, part_of=old.get(whole, whole) if whole else None)
        return opened, closed, [(old.get(one, one), old.get(whole, whole)) for one, whole in self.parts]


def _the_same(opened: Mapping[str, OpenAlarm], name: str, one: OpenAlarm) -> str | None:
    """Return under which name an alarm of the old model is open in the new one; of channels that are dead or stuck one
    of any of them, whenever the new one found that."""
    if name in opened:
        return name
    alike = (key for key, state in opened.items() if state.alarm.output == one.alarm.output)
    return next((key for key in alike if set(opened[key].channels) & set(one.channels)), None)


def _covered(starts: np.ndarray, alarms: list[Alarm]) -> np.ndarray:
    """Whether an alarm was open at each time, (n,) bool."""
    found = np.zeros(len(starts), bool)
    for alarm in alarms:
        found |= (starts >= alarm.start_ns) & (starts < (alarm.end_ns if alarm.end_ns is not None else np.inf))
    return found


def _windows(points: list[ScoredPoint]) -> int:
    return len({one.start_ns for one in points})
