"""Failed tasks and the advice about them: how they are kept, and which are open."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

from lynkeus.monitor.advice.tables import ops_advice, ops_decision, ops_task
from lynkeus.monitor.database import insert_new
from lynkeus.monitor.store import Store

APPLIED, WOULD_APPLY = "applied", "would apply"  # said by models; the others by people
ACCEPTED, CHANGED, POSTPONED = "accepted", "changed", "postponed"
T = TypeVar("T")
CHUNK = 500  # names asked for at once: SQLite takes no more than some thousand
Order = Literal["urgency", "jobs", "surest", "unsurest", "newest"]
State = Literal["open", "postponed"]


@dataclass(frozen=True)
class Task:
    """A failed task: its `name`, its JSON (`task`), and how many `jobs` failed."""

    name: str
    task: str
    jobs: float

    @property
    def digest(self) -> str:
        """Return the checksum of what it holds; of equal content, however it was written, it is the same."""
        content = json.dumps(json.loads(self.task), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Advice:
    """What a model (`model`: its checksum) advised; `urgency`: failed jobs that the usual action would not help;
    `says`: the whole answer."""

    model: str
    action: str
    confidence: float
    urgency: float
    apply: bool
    says: Mapping[str, Any]


@dataclass(frozen=True)
class OpenTask:
    """A task that waits for a decision, with the advice about it; `number` of its row in the store."""

    number: int
    name: str
    jobs: float
    at_ns: int
    advice: Advice


@dataclass(frozen=True)
class Wanted:
    """Which open tasks are asked for: by `action` advised, by `text` in name or reason, those that may be applied
    only, in an `order`, from a `start` on, at most `many`."""

    action: str = ""
    text: str = ""
    apply: bool = False
    state: State = "open"
    order: Order = "urgency"
    start: int = 0
    many: int = 100


def keep_tasks(connection: sa.Connection, tasks: Sequence[Task]) -> list[int]:
    """Append tasks that are new, or hold something else than before; return the number of each. Each name is
    there once."""
    names, at_ns = [task.name for task in tasks], time.time_ns()
    known = _latest(connection, names)
    new = [
        {"name": task.name, "digest": digest, "task": task.task, "jobs": task.jobs, "at_ns": at_ns}
        for task, digest in ((task, task.digest) for task in tasks)
        if known.get(task.name, (0, ""))[1] != digest
    ]
    if new:
        connection.execute(ops_task.insert(), new)
        known = _latest(connection, names)
    return [known[name][0] for name in names]


def keep_advice(connection: sa.Connection, numbers: Sequence[int], given: Sequence[Advice]) -> None:
    """Append what models advised about tasks, where a model has not said it before."""
    rows = [
        {**vars(one), "says": json.dumps(one.says, allow_nan=False), "task_id": number, "at_ns": time.time_ns()}
        for number, one in zip(numbers, given, strict=True)
    ]
    if rows:
        connection.execute(insert_new(connection, ops_advice), rows)


def unadvised(store: Store, model: str) -> list[Task]:
    """Return the open tasks of which a model has said nothing yet: those that came before it."""
    said = sa.select(ops_advice.c.task_id).where(ops_advice.c.model == model)
    last = _last_said()
    query = (
        sa.select(ops_task.c.name, ops_task.c.task, ops_task.c.jobs)
        .outerjoin(last, last.c.task_id == ops_task.c.id)
        .where(ops_task.c.id.in_(_current()), ops_task.c.id.not_in(said))
        .where(sa.or_(last.c.said.is_(None), last.c.said == POSTPONED))
    )
    with store.reading() as connection:
        return [Task(*row) for row in connection.execute(query)]


def open_tasks(store: Store, model: str, wanted: Wanted) -> tuple[list[OpenTask], int]:
    """Return the tasks that wait for a decision, with the advice of a model, and how many there are in all."""
    task, advice = ops_task.c, ops_advice.c
    orders = {
        "urgency": advice.urgency.desc(), "jobs": task.jobs.desc(), "surest": advice.confidence.desc(),
        "unsurest": advice.confidence, "newest": task.at_ns.desc(),
    }  # fmt: skip
    chosen = _open(model, wanted)
    rows = chosen.order_by(orders[wanted.order], task.id).offset(wanted.start).limit(wanted.many)
    with store.reading() as connection:
        total = connection.scalar(sa.select(sa.func.count()).select_from(chosen.subquery())) or 0
        found = [
            OpenTask(r.id, r.name, r.jobs, r.at_ns,
                     Advice(model, r.action, r.confidence, r.urgency, r.apply, json.loads(r.says)))
            for r in connection.execute(rows)
        ]  # fmt: skip
    return found, total


def actions_open(store: Store, model: str, state: State = "open") -> dict[str, int]:
    """Return how many open tasks each action is advised about, the most frequent first."""
    chosen = _open(model, Wanted(state=state)).subquery()
    many = sa.func.count()
    query = sa.select(chosen.c.action, many).group_by(chosen.c.action).order_by(many.desc())
    with store.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def _open(model: str, wanted: Wanted) -> sa.Select[Any]:
    task, advice, last = ops_task.c, ops_advice.c, _last_said()
    query = (
        sa.select(task.id, task.name, task.jobs, task.at_ns)
        .add_columns(advice.action, advice.confidence, advice.urgency, advice.apply, advice.says)
        .select_from(ops_task)
        .join(ops_advice, sa.and_(advice.task_id == task.id, advice.model == model))
        .outerjoin(last, last.c.task_id == task.id)
        .where(task.id.in_(_current()))
        .where(last.c.said == POSTPONED if wanted.state == POSTPONED else last.c.said.is_(None))
    )
    if wanted.action:
        query = query.where(advice.action == wanted.action)
    if wanted.apply:
        query = query.where(advice.apply)
    if wanted.text:
        query = query.where(
            sa.or_(task.name.icontains(wanted.text, autoescape=True), task.task.icontains(wanted.text, autoescape=True))
        )
    return query


def _current() -> sa.Select[Any]:
    """The latest row of each name."""
    return sa.select(sa.func.max(ops_task.c.id)).group_by(ops_task.c.name)


def _last_said() -> sa.Subquery:
    """What was last said of each task of which something was; what models only would do does not count."""
    latest = sa.select(sa.func.max(ops_decision.c.id)).where(ops_decision.c.said != WOULD_APPLY)
    latest = latest.group_by(ops_decision.c.task_id)
    return sa.select(ops_decision.c.task_id, ops_decision.c.said).where(ops_decision.c.id.in_(latest)).subquery()


def _latest(connection: sa.Connection, names: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Return of each name that is known the number and the checksum of its latest row."""
    found: dict[str, tuple[int, str]] = {}
    for part in chunks(sorted(set(names))):
        latest = sa.select(sa.func.max(ops_task.c.id)).where(ops_task.c.name.in_(part)).group_by(ops_task.c.name)
        query = sa.select(ops_task.c.name, ops_task.c.id, ops_task.c.digest).where(ops_task.c.id.in_(latest))
        found |= {row.name: (row.id, row.digest) for row in connection.execute(query)}
    return found


def chunks(names: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield names or numbers in parts that a database takes at once."""
    return (names[first : first + CHUNK] for first in range(0, len(names), CHUNK))


def unknown_names(connection: sa.Connection, names: Iterable[str]) -> list[str]:
    """Return the names of which there is no task, in their order."""
    asked = list(dict.fromkeys(names))
    known = _latest(connection, asked)
    return [name for name in asked if name not in known]
