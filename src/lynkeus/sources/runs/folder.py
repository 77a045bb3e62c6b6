"""Runs: a folder of files with the events of one run each, or a simulator, as batches of one sample per run."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol
from zlib import crc32

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.core.runs import Book
from lynkeus.sources.open import open_source
from lynkeus.sources.runs.accumulate import Accumulator, entries_of
from lynkeus.sources.runs.events import READERS, Events, ending_of, read_events, run_name
from lynkeus.transforms.cell_resampling import positive_weights
from lynkeus.transforms.event_columns import EventColumns, is_text
from lynkeus.transforms.reservoir import reservoir

MOST_EVENTS = 1_000_000  # of a run that are kept as events; its plots count them all
FIRST_EVENTS = 20_000  # of each good run, from which the columns and the plots are chosen
EMPTY = "the run holds no events; take it out, or write it again"
TINY = 1e-300
WEIGHT, TIME, CLASS, JSON = "weight", "time_ns", "class", ".json"
RUN = "run"  # in the meta of a batch: the name of each run
RUNS, TRUTH = "runs", "truth.csv"  # in a folder that `lynkeus generate` writes


@dataclass(frozen=True)
class RunFile:
    """A run before it is read: `pieces` reads its events from the beginning."""

    name: str
    pieces: Callable[[], Iterator[Events]]
    path: Path | None = None

    @property
    def where(self) -> str:
        """Return the file, for messages; of a simulator the name of the run."""
        return str(self.path or self.name)


@dataclass(frozen=True)
class Run:
    """One run as read: `values` (n, column) of at most MOST_EVENTS events drawn at random, their `group`; `counts`
    (bins,) of all events in the book, NaN where a plot is missing, `events` how many those are (of weighted events
    effective numbers, which scatter as counts do); `problem`: why there is nothing to judge, `note`: what is not judged
    of it, or how it was read; `new_labels`: what is filled on each axis
    of some plots that no good run has; `good`: people said that it is."""

    name: str
    values: Floats
    group: Array
    counts: Floats
    events: float = 0.0
    start_ns: int | None = None
    problem: str = ""
    note: str = ""
    new_labels: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    good: bool = False


def open_runs(data: str | Path, tree: str = "") -> list[RunFile]:
    """Return the runs of a folder, a pattern, one file, or a simulator (`sim://noble?runs=20`), sorted by name; of a
    folder of `lynkeus generate` those in its `runs`. `tree`: the one whose entries are the events of a ROOT file ("":
    the largest).

    Files of JSON are runs of histograms where a folder holds no others. Raises SourceError where there are none, and
    where two files give a run one name.
    """
    if "://" in str(data):
        return _simulated(str(data))
    path = Path(data).expanduser()
    if (path / RUNS).is_dir() and (path / TRUTH).is_file():
        path = path / RUNS
    if path.is_dir():
        files = sorted(item for item in path.iterdir() if item.is_file())
        found = [item for item in files if ending_of(item) in READERS]
        found = found or [item for item in files if item.suffix.lower() == JSON]
    else:
        found = sorted(Path(name) for name in glob.glob(str(path)) if Path(name).is_file())
        found = [path] if path.is_file() else found  # a name may hold brackets
    if not found:
        raise SourceError(f"{path}: no run there; a run is a file of {', '.join([*READERS, JSON])}; give their folder")
    names: dict[str, Path] = {}
    for item in found:
        if (name := run_name(item)) in names:
            raise SourceError(
                f"{item}: the run {name!r} is there twice, also as {names[name].name}; rename or remove one"
            )
        names[name] = item
    return [_of_file(name, item, tree) for name, item in names.items()]


def _of_file(name: str, path: Path, tree: str) -> RunFile:
    return RunFile(name, partial(read_events, path, tree), path)  # which other processes can be given


def _simulated(url: str) -> list[RunFile]:
    source = open_source(url)
    if source.schema.kind != "cloud":
        raise SettingsError(f"{url}: gives a {source.schema.kind}, not runs of events; leave --run-per-file out")
    return [_of_batch(batch[k : k + 1]) for batch in source for k in range(len(batch))]


def _of_batch(batch: Batch) -> RunFile:
    events = events_of(batch)
    return RunFile(str(batch.meta[RUN][0]), partial(iter, [events]))


def events_of(batch: Batch) -> Events:
    """Return the columns of the events of one run, a batch of one sample: with their class and weight where the meta
    `group` and `weight` (1, n) give them, and when the run began."""
    there = batch.mask[0] if batch.mask is not None else np.ones(batch.values.shape[1], bool)
    events: Events = dict(zip(batch.schema.names, batch.values[0][there].T, strict=True))
    known = {name: column[0][there] for name, column in batch.meta.items() if column.shape[1:] == there.shape}
    more = {CLASS: known.get("group"), WEIGHT: known.get("weight")}
    if batch.time_ns is not None:
        more[TIME] = np.full(int(there.sum()), batch.time_ns[0])
    return events | {name: column for name, column in more.items() if column is not None and name not in events}


def first_events(runs: Sequence[RunFile], most: int = FIRST_EVENTS) -> tuple[list[tuple[RunFile, Events]], list[str]]:
    """Return the runs that can be read, with some events of each, and messages on what is wrong with the others."""
    found, messages = [], []
    for run in runs:
        try:
            piece = next(run.pieces(), {})
        except SourceError as error:
            messages.append(f"{error}; left out")
            continue
        if len(next(iter(piece.values()), ())) == 0:
            messages.append(f"{run.where}: {EMPTY}; left out")
            continue
        found.append((run, {name: column[:most] for name, column in piece.items() if name not in (WEIGHT, TIME)}))
    return found, messages


class Reader(Protocol):
    """Reads runs as a model wants them: the values of some `columns` of events, the counts of a `book`."""

    @property
    def columns(self) -> EventColumns: ...

    @property
    def book(self) -> Book: ...

    def read(self, run: RunFile) -> Run: ...


@dataclass(frozen=True)
class RunReader:
    """Reads runs of events with the `columns` and the `book` of a model; at most `most` events are kept as such."""

    columns: EventColumns
    book: Book
    most: int = MOST_EVENTS

    def read(self, run: RunFile) -> Run:
        """Return one run. A run that cannot be read, or has no events, says so in its `problem`."""
        totals = _Totals(Accumulator(self.book, self.columns.names))
        # The seed is the name, so that a run has the same events in any folder, read alone or among others.
        try:
            sample = reservoir(self._rows(run, totals), self.most, seed=crc32(run.name.encode()))
        except SourceError as error:
            return unreadable(run, self, str(error))
        sample = sample[sample[:, -1] > totals.heaviest]
        values, codes = sample[:, :-2], sample[:, -2].astype(int)
        group = np.array(("", *self.columns.groups, "other"))[codes]
        note = ""
        if totals.negative:
            note = f"{totals.negative} events of negative weight are shared with their neighbours (cell resampling)"
        return Run(run.name, values, group, totals.plots.entries(), totals.events, totals.start_ns, note=note)

    def _rows(self, run: RunFile, totals: _Totals) -> Iterator[Floats]:
        """Yield events as they come (n, column + 2): values, the code of the group, and the weight over a random
        number.

        Those stay whose last number is above the heaviest weight of the run: as many as if each were kept as likely as
        it weighs (rejection sampling). That weight is known at the end only; until then those stay that may.
        """
        rng = np.random.default_rng(crc32(run.name.encode()))
        for piece in run.pieces():
            problem = self.columns.problem(piece)
            if problem:
                raise SourceError(f"{run.where}: {problem}")
            values, group = self.columns.values(piece), self.columns.group_of(piece)
            weight = _weights(piece, run)
            squares = None if weight is None else weight**2  # before any are shared: these make less known
            if weight is not None and (weight < 0).any():
                totals.negative += int((weight < 0).sum())
                weight = positive_weights(self.columns.scale.of(values), weight)
            totals.add(values, group, weight, squares)
            totals.begin(piece.get(TIME))
            codes = np.zeros(len(group)) if not self.columns.group else _codes(group, self.columns.groups)
            draws = np.inf if weight is None else weight / np.maximum(rng.random(len(weight)), TINY)
            rows = np.column_stack([values, codes, np.broadcast_to(draws, len(values))])
            yield rows[rows[:, -1] > totals.heaviest]
        if not totals.weight:
            raise SourceError(f"{run.where}: {EMPTY}")


def unreadable(run: RunFile, reader: Reader, problem: str) -> Run:
    """Return a run without events that says in its `problem` what is wrong."""
    bins = int(reader.book.schema.shape[0] or 0)
    return Run(run.name, np.empty((0, len(reader.columns.names))), np.empty(0, "U1"), np.zeros(bins), problem=problem)


@dataclass
class _Totals:
    """Sums over the pieces of a run, which are never in memory together."""

    plots: Accumulator
    weight: float = 0.0
    squares: float = 0.0
    heaviest: float = 0.0
    negative: int = 0
    start_ns: int | None = None

    @property
    def events(self) -> float:
        """Return how many events of weight 1 would say as much."""
        return float(entries_of(np.array([self.weight]), self.squares)[0])

    def add(self, values: Floats, group: Array, weight: Floats | None, squares: Floats | None) -> None:
        """Count events; `squares` (n,): of their weights, before any were shared."""
        self.plots.add(values, group, weight, squares)
        self.weight += len(values) if weight is None else float(weight.sum())
        self.squares += len(values) if squares is None else float(squares.sum())
        self.heaviest = max(self.heaviest, 0.0 if weight is None else float(weight.max(initial=0.0)))

    def begin(self, time_ns: Array | None) -> None:
        """Remember the first of the times (n,) of events."""
        if time_ns is not None and not is_text(time_ns) and np.isfinite(time_ns).any():
            first = int(np.min(time_ns[np.isfinite(time_ns)]))
            self.start_ns = first if self.start_ns is None else min(self.start_ns, first)


def _weights(piece: Events, run: RunFile) -> Floats | None:
    """Return the weights (n,) of the events, None without a column of them. Raises SourceError for text, for what is no
    number, and where those below 0 outweigh the others."""
    if WEIGHT not in piece:
        return None
    if is_text(piece[WEIGHT]):
        raise SourceError(f"{run.where}: the column {WEIGHT!r} holds text, not numbers; mend the file")
    weight = np.asarray(piece[WEIGHT], float)
    good = np.isfinite(weight)
    if not good.all():
        raise SourceError(f"{run.where}: the column {WEIGHT!r} holds {weight[~good][0]:g}; weights are numbers")
    if (weight < 0).any() and weight.sum() <= 0:
        raise SourceError(
            f"{run.where}: the column {WEIGHT!r} sums up to {weight.sum():g}: negative weights outweigh the others; "
            "check their sign"
        )
    return weight


def _codes(group: Array, groups: tuple[str, ...]) -> Floats:
    """Return the 1-based number of the group of each event (n,); a group that the reference does not have comes after
    the last."""
    order = np.searchsorted(groups, group)
    known = order < len(groups)
    known[known] = np.asarray(groups)[order[known]] == group[known]
    return np.where(known, order + 1.0, len(groups) + 1.0)
