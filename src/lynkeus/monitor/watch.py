"""The watch loop: source, window, score, alarm, store. One process, one thread; replay at any speed is the same code.

Everything that some windows bring about is committed together with the state to go on from: killed at any moment,
the loop continues after the last committed window, and no alarm is lost or doubled.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from lynkeus.core import Alarm, AlarmRule, Batch, OpenAlarm, Point, Source, Standing, StoreError, TimesNs
from lynkeus.core.protocols import about_of
from lynkeus.files.damaged import one_line
from lynkeus.fitting.evidence.channels import evidence, line_positions
from lynkeus.fitting.fitted import Fitted, Scored
from lynkeus.fitting.follow import can_mask, move_past, start, state_of
from lynkeus.fitting.reference import mean_sample
from lynkeus.fitting.views.flatlines import Flatlines
from lynkeus.monitor.conditions import Noting
from lynkeus.monitor.ended import end_all, ended_in, going_on, has_ended
from lynkeus.monitor.one_cause import SILENT, Flat, step
from lynkeus.monitor.records import Commit, Monitor, Owner, Part, ResumePoint, ScoredPoint
from lynkeus.monitor.rows import plain
from lynkeus.monitor.silent import flat_of, flatlines_of, is_quiet, with_lost_source, with_silence
from lynkeus.monitor.site import EARLIER_NAME, NAME, PLACE
from lynkeus.monitor.standing import leave_out, stood_last, what_stands
from lynkeus.monitor.store import Store
from lynkeus.monitor.traces import Follower
from lynkeus.monitor.unseen import NewRows
from lynkeus.sources import Replay
from lynkeus.sources.wrappers.wrapper import innermost

COMMIT_WINDOWS = 60
COMMITTED = "committed_ns"  # entry of the stored state: this machine's time when it was stored
FINGERPRINT = "model"  # entry of the stored state that says which model it belongs to


@dataclass(frozen=True)
class WatchSettings:
    """`name` of the monitor in the store, when an alarm opens and closes, the replay's speed (0: no pacing), and how
    the `place` of a channel is read from its name (see `SiteSettings`); `titles` of outputs where they are not those of
    the scorer, and whom to `call`; `acknowledge`: what stood is listed until somebody has acknowledged it."""

    name: str = NAME
    title: str = ""
    rule: AlarmRule = field(default_factory=AlarmRule)
    speed: float = 0.0
    place: str = PLACE
    titles: Mapping[str, str] = field(default_factory=dict)
    call: str = ""
    acknowledge: bool = False


@dataclass
class Watched:
    """What one run of the loop did so far: `windows`, `alarms` opened, `missed` samples, what is `open`, and what there
    is to say (`messages`)."""

    windows: int = 0
    alarms: int = 0
    missed: int = 0
    position: int = 0  # as in ResumePoint
    end_ns: int = 0
    open: dict[str, OpenAlarm] = field(default_factory=dict)
    follower: Follower = field(default_factory=Follower)
    flat: Flatlines | None = None
    standing: list[Standing] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    scored: Scored | None = None  # the windows of the last commit
    committed_s: float = field(default_factory=time.monotonic)  # when that was, or this began

    def with_traces(self, commit: Commit) -> Commit:
        """Return what some windows brought about, with the channels of alarms that no score opened over time, and the
        time that it took since the last commit, which is now."""
        before, self.committed_s = self.committed_s, time.monotonic()
        names = () if self.scored is None else self.scored.batch.schema.names
        silent = [one for one in commit.opened if one[0].output == SILENT]
        traces = (*commit.traces, *self.follower.begin(silent, names))
        return replace(commit, traces=traces, passed_s=self.committed_s - before)


def check(fitted: Fitted, source: Source, settings: WatchSettings) -> Source:
    """The source as the scorer reads it, before anything is written.

    Raises CalibrationError where the reference cannot support the budget, SchemaError where the data are others.
    """
    fitted.require_budget(settings.rule.budget_per_hour)
    return fitted.prepare(Replay(source, settings.speed, COMMIT_WINDOWS * max(fitted.view.window, 1)))


def watch(
    fitted: Fitted, source: Source, store: Store, settings: WatchSettings, tick: Callable[[Watched], None] | None = None
) -> Watched:
    """Watch a source to its end, or until the caller is interrupted. `tick` is called after commits and at the end.

    Raises what `check` raises, before anything is written.
    """
    rows = NewRows(source)
    prepared = check(fitted, rows, settings)
    owner = Owner.here()
    # Checked first: a budget or data that cannot be watched must leave no monitor behind on the pages.
    progress = store.claim(_describe(fitted, settings), owner)
    finished, noting = False, Noting(store, settings.name, prepared, owner.token)
    if hasattr(inner := innermost(prepared), "turning"):
        inner.turning = noting  # what nobody can reach yet gives no window, and is to be seen all the same
    try:
        run = _go_on(fitted, rows, progress, store.address)
        run.standing = list(stood_last(store, settings.name))
        ended = ended_in(run.open, run.end_ns)
        for batch in prepared:
            for part in _parts(batch):
                out = leave_out(fitted.scorer, store, settings.name, _start_ns(part))
                scored = fitted.score_batch(part)
                commit = _commit(fitted, scored, settings, run, flat_of(run.flat, fitted, part, out))
                commit = with_lost_source(commit, fitted, prepared, scored, run.open, settings.place)
                commit = with_silence(commit, fitted, run.flat, scored, run.open, settings, out)
                commit = going_on(run.with_traces(commit), run.open, ended)
                run.alarms += len(commit.opened) - len(commit.parts)
                # After scoring: a baseline that follows the beam must not have followed a fault before it is judged.
                move_past(fitted.scorer, part)
                changed = what_stands(fitted.scorer, run.standing, run.end_ns)
                run.position = int(_done_ns(part)[-1])
                missed = rows.missed_until(run.position)
                # Points, alarms and where to go on in one transaction: a kill leaves none of them without the others.
                now = replace(commit, progress=progress_of(fitted, run), missed=missed, standing=changed)
                store.commit(settings.name, owner, now)
                noting()
                run.missed += missed
                run.messages = list(getattr(prepared, "messages", ()))
                if tick is not None:
                    tick(run)
        _close_all(fitted, store, settings.name, owner, run)
        # An interrupted watch does not get here, and shows as silent, not as finished.
        finished = True
    finally:
        store.release(settings.name, owner, finished=finished)
    run.messages = [*getattr(prepared, "messages", ()), *_nothing_new(progress, run)]
    if tick is not None:
        tick(run)
    return run


def _parts(batch: Batch) -> Iterator[Batch]:
    return (batch[start : start + COMMIT_WINDOWS] for start in range(0, len(batch), COMMIT_WINDOWS))


def _commit(fitted: Fitted, scored: Scored, settings: WatchSettings, run: Watched, flat: Flat) -> Commit:
    """Move the alarms of every output past some windows, in which channels are `flat`, and gather what that brought
    about."""
    assert scored.rates is not None  # `check` has refused a model without
    points: list[ScoredPoint] = []
    opened: list[tuple[Alarm, dict[str, Any]]] = []
    closed: list[Alarm] = []
    parts: list[Part] = []
    before = dict(run.open)
    starts, ends = scored.batch.time_ns, _end_ns(scored.batch)
    assert starts is not None
    for k, output in enumerate(fitted.scorer.outputs):
        places = scored.where(k).tolist()
        for row, where in enumerate(places):
            numbers = (float(scored.scores[row, k]), float(scored.rates[row, k]))
            point = Point(int(starts[row]), int(ends[row]), *numbers, where)
            quiet = partial(is_quiet, fitted, scored.batch, row, output, settings.rule)
            found = step(settings.rule, run.open, point, output, flat, quiet)
            if found.opened is not None:
                opened.append((found.opened, evidence(fitted, scored, row, found.opened, settings.place)))
            closed += found.closed
            parts += found.parts
            points.append(ScoredPoint(output, *asdict(point).values()))
    run.windows += len(scored.batch)
    run.scored = scored
    run.end_ns = int(ends[-1])
    peaks = [
        state.alarm
        for output, state in run.open.items()
        if state.alarm not in (alarm for alarm, _ in opened)
        and (output not in before or before[output].alarm != state.alarm)
    ]
    samples = len(scored.batch) * max(fitted.view.stride or fitted.view.window, 1)
    nowhere_yet = ResumePoint(0, run.end_ns)
    traces = run.follower.move(starts, mean_sample(scored.batch), opened, run.open, scored.batch.schema.names)
    told = (tuple(points), tuple(opened), tuple(peaks), tuple(closed))
    return Commit(nowhere_yet, *told, samples, traces=traces, parts=tuple(parts))


def _close_all(fitted: Fitted, store: Store, name: str, owner: Owner, run: Watched) -> None:
    """At the end of the source nothing stays open, and the last windows are kept for the next start, as is what may go
    on then."""
    closed = end_all(run.open)
    if closed or run.windows:
        store.commit(name, owner, Commit(progress_of(fitted, run, whole=True), closed=closed))
    run.open.clear()


def _nothing_new(progress: ResumePoint | None, run: Watched) -> list[str]:
    if run.windows or progress is None:
        return []
    at = datetime.fromtimestamp(run.end_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return [f"nothing new: this monitor has seen all until {at}; to watch it again give another --name or --store"]


def _done_ns(batch: Batch) -> TimesNs:
    """Time of the last row of each window that no later one needs; rows need no other."""
    done: TimesNs | None = batch.meta.get("done_ns", batch.time_ns)
    assert done is not None  # `NewRows` has refused rows without times
    return done


def _start_ns(batch: Batch) -> int:
    assert batch.time_ns is not None  # see above
    return int(batch.time_ns[0])


def _end_ns(batch: Batch) -> Any:
    if "end_ns" in batch.meta:
        return batch.meta["end_ns"]
    assert batch.time_ns is not None
    rate = batch.schema.sample_rate_hz or 1.0
    return batch.time_ns + round(1e9 / rate)


def _describe(fitted: Fitted, settings: WatchSettings) -> Monitor:
    schema = fitted.view.schema
    names = fitted.view.names
    return Monitor(
        settings.name,
        settings.title or _title(fitted, settings.name),
        tuple(fitted.scorer.outputs),
        names,
        line_positions(names, settings.place),
        schema.units[0] if schema.units else "",
        settings.rule.budget_per_hour,
        fitted.lineage,
        {**about_of(fitted.scorer).titles, **settings.titles},
        settings.call,
        settings.acknowledge,
        can_mask(fitted.scorer),
    )


def _title(fitted: Fitted, name: str) -> str:
    """Return how pages call a monitor that nobody gave a title: by its name, where it was given one."""
    return f"{fitted.view.schema.instrument or 'data'}: {fitted.name}" if name in (NAME, EARLIER_NAME) else name


def _go_on(fitted: Fitted, rows: NewRows, progress: ResumePoint | None, address: str) -> Watched:
    """Bring the scorer, the rows and the open alarms to where they were. Raises StoreError where that is damaged."""
    with one_line(address, StoreError, "where to go on from is damaged: give another --name or --store"):
        return _resumed(fitted, rows, progress)


def _resumed(fitted: Fitted, rows: NewRows, progress: ResumePoint | None) -> Watched:
    arrays = load_arrays(progress.state) if progress and progress.state else {}
    at_ns = int(arrays.pop(COMMITTED, np.zeros(1, np.int64))[0])
    same_model = arrays.pop(FINGERPRINT, b"") == np.frombuffer(_fingerprint(fitted), np.uint8)
    follower, flat = Follower.take(arrays), flatlines_of(fitted, arrays if np.all(same_model) else {})
    start(fitted.scorer, arrays if np.all(same_model) else {})
    if flat is not None:
        flat.pauses = bool(getattr(innermost(rows), "is_live", False))
    if progress is None:
        return Watched(flat=flat)
    rows.after_ns = progress.position
    if hasattr(inner := innermost(rows), "begin_after"):
        inner.begin_after(progress.position, at_ns)
    stored = progress.open_alarms or {}
    opened = {name: OpenAlarm.of(fields) for name, fields in stored.items()}
    if not np.all(same_model):  # another one does not say whether what is over goes on
        opened = {name: state for name, state in opened.items() if not has_ended(state)}
    follower = follower if np.all(same_model) else Follower()
    return Watched(position=progress.position, end_ns=progress.last_end_ns, open=opened, follower=follower, flat=flat)


def progress_of(fitted: Fitted, run: Watched, whole: bool = False) -> ResumePoint:
    """Return where to go on from; the state of a scorer is of no use to one that was fitted again."""
    arrays = {name: np.ascontiguousarray(array) for name, array in state_of(fitted.scorer).items()}
    more = run.follower.state(whole) | (run.flat.state() if run.flat else {})
    arrays |= {name: np.ascontiguousarray(array) for name, array in more.items()}
    arrays[COMMITTED] = np.array([time.time_ns()])
    state = save_arrays(arrays | {FINGERPRINT: np.frombuffer(_fingerprint(fitted), np.uint8)})
    return ResumePoint(run.position, run.end_ns, state, {output: asdict(opened) for output, opened in run.open.items()})


def _fingerprint(fitted: Fitted) -> bytes:
    return hashlib.sha256(json.dumps(plain(fitted.lineage), sort_keys=True).encode()).digest()
