"""Commissioning: a scorer proves itself at a fixed budget of false alarms, on any kind of samples.

Faults of known kind and size are planted into real good data, or the labels of the data say what is faulty. Rows in
time alarm as a watch would, at so many false alarms an hour; samples that stand alone (pulses, rows without times,
images, runs) are judged one by one, at a share of good ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lynkeus.commission.found import Commissioning, FalseAlarms
from lynkeus.commission.judge import Hearing, Judged, judge
from lynkeus.commission.labels import LabelledSamples, has_labels, label_kinds, names_of_labels
from lynkeus.commission.passes import Stretches
from lynkeus.commission.plant.planter import Kind
from lynkeus.commission.runs import PlantedRuns
from lynkeus.commission.samples import PlantedSamples, same_view, words_of
from lynkeus.commission.settings import OF_GOOD, Budget, CommissionSettings, Progress
from lynkeus.commission.streams import Stream, StreamHearing, check_length, judge_stream
from lynkeus.commission.turn_on import CHANCE
from lynkeus.core import SettingsError, Source
from lynkeus.files.journal import Row
from lynkeus.files.shared import Sharing
from lynkeus.files.workers import Work
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.views.channels import Channels
from lynkeus.sources import files_of
from lynkeus.sources.runs.read import RunFolder

__all__ = ["CommissionSettings", "Commissioning", "FalseAlarms", "commission"]


def commission(
    fitted: Fitted,
    source: Source,
    settings: CommissionSettings | None = None,
    compare: Mapping[str, Fitted] | None = None,
    progress: Progress | None = None,
    sharing: Sharing | None = None,
) -> Commissioning:
    """Commission a fitted scorer on good data that it has not seen, beside others that get the very same faults; or on
    data whose labels say what is faulty.

    `progress` is told what is being done and the share that is done. `sharing`: who judges parts of it, by models by
    name, a source and settings that `sharing.again` gives. Raises CalibrationError for a budget that a reference cannot
    support, SourceError for data that are too short, SettingsError for samples into which nothing can
    be planted, or labels that do not name good and faulty ones.
    """
    by = sharing or Sharing()
    job = _job((_by_name(fitted, compare or {}), source, settings or CommissionSettings()), progress or _silent)
    return _stream(job, by) if in_time(job.models, source) else _alone(job, by)


Asked = tuple[Mapping[str, Fitted], Source, CommissionSettings]


class _Job(NamedTuple):
    """What is to be done: see `commission`; `labelled`: the labels say what is faulty, nothing is planted."""

    models: Mapping[str, Fitted]
    source: Source
    settings: CommissionSettings
    tell: Progress
    labelled: bool

    @property
    def first(self) -> Fitted:
        """The model that is commissioned, beside the others."""
        return next(iter(self.models.values()))


def _job(asked: Asked, tell: Progress) -> _Job:
    models, source, settings = asked
    labelled = settings.labels == "need" or (settings.labels == "find" and has_labels(source))
    return _Job(models, source, settings, tell, labelled)


def _elsewhere(again: Callable[[], Asked]) -> Hearing | StreamHearing:
    """Once in every other process: read the models and the data, and plan the same faults."""
    job = _job(again(), _silent)
    if in_time(job.models, job.source):
        return StreamHearing(job.models, _stream_of(job))
    return Hearing(job.models, _ground_of(job)[0], _budget(job))


def _heard(job: _Job, by: Sharing, here: Hearing | StreamHearing) -> dict[str, list[list[Row]]]:
    """Return the rows of all shares of each model, in their order."""
    shares = here.shares()
    done = by.do(Work(_elsewhere, (by.again,), here), shares, lambda what, share: job.tell(what, share or 0.0))
    return {model: [done[name] for name, share in shares.items() if share[0] == model] for model in job.models}


def in_time(models: Mapping[str, Fitted], source: Source) -> bool:
    """Return whether these are rows in time, with models whose references have times too: alarms have a rate then."""
    if isinstance(source, RunFolder) or source.schema.kind != "table":
        return False
    timed = all(
        isinstance(model.view, Channels) and all(one.hours is not None for one in model.calibrations.values())
        for model in models.values()
    )
    return timed and next(iter(source)).time_ns is not None


def _silent(what: str, share: float) -> None:
    """No progress shown."""


def _by_name(fitted: Fitted, compare: Mapping[str, Fitted]) -> dict[str, Fitted]:
    for name in (fitted.name, CHANCE):
        if name in compare:
            raise SettingsError(f"two scorers would be called {name!r} in the report: rename the folder of one model")
    return {fitted.name: fitted} | dict(compare)


def _stream(job: _Job, by: Sharing) -> Commissioning:
    """Rows in time."""
    source, settings = job.source, job.settings
    for name, fitted in job.models.items():
        Stream(source, {}, settings, [], 0).require(name, fitted)
        if not job.labelled:
            check_length(fitted.view.window, settings)
    job.tell("labels of the data" if job.labelled else "jitter of the data", 0.0)
    stream = _stream_of(job)
    heard = _heard(job, by, StreamHearing(job.models, stream))
    done = [judge_stream(name, fitted, stream, heard[name]) for name, fitted in job.models.items()]
    says = f"planted into {stream.samples} rows of data, {settings.length} rows each"
    says = f"labelled in {stream.samples} rows of data" if job.labelled else says
    more = {"samples": stream.samples, "start_ns": done[0].start_ns, "end_ns": done[0].end_ns}
    return _found(job, [one.judged for one in done], (stream.kinds, stream.budget), says, more)


def _stream_of(job: _Job) -> Stream:
    planted = Stream.planted if not job.labelled else _labelled_stream
    return planted(job.first, job.source, job.settings)


def _labelled_stream(fitted: Fitted, source: Source, settings: CommissionSettings) -> Stream:
    """Each stretch of a label other than 0 is a fault."""
    names, numbers, rows = names_of_labels(fitted), set[int](), 0
    for batch in source:
        numbers |= set() if batch.truth is None else set(batch.truth.tolist())
        rows += len(batch)
    kinds = label_kinds([number for number in numbers if number], names)
    if not kinds:
        raise SettingsError("the labels name no faulty rows; name them by --labels, or leave it out to plant faults")

    def stretches(model: Fitted) -> Stretches:
        return Stretches(source, lambda number: names.get(number, f"label {number}"))

    return Stream(source, kinds, settings, [stretches], rows)


def _budget(job: _Job) -> Budget:
    return Budget(job.settings.false_alarms, OF_GOOD)


def _alone(job: _Job, by: Sharing) -> Commissioning:
    """Samples that stand alone."""
    budget = _budget(job)
    for fitted in job.models.values():
        budget.check(fitted)
    job.tell("labels of the data" if job.labelled else "good samples", 0.0)
    ground, says, more = _ground_of(job)
    for name, fitted in job.models.items():
        if isinstance(ground, PlantedRuns):
            ground.require(name, fitted)
        elif isinstance(ground, PlantedSamples):
            same_view(ground.source, fitted.prepare(job.source), name)
    heard = _heard(job, by, Hearing(job.models, ground, budget))
    done = [
        judge(name, fitted, ground, (row for rows in heard[name] for row in rows), budget, job.settings.seed)
        for name, fitted in job.models.items()
    ]
    return _found(job, done, (ground.kinds, budget), says, more)


def _ground_of(job: _Job) -> tuple[PlantedRuns | PlantedSamples | LabelledSamples, str, dict[str, Any]]:
    """What is judged, how it came about in words, and what else the report says of it."""
    fitted, source, settings = job.first, job.source, job.settings
    if job.labelled:
        found = LabelledSamples.of(fitted, source, settings)
        words = f"labelled: {found.total - found.counts['']} of {found.total} {words_of(fitted)}"
        return found, words, {"samples": found.total, "messages": found.messages}
    if isinstance(source, RunFolder):
        runs = PlantedRuns.of(fitted, source, settings)
        more: dict[str, Any] = {"samples": len(runs.runs), "notes": runs.notes, "messages": runs.messages}
        return runs, f"planted into {len(runs.runs)} good runs", more
    planted = PlantedSamples.of(fitted, source, settings)
    seen = planted.gathered
    more = {"samples": seen.samples, "messages": seen.messages, "start_ns": seen.start_ns, "end_ns": seen.end_ns}
    return planted, f"planted into {seen.samples} good {words_of(fitted)}", more


def _found(
    job: _Job, done: Sequence[Judged], asked: tuple[Mapping[str, Kind], Budget], says: str, more: Mapping[str, Any]
) -> Commissioning:
    """All models side by side, and chance beside the first."""
    kinds, budget = asked
    rows = [row for judged in done for row in judged.rows]
    if not rows:
        raise SettingsError("none of the faults is left to count: all of them are where the data alarm by themselves")
    job.tell("done", 1.0)
    return Commissioning(
        rows=(*rows, *done[0].chance),
        false_alarms=tuple(counted for judged in done for counted in judged.false_alarms),
        settings=job.settings,
        budget=budget,
        lineages={name: fitted.lineage for name, fitted in job.models.items()},
        files=tuple(str(path) for path in files_of(job.source)),
        kinds={name: kind.says for name, kind in kinds.items()},
        says=says,
        planted=not job.labelled,
        **more,
    )
