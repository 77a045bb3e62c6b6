"""Fit a scorer of runs on a folder of good ones, and judge folders of others."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import lynkeus
from lynkeus.core import (
    Calibration,
    CalibrationError,
    Floats,
    Judging,
    RunRecord,
    Scorer,
    SettingsError,
    SourceError,
    plugins,
)
from lynkeus.fitting.fitted_runs import FALSE_ALARMS, RUN_KINDS, FittedRuns, check_rate, run_kind
from lynkeus.fitting.reference_parts import far_runs, two_kinds
from lynkeus.fitting.sections import JudgedSections
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.runs.folder import Reader, Run, RunFile, RunReader, Runs, first_events
from lynkeus.sources.runs.histograms import HistogramReader, book_of, holds_histograms
from lynkeus.transforms.event_columns import EventColumns

FOLDS = 5
FIT_EVENTS = 20_000  # of each good run that are learned from; its plots count all
FEWEST_RUNS = 20  # for a calibration; scorers that give p-values themselves need fewer
Progress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class RunFitSettings:
    """`scorer` by name with `options`; `group`: the column of classes, '' for the first column of text."""

    scorer: str
    options: Mapping[str, Any] = field(default_factory=dict)
    group: str = ""


@dataclass(frozen=True)
class RunFit:
    """A model and what there is to say about its reference."""

    fitted: FittedRuns
    messages: list[str]


def fit_runs(files: Sequence[RunFile], settings: RunFitSettings, progress: Progress) -> RunFit:
    """Learn from good runs; those that cannot be read, and those that are far from all others, are left out and named.

    Raises SettingsError for a scorer that does not read such runs, SourceError where no run is left, CalibrationError
    where there are too few.
    """
    require_runs(settings.scorer)
    plugins.make_scorer(settings.scorer, settings.options)  # its settings are checked before anything is read
    reader, readable, messages = _booked(files, settings)
    runs = []
    for number, run in enumerate(read_runs(readable, reader)):
        progress(f"read {run.name}", (number + 1) / len(readable))
        if run.problem:
            messages.append(f"{run.problem}; left out")
        else:
            runs.append(run)
    if not runs:
        raise SourceError(f"none of the {len(files)} runs can be learned from; the first: {messages[0]}")
    counts, events = np.stack([run.counts for run in runs]), np.array([run.events for run in runs])
    far = far_runs(counts, events, reader.book.slices())
    near = [run for run, is_far in zip(runs, far, strict=True) if not is_far]
    scorer, calibration = _learn(settings, Runs(reader, near, run_kind(settings.scorer)), progress)
    kept = [run for run in near if run.name not in set(getattr(scorer, "outlying_", ()))]
    outlying = [run.name for run in runs if run not in kept]
    messages += [f"left out {name!r}: {why}" for name, why in reader.columns.left_out.items()]
    if outlying:
        messages.append(f"runs of the reference that are not like the others, and were left out: {listed(outlying)}")
    fitted = FittedRuns(
        settings.scorer, scorer, reader.columns, reader.book, np.stack([run.counts for run in kept]),
        np.array([run.events for run in kept]), calibration, _lineage(settings, files, kept, outlying),
    )  # fmt: skip
    return RunFit(fitted, messages + _kinds_of_runs(fitted, [run.name for run in kept]))


def require_runs(scorer: str) -> None:
    """Raise SettingsError for a scorer that does not read runs, which it need not be imported for."""
    if not run_kind(scorer):
        raise SettingsError(
            f"the scorer {scorer} reads {' or '.join(plugins.about(scorer).kinds)}, not runs; with --run-per-file "
            f"choose one of {', '.join(run_scorers())}"
        )


def run_scorers(*kinds: str) -> list[str]:
    """Names of the scorers that read runs, as clouds or as histograms."""
    return [name for name in plugins.entries("scorers") if run_kind(name) in (kinds or RUN_KINDS)]


def read_runs(files: Iterable[RunFile], reader: Reader) -> Iterator[Run]:
    """One after the other."""
    for file in files:
        yield reader.read(file)


def _booked(files: Sequence[RunFile], settings: RunFitSettings) -> tuple[Reader, list[RunFile], list[str]]:
    """How to read the runs, those that can be read, and what is wrong with the others."""
    kind = run_kind(settings.scorer)
    if holds_histograms(files):
        if kind == "cloud":
            raise SettingsError(
                f"the scorer {settings.scorer} reads events, but these runs are histograms; choose one of "
                f"{', '.join(run_scorers('histogram'))}"
            )
        book, readable, messages = book_of(files)
        return HistogramReader(book), readable, messages
    found, messages = first_events(files)
    if not found:
        raise SourceError(f"none of the {len(files)} runs can be read; the first: {messages[0]}")
    columns = EventColumns.fit([events for _, events in found], settings.group)
    samples = [events for _, events in found if not columns.problem(events)]
    pooled = np.concatenate([columns.values(events) for events in samples])
    book = columns.book(pooled, np.concatenate([columns.group_of(events) for events in samples]))
    return RunReader(columns, book, FIT_EVENTS), [run for run, _ in found], messages


def _learn(settings: RunFitSettings, runs: Runs, progress: Progress) -> tuple[Scorer, Calibration | None]:
    """A scorer, and its calibration where it gives no p-values itself."""
    progress(f"learn from {len(runs)} runs", None)
    scorer: Scorer = plugins.make_scorer(settings.scorer, settings.options).fit(runs)
    if isinstance(scorer, Judging):
        return scorer, None
    return scorer, Calibration.fit(_fold_scores(settings, runs, progress), None)


def _fold_scores(settings: RunFitSettings, runs: Runs, progress: Progress) -> Floats:
    """(runs,) by folds: each run is scored by a scorer that has not seen it."""
    if len(runs) < FEWEST_RUNS:
        raise CalibrationError(
            f"only {len(runs)} good runs; the scorer {settings.scorer} needs {FEWEST_RUNS} to know how rare a score is "
            "(population needs fewer)"
        )
    scores = np.empty(len(runs))
    for fold in range(FOLDS):
        progress(f"calibrate {fold + 1} of {FOLDS}", fold / FOLDS)
        learn = [run for k, run in enumerate(runs.runs) if k % FOLDS != fold]
        scorer = plugins.make_scorer(settings.scorer, settings.options).fit(Runs(runs.reader, learn, runs.kind))
        for k in range(fold, len(runs), FOLDS):
            scores[k] = scorer.score(runs.batch(runs.runs[k]))[0, 0]
    return scores


def _kinds_of_runs(fitted: FittedRuns, names: list[str]) -> list[str]:
    """What is to be said where the good runs are of two kinds."""
    kinds = two_kinds(fitted.counts, fitted.events, fitted.book.slices())
    if kinds is None:
        return []
    smaller, plot = kinds
    return [
        f"the good runs are of two kinds, {int((~smaller).sum())} and {int(smaller.sum())} of them, which differ most "
        f"in {fitted.book.plots[plot].name!r}: leave one kind out unless both are good; the smaller one: "
        f"{listed([name for name, is_in in zip(names, smaller, strict=True) if is_in])}"
    ]


def _lineage(
    settings: RunFitSettings, files: Sequence[RunFile], kept: Sequence[Run], outlying: Sequence[str]
) -> dict[str, Any]:
    return {
        "scorer": settings.scorer,
        "options": dict(settings.options),
        "fitted_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "version": lynkeus.__version__,
        "files": [str(file.path or file.name) for file in files],
        "runs": [run.name for run in kept],
        "outlying": list(outlying),
        "events": float(sum(run.events for run in kept)),
    }


def judge_runs(
    fitted: FittedRuns, files: Sequence[RunFile], progress: Progress, false_alarms: float = FALSE_ALARMS,
    section: str = "",
) -> Iterator[RunRecord]:  # fmt: skip
    """A record of each run, after those of its sections, cut at the values of the column `section`.

    One run is in memory at a time. Sections that cannot be cut are told in the messages of the run. Raises
    SettingsError for a rate that is none.
    """
    check_rate(false_alarms)
    sections = JudgedSections(fitted, section) if section else None
    for number, file in enumerate(files):
        messages: tuple[str, ...] = ()
        run = fitted.reader.read(file)
        if sections and not run.problem:
            try:
                yield from sections.records(file, false_alarms)
            except SettingsError as error:
                messages = (str(error),)
        yield replace(fitted.record(run, false_alarms), messages=messages)
        progress(f"{number + 1} of {len(files)} runs", (number + 1) / len(files))


def verdict_row(record: RunRecord) -> dict[str, Any]:
    """A row of the table of verdicts."""
    change = record.change
    return {
        "run": record.run,
        "verdict": record.verdict.value.upper(),
        "p_value": record.p_value,
        "change": change.kind,
        "population": change.population,
        "variable": change.variable,
        "where": change.where,
        "size": change.size if change.kind != "none" else float("nan"),
        "unit": change.unit,
        "sigma": change.sigma,
        "reason": record.reason,
        "score": record.score,
        "events": record.events,
        "start_ns": record.start_ns,
        "region": json.dumps({name: list(ends) for name, ends in change.region.items()}),
    }


def write_verdicts(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """The table as Parquet, complete or not at all."""
    table = pa.Table.from_pylist([dict(row) for row in rows])
    at = table.schema.get_field_index("start_ns")
    table = table.set_column(at, "start_ns", table.column(at).cast(pa.int64()))
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, partial)
    partial.replace(path)
