"""Runs in the store: added as they are judged, listed, and read with their plots and what people said of them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from lynkeus.core import Book, Floats, Plot, RunRecord, StoreError, Verdict
from lynkeus.monitor.database import insert_new
from lynkeus.monitor.opinions import Opinion, latest
from lynkeus.monitor.run_packing import (
    digest_of,
    pack_book,
    pack_plots,
    pack_sigmas,
    unpack_book,
    unpack_plots,
    unpack_sigmas,
)
from lynkeus.monitor.store import Store
from lynkeus.monitor.tables import opinion, run_book, run_content, run_flagged, run_judged, run_plots

FLAGGED = (Verdict.WARN, Verdict.BAD)
_SAID = latest("run")
_RECORD = (run_judged.c.record, run_judged.c.at_ns, run_judged.c.time_ns)


@dataclass(frozen=True)
class StoredRun:
    """A run as judged. `number` is that of the judgement; `time_ns` when the run began, or when it was judged at
    `at_ns`; `override` the latest opinion of a person."""

    number: int
    record: RunRecord
    at_ns: int
    time_ns: int
    override: Opinion | None = None

    @property
    def verdict(self) -> Verdict:
        """Return the verdict of a person where there is one, else that of the model."""
        return Verdict(self.override.label) if self.override else self.record.verdict


@dataclass(frozen=True)
class RunFilter:
    """Which runs of a model. `verdict`: "flagged" (WARN and BAD) or one of Verdict, as people left it; `change`: a
    kind of change; `group`: runs with a flagged plot in that group; `search`: in the name of the run."""

    model: str
    verdict: str = ""
    change: str = ""
    group: str = ""
    search: str = ""


@dataclass(frozen=True)
class PlotScores:
    """How conspicuous every plot was in some runs: names and verdicts of the `runs` in order of time, `plots` of the
    run judged last, `sigmas` (run, plot), NaN where a run has no such plot."""

    runs: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    plots: tuple[Plot, ...]
    sigmas: Floats


def add_runs(store: Store, records: Sequence[RunRecord]) -> None:
    """Append runs, all or none. A run that is there already is judged anew: the newest counts, the older ones stay.

    What says the same as the newest judgement of a run is not appended: a judging that was killed says it once more.

    Raises StoreError for a run without a name, SchemaError where a plot has not as many numbers as bins.
    """
    if not all(record.run for record in records):
        raise StoreError("a run without a name cannot be stored: give every run a name")
    with store.writing() as connection:
        books: dict[tuple[Plot, ...], int] = {}
        for record in records:
            plots = tuple(one.plot for one in record.plots)
            if plots not in books:
                books[plots] = _book_id(connection, plots)
            _add_run(connection, record, books[plots])


def models(store: Store) -> list[str]:
    """The models that judged runs, the one that judged last first."""
    query = sa.select(run_judged.c.model).group_by(run_judged.c.model).order_by(sa.func.max(run_judged.c.id).desc())
    with store.reading() as connection:
        return list(connection.scalars(query))


def stamp(store: Store) -> tuple[int, int]:
    """Numbers that rise when a run is judged, or when something is said of anything."""
    numbers = (sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0)) for table in (run_judged, opinion))
    with store.reading() as connection:
        first, second = (int(connection.scalar(query) or 0) for query in numbers)
    return first, second


def runs(store: Store, wanted: RunFilter, limit: int = 50, offset: int = 0) -> tuple[list[StoredRun], int]:
    """A page of runs without plots, the latest first, and how many there are in all."""
    query = _filtered(wanted, *_RECORD)
    with store.reading() as connection:
        total = connection.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
        page = query.order_by(run_judged.c.time_ns.desc(), run_judged.c.id.desc()).limit(limit).offset(offset)
        return [_stored(row) for row in connection.execute(page)], total


def run(store: Store, model: str, name: str, number: int | None = None) -> StoredRun | None:
    """A run with its plots, as judged last or under a `number`; None where there is none."""
    query = _with_opinions(*_RECORD, run_judged.c.book_id, run_judged.c.sigmas, run_plots.c.plots)
    query = query.join(run_plots, run_plots.c.run_id == run_judged.c.id).order_by(run_judged.c.id.desc()).limit(1)
    query = query.where(run_judged.c.model == model, run_judged.c.run == name)
    query = query if number is None else query.where(run_judged.c.id == number)
    with store.reading() as connection:
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return _stored(row, _book(connection, row.book_id))


def model_of(store: Store, name: str) -> str | None:
    """Return the name of the model that judged a run last."""
    query = sa.select(run_judged.c.model).where(run_judged.c.run == name).order_by(run_judged.c.id.desc()).limit(1)
    with store.reading() as connection:
        return connection.scalar(query)


def verdict_history(store: Store, model: str, name: str) -> list[tuple[int, int, Verdict]]:
    """Number, time and verdict of every time that a run was judged, the latest first."""
    query = sa.select(run_judged.c.id, run_judged.c.at_ns, run_judged.c.verdict).order_by(run_judged.c.id.desc())
    with store.reading() as connection:
        rows = connection.execute(query.where(run_judged.c.model == model, run_judged.c.run == name))
        return [(row.id, row.at_ns, Verdict(row.verdict)) for row in rows]


def neighbours(store: Store, stored: StoredRun) -> tuple[str | None, str | None]:
    """The names of the run before and of the run after one, as judged by its model."""
    order = sa.tuple_(run_judged.c.time_ns, run_judged.c.id)
    own = (stored.time_ns, stored.number)
    newest = sa.select(run_judged.c.run).where(run_judged.c.id.in_(_newest(stored.record.model)))
    newest = newest.where(run_judged.c.run != stored.record.run)
    with store.reading() as connection:
        before = newest.where(order < own).order_by(run_judged.c.time_ns.desc(), run_judged.c.id.desc())
        after = newest.where(order > own).order_by(run_judged.c.time_ns, run_judged.c.id)
        return connection.scalar(before.limit(1)), connection.scalar(after.limit(1))


def plot_scores(store: Store, wanted: RunFilter, last: int) -> PlotScores:
    """The scores of every plot over the last runs."""
    query = _filtered(wanted, run_judged.c.run, run_judged.c.verdict, run_judged.c.book_id, run_judged.c.sigmas)
    query = query.order_by(run_judged.c.time_ns.desc(), run_judged.c.id.desc()).limit(last)
    with store.reading() as connection:
        rows = connection.execute(query).all()[::-1]
        books = {number: _book(connection, number).plots for number in {row.book_id for row in rows}}
    plots = books[max(rows, key=lambda row: row.id).book_id] if rows else ()
    place = {plot.name: k for k, plot in enumerate(plots)}
    where = {n: np.array([place.get(plot.name, -1) for plot in own], int) for n, own in books.items()}
    sigmas = np.full((len(rows), len(plots)), np.nan, np.float32)
    for line, row in zip(sigmas, rows, strict=True):
        known = where[row.book_id] >= 0
        line[where[row.book_id][known]] = unpack_sigmas(row.sigmas)[known]
    verdicts = tuple(Verdict(row.said or row.verdict) for row in rows)
    return PlotScores(tuple(row.run for row in rows), verdicts, plots, sigmas)


def _add_run(connection: sa.Connection, record: RunRecord, book_id: int) -> None:
    at_ns = time.time_ns()
    row: dict[str, Any] = {"model": record.model, "run": record.run, "book_id": book_id, "at_ns": at_ns}
    row |= {"verdict": record.verdict.value, "change": record.change.kind, "sigmas": pack_sigmas(record.plots)}
    row["time_ns"] = at_ns if record.start_ns is None else record.start_ns
    row["record"] = json.dumps(record.to_dict(), default=float)  # NaN and infinity stay: Python alone reads it
    content = {"model": record.model, "run": record.run, "digest": digest_of(record, book_id)}
    if _said_before(connection, content, at_ns):
        return
    number = connection.execute(run_judged.insert().values(row).returning(run_judged.c.id)).scalar_one()
    connection.execute(run_content.update().where(*_same(content)).values(run_id=number))
    connection.execute(run_plots.insert(), {"run_id": number, "plots": pack_plots(record.plots)})
    groups = [one.plot.group for one in record.plots if one.flagged]
    flagged = [{"run_id": number, "group_name": name, "plots": groups.count(name)} for name in sorted(set(groups))]
    if flagged:
        connection.execute(run_flagged.insert(), flagged)


def _said_before(connection: sa.Connection, content: dict[str, str], at_ns: int) -> bool:
    """Whether the newest judgement of a run says the same; then it is from now, and no other is appended.

    The row of `run_content` is unique, so that of two processes with the same judgement the second waits, and sees it.
    """
    connection.execute(insert_new(connection, run_content), content | {"run_id": 0})
    known = sa.select(run_content.c.run_id).where(*_same(content)).with_for_update()
    number = connection.execute(known).scalar_one()
    of_run = (run_judged.c.model == content["model"], run_judged.c.run == content["run"])
    newest = connection.scalar(sa.select(sa.func.max(run_judged.c.id)).where(*of_run))
    if number == 0 or number != newest:
        return False
    connection.execute(run_judged.update().where(run_judged.c.id == number).values(at_ns=at_ns))
    return True


def _same(content: dict[str, str]) -> list[sa.ColumnElement[bool]]:
    return [run_content.c[name] == content[name] for name in ("model", "run", "digest")]


def _book_id(connection: sa.Connection, plots: tuple[Plot, ...]) -> int:
    digest, packed = pack_book(plots)
    connection.execute(insert_new(connection, run_book), {"digest": digest, "book": packed})
    return int(connection.execute(sa.select(run_book.c.id).where(run_book.c.digest == digest)).scalar_one())


def _book(connection: sa.Connection, number: int) -> Book:
    return unpack_book(connection.execute(sa.select(run_book.c.book).where(run_book.c.id == number)).scalar_one())


def _newest(model: str) -> sa.Select[Any]:
    return sa.select(sa.func.max(run_judged.c.id)).where(run_judged.c.model == model).group_by(run_judged.c.run)


def _with_opinions(*columns: Any) -> sa.Select[Any]:
    """Judgements, each with the latest opinion on its run (whichever judgement it was said of)."""
    about = (_SAID.c.label.label("said"), _SAID.c.who, _SAID.c.note, _SAID.c.at_ns.label("said_ns"))
    query = sa.select(run_judged.c.id, *columns, *about).select_from(run_judged)
    return query.outerjoin(_SAID, (_SAID.c.within == run_judged.c.model) & (_SAID.c.name == run_judged.c.run))


def _filtered(wanted: RunFilter, *columns: Any) -> sa.Select[Any]:
    query = _with_opinions(*columns).where(run_judged.c.id.in_(_newest(wanted.model)))
    verdict = sa.func.coalesce(_SAID.c.label, run_judged.c.verdict)
    if wanted.verdict:
        among = FLAGGED if wanted.verdict == "flagged" else (wanted.verdict,)
        query = query.where(verdict.in_([str(one) for one in among]))
    if wanted.change:
        query = query.where(run_judged.c.change == wanted.change)
    if wanted.group:
        groups = sa.select(run_flagged.c.run_id).where(run_flagged.c.group_name == wanted.group)
        query = query.where(run_judged.c.id.in_(groups))
    if wanted.search:
        query = query.where(run_judged.c.run.icontains(wanted.search, autoescape=True))
    return query


def _stored(row: Any, book: Book | None = None) -> StoredRun:
    fields = json.loads(row.record)
    plots = () if book is None else unpack_plots(book, row.plots, unpack_sigmas(row.sigmas))
    record, said = RunRecord.from_dict(fields, plots), None
    if row.said is not None:
        said = Opinion("run", record.model, record.run, row.said, row.who, note=row.note, at_ns=row.said_ns)
    return StoredRun(row.id, record, row.at_ns, row.time_ns, said)
