"""RunPlots: whole runs as a model reads them: the columns of their events that count, and the plots of its book."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from lynkeus.core import NOTHING, Array, Batch, Book, Evidence, Finding, Floats, Schema, SettingsError, Source
from lynkeus.fitting.evidence.plot_change import change_of
from lynkeus.fitting.evidence.plot_place import changed_at, labelled
from lynkeus.fitting.evidence.plots import ReferencePlots
from lynkeus.fitting.views.view import PLOT_SIGMA
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.runs.folder import MOST_EVENTS, Reader, Run
from lynkeus.sources.runs.histograms import reader_of
from lynkeus.sources.runs.read import ReadRuns, RunFolder
from lynkeus.transforms.event_columns import EventColumns
from lynkeus.transforms.yields import PlotYields

ODD = 5.0  # sigmas from which plots are named beside the oddest


@dataclass
class RunPlots:
    """The `columns` of runs of events (none for runs of histograms) and the plots of their `book`; see View.

    `sees`: how the scorer sees a run, as a "cloud" of its events or as the "histogram" of its plots. `read`: the good
    runs, held while a model is fitted.
    """

    columns: EventColumns
    book: Book
    sees: str
    read: tuple[Run, ...] = field(default=(), repr=False, compare=False)
    _plots: ReferencePlots | None = field(default=None, init=False, repr=False, compare=False)
    _yields: PlotYields | None = field(default=None, init=False, repr=False, compare=False)
    kind: ClassVar[str] = "runs"
    worth: ClassVar[float] = 0.2
    alone: ClassVar[bool] = True
    window: ClassVar[int] = 0
    stride: ClassVar[int] = 0
    layout: ClassVar[None] = None

    @property
    def reader(self) -> Reader:
        """Reads runs with these columns and this book."""
        return reader_of(self.columns, self.book, MOST_EVENTS if self.sees == "cloud" else 1)

    @property
    def schema(self) -> Schema:
        """Return the schema of the runs as the scorer sees them."""
        return ReadRuns(self.reader, (), self.sees).schema

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the plots."""
        return tuple(plot.name for plot in self.book.plots)

    def of(self, source: Source, who: str = "the model") -> ReadRuns:
        """Return one batch for each run. Raises SchemaError where the data are no runs."""
        if not isinstance(source, RunFolder | ReadRuns):
            raise SettingsError(f"{who} reads runs, a file of events each; give their folder")
        return ReadRuns(self.reader, source.runs, self.sees)

    def training(self, source: Source) -> ReadRuns:
        """Return the good runs that were read when the view was chosen."""
        return ReadRuns(self.reader, self.read, self.sees)

    def batch(self, run: Run) -> Batch:
        """Return one run as a batch of one sample."""
        return ReadRuns(self.reader, (), self.sees).batch(run)

    def plots_of(self, reference: dict[str, Array]) -> ReferencePlots:
        """Return the plots of good runs, from the reference of the model."""
        if self._plots is None:
            self._plots = ReferencePlots.fit(reference["counts"].astype(float), reference["events"].astype(float))
        return self._plots

    def places(self, batch: Batch, evidence: Evidence, reference: dict[str, Array]) -> list[Finding]:
        """Say what changed in the plot that the scorer finds most conspicuous, of one that does not judge plots where
        its own pulls are largest, of one that reads events where the plots differ most from those of good runs.

        A plot is named whatever happened in it, and a place in it.
        """
        plots = self.plots_of(reference)
        own = evidence if self.sees == "histogram" else [None] * len(batch)
        return [self._change(batch, row, plots, pulls) for row, pulls in enumerate(own)]

    def book_of(self, batch: Batch, row: int = 0) -> Book:
        """Return the plots with the labels that one run has and no good one."""
        new = json.loads(str(batch.meta["new_labels"][row])) if "new_labels" in batch.meta else {}
        if not new:
            return self.book
        return Book(tuple(plot.with_new(new[plot.name]) if plot.name in new else plot for plot in self.book.plots))

    def sums(self, counts: Floats) -> Floats:
        """Return the sum of the bins of each plot (..., plots); NaN for a plot that a run does not have."""
        return np.add.reduceat(counts, [where.start for where in self.book.slices()], axis=-1)

    def yields_of(self, reference: dict[str, Array]) -> PlotYields | None:
        """Return how full good runs fill each plot; None where a scorer sees events, which has its own way."""
        if self.sees != "histogram":
            return None
        if self._yields is None:
            self._yields = PlotYields.fit(self.sums(reference["counts"].astype(float)))
        return self._yields

    def _change(self, batch: Batch, row: int, plots: ReferencePlots, pulls: Array | None) -> Finding:
        counts, events = batch.meta["counts"][row], float(batch.meta["events"][row])
        slices = self.book.slices()
        if PLOT_SIGMA in batch.meta:
            sigmas = np.nan_to_num(batch.meta[PLOT_SIGMA][row], nan=-np.inf)
        elif pulls is not None:
            sigmas = np.array([float(np.abs(pulls[where]).max()) for where in slices])
        else:
            sigmas = np.nan_to_num([record.sigma for record in plots.records(self.book, counts, events, ())])
        worst = int(sigmas.argmax())
        plot, where = self.book_of(batch, row).plots[worst], slices[worst]
        own = plots.pulls(counts, events)[where] if pulls is None else pulls[where]
        expected, variance = (numbers[where] for numbers in plots.expected(events))
        if pulls is not None and expected.sum() > 0:  # how full a plot is, is a question of its own: `yields_of`
            more = float(np.nansum(counts[where]) / expected.sum())
            expected, variance = expected * more, variance * more
        change = NOTHING if labelled(plot) else change_of(plot, counts[where], expected, variance)
        if change.kind == "none":
            change = changed_at(plot, np.nan_to_num(counts[where]), expected, own)
        says = f"{plot.name}: {change.kind} at {change.where} ({change.sigma:.1f} sigma)"
        beside = [self.book.plots[k].name for k in np.argsort(-sigmas) if k != worst and sigmas[k] > ODD]
        says += f"; odd, too: {listed(beside)}" if beside and (PLOT_SIGMA in batch.meta or pulls is None) else ""
        return change._replace(group=plot.group, says=says)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {"kind": self.kind, "columns": self.columns.to_dict(), "book": self.book.to_list(), "sees": self.sees}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `to_dict` was called on."""
        return cls(EventColumns.from_dict(fields["columns"]), Book.from_list(fields["book"]), fields["sees"])
