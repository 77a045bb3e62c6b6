"""What people say of alarms, images and runs: one record, one table, whichever page it was said on.

Stores of earlier versions have a table for each of the three. These stay as they are; their rows are read as opinions
that were given before all others.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from lynkeus.core.alarm import Verdict
from lynkeus.core.errors import StoreError
from lynkeus.monitor.records import LABELS, VERDICTS
from lynkeus.monitor.tables import alarm_opened, image_label, opinion, run_judged, run_override, series, verdict

if TYPE_CHECKING:
    from lynkeus.monitor.store import Store

What = Literal["alarm", "image", "run", "pad"]
PAD_WORDS = ("good", "dead", "noisy", "gain shift", "double peak", "low statistics", "saturated", "edge", "other")
WORDS = {"alarm": VERDICTS, "image": LABELS, "run": tuple(word.value for word in Verdict)}
EARLIER = 2**62  # taken from the numbers of rows of the earlier tables, which so come before all rows of `opinion`


@dataclass(frozen=True)
class Opinion:
    """What a person said of a thing. `what` it is, and where it belongs: an alarm of a monitor (`name`: its number), an
    image of a folder (`name`: the path in it), a run as a model judged it, a pad of a file ("sector/row/pad").

    `label`: one of WORDS, of a pad any word; `kind`: of a defect; `note`: the reason.
    """

    what: What
    within: str
    name: str
    label: str
    who: str
    kind: str = ""
    note: str = ""
    at_ns: int = field(default_factory=time.time_ns)

    @property
    def file(self) -> str:
        """The path of an image in its folder."""
        return self.name


FIELDS = tuple(one.name for one in fields(Opinion))


def add_opinion(store: Store, said: Opinion) -> None:
    """Append an opinion. Raises StoreError for a word that has no meaning there, for an alarm or a run that the store
    does not have, and for a run without a reason."""
    if said.what in WORDS and said.label not in WORDS[said.what]:
        word = {"alarm": "verdict", "run": "verdict"}.get(said.what, "label")
        raise StoreError(f"{word} {said.label!r} is not one of {', '.join(WORDS[said.what])}")
    if said.what == "run" and not said.note.strip():
        raise StoreError("an opinion on a run needs a reason")
    with store.writing() as connection:
        if not _is_there(connection, said):
            by = f" of {said.within!r}" if said.within else ""
            raise StoreError(f"no {said.what} {said.name}{by} in {store.address}")
        connection.execute(opinion.insert(), asdict(said))


def opinions(store: Store, what: What, within: str | None = None, name: str | None = None) -> list[Opinion]:
    """Return what people said of alarms, images, runs or pads, oldest first: of all of them, of those of one
    monitor, folder, model or file, or of one thing."""
    rows = said_of(what)
    query = sa.select(*(rows.c[one] for one in FIELDS)).order_by(rows.c.number)
    for column, wanted in ((rows.c.within, within), (rows.c.name, name)):
        query = query if wanted is None else query.where(column == wanted)
    with store.reading() as connection:
        return [Opinion(*row) for row in connection.execute(query)]


def said_of(what: What) -> sa.Subquery:
    """Return the rows of all opinions on one sort of thing, those of earlier tables too; `number` rises with time."""
    own = sa.select(opinion.c.id.label("number"), *(opinion.c[one] for one in FIELDS)).where(opinion.c.what == what)
    if what not in _EARLIER:
        return own.subquery(f"said_of_{what}")
    return own.union_all(_EARLIER[what]()).subquery(f"said_of_{what}")


def latest(what: What) -> sa.Subquery:
    """Return the rows of the opinions that hold: the latest on each thing of one sort."""
    rows = said_of(what)
    age = sa.func.row_number().over(partition_by=(rows.c.within, rows.c.name), order_by=rows.c.number.desc())
    ranked = sa.select(rows, age.label("age")).subquery()
    return sa.select(*ranked.c).where(ranked.c.age == 1).subquery(f"latest_{what}")


def label_of_alarm() -> sa.ColumnElement[str]:
    """Return the label that holds of each row of `alarm_opened` joined with `series`, found by the indices of the
    tables: the first page asks once a second."""
    of_alarm = (opinion.c.within == series.c.monitor, opinion.c.name == sa.cast(alarm_opened.c.id, sa.Text))
    now = sa.select(opinion.c.label).where(opinion.c.what == "alarm", *of_alarm).order_by(opinion.c.id.desc())
    before = sa.select(verdict.c.verdict).where(verdict.c.alarm_id == alarm_opened.c.id).order_by(verdict.c.id.desc())
    found = (query.limit(1).correlate(alarm_opened, series).scalar_subquery() for query in (now, before))
    return sa.func.coalesce(*found)


def _is_there(connection: sa.Connection, said: Opinion) -> bool:
    if said.what in ("image", "pad"):
        return True  # images are files, pads lie in one; the store has no list of them
    if said.what == "alarm":
        query = sa.select(alarm_opened.c.id).join(series, series.c.id == alarm_opened.c.series_id)
        query = query.where(series.c.monitor == said.within, sa.cast(alarm_opened.c.id, sa.Text) == said.name)
    else:
        query = sa.select(run_judged.c.id).where(run_judged.c.model == said.within, run_judged.c.run == said.name)
    return connection.scalar(query.limit(1)) is not None


def _earlier(table: sa.Table, what: What, thing: tuple[Any, Any], label: Any, more: tuple[Any, Any]) -> sa.Select[Any]:
    """Return rows of an earlier table in the form of `opinion`; `more`: kind and note."""
    number = table.c.id - sa.literal(EARLIER, sa.BigInteger)
    return sa.select(number, sa.literal(what, sa.Text), *thing, label, table.c.who, *more, table.c.at_ns)


def _earlier_alarms() -> sa.Select[Any]:
    thing = (series.c.monitor, sa.cast(verdict.c.alarm_id, sa.Text))
    query = _earlier(verdict, "alarm", thing, verdict.c.verdict, (sa.literal("", sa.Text), verdict.c.note))
    query = query.join(alarm_opened, alarm_opened.c.id == verdict.c.alarm_id)
    return query.join(series, series.c.id == alarm_opened.c.series_id)


def _earlier_images() -> sa.Select[Any]:
    of = image_label.c
    return _earlier(image_label, "image", (of.images, of.file), of.label, (of.class_name, of.note))


def _earlier_runs() -> sa.Select[Any]:
    of = run_override.c
    thing = (run_judged.c.model, run_judged.c.run)
    query = _earlier(run_override, "run", thing, of.verdict, (sa.literal("", sa.Text), of.reason))
    return query.join(run_judged, run_judged.c.id == of.run_id)


_EARLIER = {"alarm": _earlier_alarms, "image": _earlier_images, "run": _earlier_runs}
