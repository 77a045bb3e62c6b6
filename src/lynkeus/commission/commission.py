"""Commissioning: a scorer proves itself at a fixed budget of false alarms, on any kind of samples.

Faults of known kind and size are planted into real good data, or the labels of the data say what is faulty. Rows in
time alarm as a watch would, at so many false alarms an hour; samples that stand alone (pulses, rows without times,
images, runs) are judged one by one, at a share of good ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from lynkeus.commission.found import Commissioning, FalseAlarms
from lynkeus.commission.judge import Judged, judge
from lynkeus.commission.labels import LabelledSamples, has_labels, label_kinds, names_of_labels
from lynkeus.commission.passes import Stretches
from lynkeus.commission.plant.planter import Kind
from lynkeus.commission.runs import PlantedRuns
from lynkeus.commission.samples import PlantedSamples, same_view, words_of
from lynkeus.commission.settings import OF_GOOD, Budget, CommissionSettings, Progress
from lynkeus.commission.streams import Stream, check_length, judge_stream
from lynkeus.commission.turn_on import CHANCE
from lynkeus.core import SettingsError, Source
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
) -> Commissioning:
    """Commission a fitted scorer on good data that it has not seen, beside others that get the very same faults; or on
    data whose labels say what is faulty.

    `progress` is told what is being done and the share that is done. Raises CalibrationError for a budget that a
    reference cannot support, SourceError for data that are too short, SettingsError for samples into which nothing can
    be planted, or labels that do not name good and faulty ones.
    """
    settings = settings or CommissionSettings()
    labelled = settings.labels == "need" or (settings.labels == "find" and has_labels(source))
    job = _Job(_by_name(fitted, compare or {}), source, settings, progress or _silent, labelled)
    return _stream(job) if in_time(job.models, source) else _alone(job)


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

    def part(self, name: str) -> Progress:
        """Progress of one model among several."""
        number = list(self.models).index(name)
        return lambda what, share: self.tell(f"{name}, {what}" if what else name, (number + share) / len(self.models))


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


def _stream(job: _Job) -> Commissioning:
    """Rows in time."""
    source, settings = job.source, job.settings
    for name, fitted in job.models.items():
        Stream(source, {}, settings, [], 0).require(name, fitted)
        if not job.labelled:
            check_length(fitted.view.window, settings)
    job.tell("labels of the data" if job.labelled else "jitter of the data", 0.0)
    planted = Stream.planted if not job.labelled else _labelled_stream
    stream = planted(job.first, source, settings)
    done = [judge_stream(name, fitted, stream, job.part(name)) for name, fitted in job.models.items()]
    says = f"planted into {stream.samples} rows of data, {settings.length} rows each"
    says = f"labelled in {stream.samples} rows of data" if job.labelled else says
    more = {"samples": stream.samples, "start_ns": done[0].start_ns, "end_ns": done[0].end_ns}
    return _found(job, [one.judged for one in done], (stream.kinds, stream.budget), says, more)


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


def _alone(job: _Job) -> Commissioning:
    """Samples that stand alone."""
    budget = Budget(job.settings.false_alarms, OF_GOOD)
    for fitted in job.models.values():
        budget.check(fitted)
    job.tell("labels of the data" if job.labelled else "good samples", 0.0)
    ground, says, more = _ground(job.first, job.source, job.settings, job.labelled)
    for name, fitted in job.models.items():
        if isinstance(ground, PlantedRuns):
            ground.require(name, fitted)
        elif isinstance(ground, PlantedSamples):
            same_view(ground.source, fitted.prepare(job.source), name)
    done = []
    for name, fitted in job.models.items():
        tell = partial(job.part(name), "")
        done.append(judge(name, fitted, ground, budget, tell, job.settings.seed))
    return _found(job, done, (ground.kinds, budget), says, more)


def _ground(
    fitted: Fitted, source: Source, settings: CommissionSettings, labelled: bool
) -> tuple[PlantedRuns | PlantedSamples | LabelledSamples, str, dict[str, Any]]:
    """What is judged, how it came about in words, and what else the report says of it."""
    if labelled:
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
