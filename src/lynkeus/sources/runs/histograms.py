"""Runs that are sets of histograms: one ROOT file each, or one file of JSON after the UHI standard.

Names of plots are kept as they are, with the folders of a ROOT file before them: `S2/area [SS]`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import boost_histogram as bh
import numpy as np
from boost_histogram.serialization import from_uhi

from lynkeus.core.batch import Array, Floats
from lynkeus.core.errors import SourceError
from lynkeus.core.runs import Book, Plot
from lynkeus.files.damaged import in_time, one_line
from lynkeus.sources.formats.root_files import open_root
from lynkeus.sources.formats.tables import existing_file, listed
from lynkeus.sources.runs.folder import JSON, MOST_EVENTS, Reader, Run, RunFile, RunReader, unreadable
from lynkeus.transforms.event_columns import NO_COLUMNS, EventColumns, in_most

EVEN = 1e-6  # relative differences of edges, or of their ratios, that do not count


class Filled(NamedTuple):
    """A histogram as it was read: (bins,) sums of weights, underflow and overflow among them."""

    plot: Plot
    counts: Floats


def holds_histograms(runs: Sequence[RunFile]) -> bool:
    """Return whether runs are sets of histograms, by the first file that says so: JSON, or ROOT without a tree."""
    for run in runs:
        if run.path is None or run.path.suffix.lower() not in (".root", JSON):
            return False
        try:
            return bool(run.path.suffix.lower() == JSON or not _has_tree(run.path))
        except SourceError:
            continue
    return False


def read_histograms(path: Path) -> dict[str, Filled]:
    """Return all histograms of counts in a file by name, of one axis or two. Raises SourceError where it is damaged, or
    has none."""
    with one_line(path), in_time(path):
        found = _histograms_in(path)
    if not found:
        raise SourceError(f"{path}: holds no histogram of one axis or two; write some, or take it out")
    return found


def _histograms_in(path: Path) -> dict[str, Filled]:
    if path.suffix.lower() == JSON:
        return dict(_json(path))
    if path.suffix.lower() == ".root":
        with open_root(path) as content:
            return {name: _of_root(name, key.get()) for name, key in content.histograms.items()}
    raise SourceError(f"{path}: holds events, but the good runs are histograms; fill the same plots of this run")


def book_of(runs: Sequence[RunFile]) -> tuple[Book, list[RunFile], list[str]]:
    """Return the plots that most good runs have, with the same edges; the runs that can be read, and what is left out.

    Raises SourceError where no run can be read, or there is no plot that most of them have.
    """
    readable, plots, messages = [], [], []
    for run in runs:
        try:
            plots.append([filled.plot for filled in _of_run(run).values()])
            readable.append(run)
        except SourceError as error:
            messages.append(f"{error}; left out")
    if not readable:
        raise SourceError(f"none of the {len(runs)} runs can be read; the first: {messages[0]}")
    shared = in_most(plots)
    if not shared:
        raise SourceError(f"{readable[0].where}: no plot is in most of the runs with the same edges; give runs alike")
    names = {plot.name for plot in shared}
    rare = list(dict.fromkeys(plot.name for own in plots for plot in own if plot.name not in names))
    if rare:
        messages.append(f"plots that are not in most good runs with the same edges are left out: {listed(rare)}")
    return Book(tuple(shared)), readable, messages


@dataclass(frozen=True)
class HistogramReader:
    """Reads runs of histograms into the `book` of a model."""

    book: Book

    @property
    def columns(self) -> EventColumns:
        """Return no columns: there are no events."""
        return NO_COLUMNS

    def read(self, run: RunFile) -> Run:
        """Return one run; its `events` are the sum of its fullest plot. What is wrong with it is in its `problem`."""
        try:
            found = _of_run(run)
            rows = [self._counts(plot, found, run) for plot in self.book.plots]
        except SourceError as error:
            return unreadable(run, self, str(error))
        events = max(float(row.sum()) for row in rows)
        problem = "" if events > 0 else f"{run.where}: all histograms are empty; take the run out, or fill them"
        return Run(run.name, np.empty((0, 0)), np.empty(0, "U1"), np.concatenate(rows), events, problem=problem)

    def _counts(self, plot: Plot, found: dict[str, Filled], run: RunFile) -> Floats:
        """Return the counts (bins,) of one plot. Raises SourceError where it is missing, binned otherwise, or not of
        counts."""
        where = f"{run.where}: the plot {plot.name!r}"
        if plot.name not in found:
            raise SourceError(f"{where} is missing; the good runs have it: fill it, or fit again without it")
        other, counts = found[plot.name]
        if not _same_edges(plot, other):
            raise SourceError(
                f"{where} has other bin edges than the good runs ({_axes_in_words(other)}, not "
                f"{_axes_in_words(plot)}): fill it with theirs, or fit again on runs with these"
            )
        bad = ~np.isfinite(counts) | (counts < 0)
        if bad.any():
            raise SourceError(
                f"{where} holds {counts[bad][0]:g} in bin {int(bad.argmax())}; counts are numbers, at least 0: fill it "
                "again"
            )
        return counts


def reader_of(columns: EventColumns, book: Book, most: int = MOST_EVENTS) -> Reader:
    """Return the reader of the runs that a model was fitted on."""
    return RunReader(columns, book, most) if columns.names else HistogramReader(book)


def _of_run(run: RunFile) -> dict[str, Filled]:
    if run.path is None:
        raise SourceError(f"{run.name}: is a run of events, but the good runs are histograms; give files of histograms")
    return read_histograms(run.path)


def _has_tree(path: Path) -> bool:
    with open_root(path) as content:
        return bool(content.trees)


def _of_root(name: str, histogram: Any) -> Filled:
    edges = [np.asarray(axis.edges(), float) for axis in histogram.axes]
    titles = [str(axis.member("fTitle")) for axis in histogram.axes]
    return Filled(_plot(name, edges, titles), np.asarray(histogram.values(flow=True), float).ravel())


def _json(path: Path) -> list[tuple[str, Filled]]:
    """Return the histograms of counts in a JSON file (UHI), which holds one, or several by name."""
    try:
        content = json.loads(existing_file(path).read_text(encoding="utf-8"))
        if "axes" in content:
            content = {str(content.get("metadata", {}).get("name", "histogram")): content}
        read = [(name, from_uhi(fields)) for name, fields in content.items()]
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        why = " ".join(str(error).split())
        raise SourceError(
            f"{path}: is not JSON of histograms ({type(error).__name__}: {why}); write it by uhi or boost-histogram"
        ) from error
    counts = [(name, found) for name, found in read if found.kind == bh.Kind.COUNT and found.ndim in (1, 2)]
    return [(name, _of_uhi(name, found)) for name, found in counts]


def _of_uhi(name: str, histogram: bh.Histogram) -> Filled:
    edges = [np.asarray(axis.edges, float) for axis in histogram.axes]
    titles = [str(getattr(axis, "label", "") or getattr(axis, "name", "") or "") for axis in histogram.axes]
    flow = [(0 if axis.traits.underflow else 1, 0 if axis.traits.overflow else 1) for axis in histogram.axes]
    return Filled(_plot(name, edges, titles), np.pad(np.asarray(histogram.values(flow=True), float), flow).ravel())


def _plot(name: str, edges: Sequence[Array], titles: Sequence[str]) -> Plot:
    """Return the plot of some edges. The variable of a plot with one axis is the plot itself, as others may have the
    same title."""
    named = [f"{name}: {title or axis}" for title, axis in zip(titles, "xy", strict=False)]
    if len(set(named)) < len(named):
        named = [f"{name}: x", f"{name}: y"]
    variables = (name,) if len(edges) == 1 else tuple(named)
    axes = tuple(tuple(float(edge) for edge in axis) for axis in edges)
    return Plot(name, variables, axes, name.rpartition("/")[0], tuple(map(_is_log, edges)))


def _is_log(edges: Array) -> bool:
    """Return whether the edges are spaced evenly in their logarithm."""
    if edges[0] <= 0 or len(edges) < 3:
        return False
    steps = np.diff(np.log(edges))
    return bool(np.ptp(steps) < EVEN * steps[0])


def _same_edges(plot: Plot, other: Plot) -> bool:
    if plot.shape != other.shape:
        return False
    pairs = zip(plot.edges, other.edges, strict=True)
    return all(np.allclose(a, b, rtol=0, atol=EVEN * np.diff(a).min()) for a, b in pairs)


def _axes_in_words(plot: Plot) -> str:
    return " x ".join(f"{len(axis) - 1} bins from {axis[0]:g} to {axis[-1]:g}" for axis in plot.edges)
