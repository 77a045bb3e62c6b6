"""The watch loop: source, window, score, alarm, store. One process, one thread; replay at any speed is the same code.

Everything that some windows bring about is committed together with the state to go on from: killed at any moment,
the loop continues after the last committed window, and no alarm is lost or doubled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from lynkeus.core import Alarm, AlarmRule, Batch, OpenAlarm, Point, SettingsError, Source, Tracking, advance
from lynkeus.evaluate.evidence import evidence, line_positions
from lynkeus.evaluate.fitted import Fitted, Scored
from lynkeus.monitor.records import Commit, Monitor, Owner, Progress, ScoredPoint
from lynkeus.monitor.store import Store
from lynkeus.sources import Replay, Select

COMMIT_WINDOWS = 60


@dataclass(frozen=True)
class WatchSettings:
    """`name` of the monitor in the store, when an alarm opens and closes, and the replay's speed (0: no pacing)."""

    name: str = "orbits"
    title: str = ""
    rule: AlarmRule = field(default_factory=AlarmRule)
    speed: float = 0.0


@dataclass
class Watched:
    """What one run of the loop did so far: `windows`, `alarms` opened, `missed` samples, what is `open`, what the source says."""

    windows: int = 0
    alarms: int = 0
    missed: int = 0
    end_ns: int = 0
    open: dict[str, OpenAlarm] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)


def watch(
    fitted: Fitted, source: Source, store: Store, settings: WatchSettings, tick: Callable[[Watched], None] | None = None
) -> Watched:
    """Watch a source to its end, or until the caller is interrupted. `tick` is called after every commit.

    Raises CalibrationError before anything is written where the reference cannot support the budget.
    """
    for calibration in fitted.calibrations.values():
        calibration.threshold(settings.rule.budget_per_hour)
    owner = Owner.here()
    progress = store.claim(_describe(fitted, settings), owner)
    run = Watched(open=_open_alarms(progress))
    position = _go_on(fitted, progress)
    if progress is not None:
        run.end_ns = progress.last_end_ns
        source = Select(source, times_ns=(progress.last_end_ns, None))
    prepared = fitted.prepare(Replay(source, settings.speed, COMMIT_WINDOWS * max(fitted.window, 1)))
    finished = False
    try:
        for batch in prepared:
            for part in _parts(batch):
                position += len(part) * max(fitted.stride or fitted.window, 1)
                missed = int(getattr(prepared, "missed", 0))
                commit = _commit(fitted, fitted.judge(part), settings.rule, run)
                if isinstance(fitted.scorer, Tracking):
                    fitted.scorer.update(part)
                after = Progress(position, run.end_ns, _state(fitted), _as_json(run.open))
                store.commit(settings.name, owner, replace(commit, progress=after, missed=missed - run.missed))
                run.missed, run.messages = missed, list(getattr(prepared, "messages", ()))
                if tick is not None:
                    tick(run)
        _close_all(store, settings.name, owner, run, Progress(position, run.end_ns, _state(fitted), {}))
        finished = True
    finally:
        store.release(settings.name, owner, finished=finished)
    return run


def _parts(batch: Batch) -> Iterator[Batch]:
    if batch.time_ns is None:
        raise SettingsError("samples without times cannot be watched; give times in the layout or the file")
    for start in range(0, len(batch), COMMIT_WINDOWS):
        yield batch[start : start + COMMIT_WINDOWS]


def _commit(fitted: Fitted, scored: Scored, rule: AlarmRule, run: Watched) -> Commit:
    """Move the alarms of every output past some windows, and gather what that brought about."""
    if scored.rates is None:
        raise SettingsError("the model was fitted on samples without times, so it knows no rates; fit it with times")
    points: list[ScoredPoint] = []
    opened: list[tuple[Alarm, dict[str, Any]]] = []
    closed: list[Alarm] = []
    before = dict(run.open)
    starts, ends = scored.batch.time_ns, _end_ns(scored.batch)
    for k, output in enumerate(fitted.scorer.outputs):
        for row in range(len(scored.batch)):
            where = str(scored.where[row, k])
            numbers = (float(scored.scores[row, k]), float(scored.rates[row, k]))
            point = Point(int(starts[row]), int(ends[row]), *numbers, where)
            state, over = advance(rule, output, run.open.get(output), point)
            if over is not None:
                closed.append(over)
            if state is None:
                run.open.pop(output, None)
            else:
                if state.alarm.start_ns == point.start_ns:
                    opened.append((state.alarm, evidence(fitted, scored, row, state.alarm)))
                run.open[output] = state
            points.append(ScoredPoint(output, *asdict(point).values()))
    run.windows += len(scored.batch)
    run.alarms += len(opened)
    run.end_ns = int(ends[-1])
    peaks = [
        state.alarm
        for output, state in run.open.items()
        if state.alarm not in (alarm for alarm, _ in opened)
        and (output not in before or before[output].alarm != state.alarm)
    ]
    samples = len(scored.batch) * max(fitted.stride or fitted.window, 1)
    nothing_yet = Progress(0, run.end_ns)
    return Commit(nothing_yet, tuple(points), tuple(opened), tuple(peaks), tuple(closed), samples)


def _close_all(store: Store, name: str, owner: Owner, run: Watched, progress: Progress) -> None:
    """At the end of the source nothing stays open."""
    closed = tuple(replace(state.alarm, end_ns=state.last_high_ns) for state in run.open.values())
    run.open.clear()
    if run.windows or closed:
        store.commit(name, owner, Commit(progress, closed=closed))


def _end_ns(batch: Batch) -> Any:
    if "end_ns" in batch.meta:
        return batch.meta["end_ns"]
    assert batch.time_ns is not None
    rate = batch.schema.sample_rate_hz or 1.0
    return batch.time_ns + round(1e9 / rate)


def _describe(fitted: Fitted, settings: WatchSettings) -> Monitor:
    names = fitted.channels.schema(fitted.schema).names
    return Monitor(
        settings.name,
        settings.title or f"{fitted.schema.instrument or 'data'}: {fitted.name}",
        tuple(fitted.scorer.outputs),
        names,
        line_positions(names),
        fitted.schema.units[0] if fitted.schema.units else "",
        settings.rule.budget_per_hour,
        fitted.lineage,
    )


def _go_on(fitted: Fitted, progress: Progress | None) -> int:
    """Bring the scorer to where it was; the number of rows that were consumed."""
    if isinstance(fitted.scorer, Tracking):
        fitted.scorer.resume(load_arrays(progress.state) if progress and progress.state else {})
    return progress.position if progress else 0


def _state(fitted: Fitted) -> bytes:
    if not isinstance(fitted.scorer, Tracking):
        return b""
    return save_arrays({name: np.ascontiguousarray(array) for name, array in fitted.scorer.state().items()})


def _as_json(open_alarms: dict[str, OpenAlarm]) -> dict[str, Any]:
    return {output: asdict(state) for output, state in open_alarms.items()}


def _open_alarms(progress: Progress | None) -> dict[str, OpenAlarm]:
    stored = progress.open_alarms if progress and progress.open_alarms else {}
    return {name: OpenAlarm(Alarm(**fields["alarm"]), fields["last_high_ns"]) for name, fields in stored.items()}
