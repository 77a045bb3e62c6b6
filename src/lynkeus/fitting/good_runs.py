"""Good runs to learn from: how they are read, which of them can be, and which are far from all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from lynkeus.core import Book, Floats, SettingsError, SourceError, plugins
from lynkeus.core.progress import ReportProgress
from lynkeus.fitting.reference_parts import far_runs, two_kinds
from lynkeus.fitting.views.run_plots import RunPlots
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.runs.events import not_read
from lynkeus.sources.runs.folder import Run, RunFile, RunReader, first_events
from lynkeus.sources.runs.histograms import book_of, holds_histograms
from lynkeus.sources.runs.read import RunFolder
from lynkeus.transforms.event_columns import NO_COLUMNS, EventColumns

FIT_EVENTS = 20_000  # of each good run that are learned from; its plots count all
MOST_NOTES = 3
RUN_KINDS = ("cloud", "histogram")


class ReferenceRuns(NamedTuple):
    """How runs are read (`view`, which holds those to learn from), the runs `far` from all others, and what there is to
    say of those that were left out (`messages`)."""

    view: RunPlots
    far: tuple[Run, ...]
    messages: list[str]


def run_kind(scorer: str) -> str:
    """Return how a scorer sees whole runs: as a "cloud" or as a "histogram"; '' where it does not."""
    about = plugins.about(scorer)
    return next((kind for kind in about.kinds if kind in RUN_KINDS), "") if about.runs else ""


def run_scorers(*kinds: str) -> list[str]:
    """Return the names of the scorers that read runs, as clouds or as histograms."""
    return [name for name in plugins.entries("scorers") if run_kind(name) in (kinds or RUN_KINDS)]


def require_runs(scorer: str) -> None:
    """Raise SettingsError for a scorer that does not read runs, which it need not be imported for."""
    if not run_kind(scorer):
        raise SettingsError(
            f"the scorer {scorer} reads {' or '.join(plugins.about(scorer).kinds)}, not runs; with --run-per-file "
            f"choose one of {', '.join(run_scorers())}"
        )


class RunFitSettings(Protocol):
    """What `good_runs` reads of the settings of a fit."""

    @property
    def scorer(self) -> str: ...

    @property
    def group(self) -> str: ...

    @property
    def tree(self) -> str: ...

    @property
    def runs(self) -> Mapping[str, int]: ...


def good_runs(folder: RunFolder, settings: RunFitSettings, progress: ReportProgress) -> ReferenceRuns:
    """Read good runs; those that cannot be read, those that people called bad, and those that are far from all others
    though nobody called them good, are left out and named.

    Raises SettingsError for a scorer that does not read such runs, SourceError where no run is left.
    """
    bad = [run.name for run in folder.runs if settings.runs.get(run.name)]
    files = [run for run in folder.runs if run.name not in set(bad)]
    columns, book, readable, messages = _booked(files, settings.scorer, settings.group, settings.tree)
    messages += [f"runs that people called bad, and were left out: {listed(bad)}"] if bad else []
    view = RunPlots(columns, book, run_kind(settings.scorer))
    reader = RunReader(columns, book, FIT_EVENTS) if columns.names else view.reader
    runs, notes = list[Run](), list[str]()
    for number, file in enumerate(readable):
        run = reader.read(file)
        progress(f"read {run.name}", (number + 1) / len(readable))
        if run.problem:
            messages.append(f"{run.problem}; left out")
            continue
        notes += [f"{file.where}: {run.note}"] if run.note else []
        runs.append(run)
    if not runs:
        raise SourceError(f"none of the {len(folder)} runs can be learned from; the first: {messages[0]}")
    messages += [
        *notes[:MOST_NOTES],
        *([f"and {len(notes) - MOST_NOTES} more runs like that"] if notes[MOST_NOTES:] else []),
    ]
    messages += [f"left out {name!r}: {why}" for name, why in columns.left_out.items()]
    return without_far(view, runs, settings.runs, messages)


def without_far(view: RunPlots, runs: Sequence[Run], labels: Mapping[str, int], messages: list[str]) -> ReferenceRuns:
    """Return runs as they were read without those that are far from all others, though nobody called them good (by
    their name, 0 in `labels`)."""
    runs = [replace(run, good=labels.get(run.name) == 0) for run in runs]
    counts, events = complete([run.counts for run in runs]), np.array([run.events for run in runs])
    is_far = far_runs(counts, events, view.book.slices())
    is_far &= ~np.array([run.good for run in runs])
    near = tuple(run for run, far in zip(runs, is_far, strict=True) if not far)
    far = tuple(run for run, far in zip(runs, is_far, strict=True) if far)
    return ReferenceRuns(replace(view, read=near), far, messages)


def _booked(
    files: Sequence[RunFile], scorer: str, group: str, tree: str
) -> tuple[EventColumns, Book, Sequence[RunFile], list[str]]:
    """The columns and plots of the runs, those that can be read, and what is wrong with the others."""
    kind = run_kind(scorer)
    if not tree and holds_histograms(files):
        if kind == "cloud":
            raise SettingsError(
                f"the scorer {scorer} reads events, but these runs are histograms; choose one of "
                f"{', '.join(run_scorers('histogram'))}"
            )
        return (NO_COLUMNS, *book_of(files))
    found, messages = first_events(files)
    if not found:
        raise SourceError(f"none of the {len(files)} runs can be read; the first: {messages[0]}")
    first = next((run for run, _ in found if run.path is not None), None)
    messages += not_read(first.path, tree) if first is not None and first.path is not None else []
    columns = EventColumns.fit([events for _, events in found], group)
    samples = [events for _, events in found if not columns.problem(events)]
    pooled = np.concatenate([columns.values(events) for events in samples])
    book = columns.book(pooled, np.concatenate([columns.group_of(events) for events in samples]))
    return replace(columns, tree=tree), book, [run for run, _ in found], messages


def complete(rows: Sequence[Floats]) -> Floats:
    """Return counts (runs, bins) in which a plot that a run lacks is as in the others, so that it is not far from
    them."""
    counts = np.stack(rows)
    lacking = ~np.isfinite(counts)
    if lacking.any():
        known = np.maximum((~lacking).sum(axis=0), 1)
        counts = np.where(lacking, np.where(lacking, 0.0, counts).sum(axis=0) / known, counts)
    return counts


def two_kinds_line(view: RunPlots, runs: Sequence[Run]) -> list[str]:
    """Return what is to be said where the good runs are of two kinds."""
    counts, events = complete([run.counts for run in runs]), np.array([run.events for run in runs])
    kinds = two_kinds(counts, events, view.book.slices())
    if kinds is None:
        return []
    smaller, plot = kinds
    names = [run.name for run, is_in in zip(runs, smaller, strict=True) if is_in]
    return [
        f"the good runs are of two kinds, {int((~smaller).sum())} and {int(smaller.sum())} of them, which differ most "
        f"in {view.book.plots[plot].name!r}: leave one kind out unless both are good; the smaller one: {listed(names)}"
    ]
