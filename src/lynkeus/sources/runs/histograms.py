"""Runs that are sets of histograms: the plots that most good runs have, and each run in these."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lynkeus.core.errors import SourceError
from lynkeus.core.runs import NEW_LABEL, Book, Plot
from lynkeus.sources.formats.root_files import in_words, open_root
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.runs.booked import Fitted, fitted
from lynkeus.sources.runs.events import not_read
from lynkeus.sources.runs.filled import Read, common_names, read_histograms
from lynkeus.sources.runs.folder import JSON, MOST_EVENTS, Reader, Run, RunFile, RunReader, unreadable
from lynkeus.sources.runs.profiles import Profile, usual_of
from lynkeus.sources.runs.standard import BOOKKEEPING, HDF5, has_histograms
from lynkeus.transforms.event_columns import MOST, NO_COLUMNS, EventColumns, in_most

MOST_LABELS = 200  # of an axis, of those that few good runs have
FEWEST_TO_LACK = 4  # runs from which on one may lack a plot


def holds_histograms(runs: Sequence[RunFile]) -> bool:
    """Return whether runs are sets of histograms, by the first file that says so: JSON, or ROOT or HDF5 with histograms
    and no tree or table of more than a few entries."""
    for run in runs:
        if run.path is None or run.path.suffix.lower() not in (".root", JSON, *HDF5):
            return False
        if run.path.suffix.lower() == JSON:
            return True
        try:
            if run.path.suffix.lower() in HDF5:
                return has_histograms(run.path)
            with open_root(run.path) as content:
                if not content.histograms:
                    return not content.trees
                return all(int(read().num_entries) < BOOKKEEPING for read in content.trees.values())
        except SourceError:
            continue
    return False


def book_of(runs: Sequence[RunFile]) -> tuple[Book, list[RunFile], list[str]]:
    """Return the plots that most good runs have, with the same edges or labels; the runs that can be read, and what is
    left out.

    Raises SourceError where no run can be read, or there is no plot that most of them have.
    """
    readable, plots, messages = [], list[list[Plot]](), list[str]()
    others, damaged = dict[str, str](), dict[str, str]()
    profiles = defaultdict[Plot, list[Profile]](list)
    for run in runs:
        try:
            read = _of_run(run)
        except SourceError as error:
            messages.append(f"{error}; left out")
            continue
        plots.append([filled.plot for filled in read.plots.values()])
        for filled in read.plots.values():
            if filled.profile is not None:
                profiles[filled.plot].append(filled.profile)
        others |= read.others
        damaged |= {name: f"{name} ({why}, in {run.where})" for name, why in read.damaged.items()}
        readable.append(run)
    if not readable:
        raise SourceError(f"none of the {len(runs)} runs can be read; the first: {messages[0]}")
    shared = _shared([[_kind(plot) for plot in own] for own in plots])
    if not shared:
        raise SourceError(f"{readable[0].where}: no plot is in most of the runs with the same edges; give runs alike")
    names = {plot.name for plot in shared}
    rare = list(dict.fromkeys(plot.name for own in plots for plot in own if plot.name not in names))
    if rare:
        messages.append(f"plots that are not in most good runs with the same edges are left out: {listed(rare)}")
    if others:
        messages.append(f"not read, as they are no histograms of one axis or two: {in_words(others)}")
    lost = [why for name, why in damaged.items() if name not in names]
    if lost:
        messages.append(f"plots that cannot be read in any run, or in too many: {listed(lost)}")
    booked = [usual_of(plot, profiles[plot]) if plot.profile else _labelled(plot, plots) for plot in shared]
    return Book(tuple(booked)), readable, messages


@dataclass(frozen=True)
class HistogramReader:
    """Reads runs of histograms into the `book` of a model."""

    book: Book

    @property
    def columns(self) -> EventColumns:
        """Return no columns: there are no events."""
        return NO_COLUMNS

    def read(self, run: RunFile) -> Run:
        """Return one run; its `events` are the sum of its fullest plot, in effective entries. A plot that is missing or
        damaged costs that plot, and is named in its `note`; what leaves nothing to judge is in its `problem`."""
        try:
            read = _of_run(run)
        except SourceError as error:
            return unreadable(run, self, str(error))
        rows = [self._fitted(plot, read, run) for plot in self.book.plots]
        problems = [row.problem for row in rows if row.problem]
        if len(problems) == len(rows):
            return unreadable(run, self, f"{run.where}: {problems[0]}")
        events = max(float(row.counts.sum()) for row in rows if not row.problem)
        problem = "" if events > 0 else f"{run.where}: all histograms are empty; take the run out, or fill them"
        counts = np.concatenate([row.counts for row in rows])
        nothing = np.empty((0, 0)), np.empty(0, "U1")
        new = {plot.name: row.new for plot, row in zip(self.book.plots, rows, strict=True) if any(row.new)}
        return Run(run.name, *nothing, counts, events, problem=problem, note=_note(rows, problems), new_labels=new)

    def _fitted(self, plot: Plot, read: Read, run: RunFile) -> Fitted:
        """Return the histogram of a plot; models of before may know it by a name with the number of a run."""
        where = f"the plot {plot.name!r}"
        for name in (plot.name, common_names([plot.name], run.path.stem if run.path else run.name)[plot.name]):
            if name in read.plots:
                return fitted(plot, read.plots[name], where)
            if why := read.why_not(name):
                return Fitted(np.full(plot.bins, np.nan), f"{where} {why}")
        return fitted(plot, None, where)


def reader_of(columns: EventColumns, book: Book, most: int = MOST_EVENTS) -> Reader:
    """Return the reader of the runs that a model was fitted on."""
    return RunReader(columns, book, most) if columns.names else HistogramReader(book)


def left_out(run: RunFile, columns: EventColumns, book: Book) -> list[str]:
    """Return in a line each what the file of a run holds and a model does not look at; nothing where it cannot be
    read."""
    if run.path is None:
        return []
    try:
        if columns.names:
            return not_read(run.path, columns.tree)
        read = _of_run(run)
    except SourceError:
        return []
    names = [plot.name for plot in book.plots]
    known = {*names, *common_names(names, run.path.stem).values()}
    more = [name for name in read.plots if name not in known]
    said = [f"plots that the good runs do not have are not judged: {listed(more)}"] if more else []
    if read.others:
        said.append(f"not read, as they are no histograms of one axis or two: {in_words(read.others)}")
    lost = [f"{name} ({why})" for name, why in read.damaged.items() if name not in known]
    if lost:
        said.append(f"cannot be read, and is not judged: {listed(lost)}")
    return said


def _note(rows: Sequence[Fitted], problems: Sequence[str]) -> str:
    notes = [row.note for row in rows if row.note]
    return "; ".join([*(f"not judged: {problem}" for problem in problems[:3]), *_more(problems), *notes])


def _more(problems: Sequence[str]) -> list[str]:
    return [f"and {len(problems) - 3} more plots are not judged"] if len(problems) > 3 else []


def _of_run(run: RunFile) -> Read:
    if run.path is None:
        raise SourceError(f"{run.name}: is a run of events, but the good runs are histograms; give files of histograms")
    return read_histograms(run.path)


def _shared(kinds: Sequence[Sequence[Plot]]) -> list[Plot]:
    """Return the plots that nearly all runs have: of a few runs one may lack a plot, or have another binning."""
    runs, counted = len(kinds), Counter(kind for own in kinds for kind in own)
    least = min(MOST * runs, runs - 1.0) if runs >= FEWEST_TO_LACK else MOST * runs
    return [kind for kind, times in counted.items() if times >= least]


def _kind(plot: Plot) -> Plot:
    """Return what plots of one name must share: edges; of an axis with labels only that it has them, but all of a
    profile."""
    if not plot.labels or plot.profile:
        return plot
    edges = tuple((0.0, 1.0) if plot.named(k) else axis for k, axis in enumerate(plot.edges))
    return replace(plot, edges=edges, labels=tuple(("",) if own else () for own in plot.labels))


def _labels(own: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    usual = in_most(own)
    rare = dict.fromkeys(label for labels in own for label in labels)
    return (*dict.fromkeys([*usual, *list(rare)[:MOST_LABELS]]), NEW_LABEL) if usual else ()


def _labelled(kind: Plot, plots: Sequence[Sequence[Plot]]) -> Plot:
    """Return a plot with the labels of good runs on each of its axes, those that most have first, and a bin of its own
    for what no good run has."""
    if not kind.labels:
        return kind
    own = [plot for found in plots for plot in found if _kind(plot) == kind]
    labels = tuple(_labels([plot.named(k) for plot in own]) if kind.named(k) else () for k in range(len(kind.edges)))
    edges = tuple(
        tuple(float(edge) for edge in range(len(labels[k]) + 1)) if labels[k] else axis
        for k, axis in enumerate(kind.edges)
    )
    return replace(kind, edges=edges, labels=labels)
