"""What was decided about failed tasks, by whom or what: the audit trail, and what models learn from."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from lynkeus.core.errors import StoreError
from lynkeus.monitor.advice.open_tasks import (
    ACCEPTED,
    APPLIED,
    CHANGED,
    POSTPONED,
    WOULD_APPLY,
    Advice,
    chunks,
    unknown_names,
)
from lynkeus.monitor.advice.tables import ops_advice, ops_decision, ops_task
from lynkeus.monitor.human_labels import require_file
from lynkeus.monitor.store import Store
from lynkeus.sources.tasks.record import PARAMETERS

ACTION = "action"  # the parameter of a task that is decided


@dataclass(frozen=True)
class Decision:
    """What `who` decides about the task of a name: an `action`, "" where it is postponed."""

    task: str
    action: str
    who: str
    note: str = ""


class StoredDecision(NamedTuple):
    """A row of the audit trail: what was `said` (accepted, changed, postponed; applied, would apply: by a model), the
    model whose advice was shown, what it `advised` how sure, and the checksum of the task (`digest`)."""

    number: int
    task: str
    said: str
    action: str
    who: str
    note: str
    model: str
    advised: str
    confidence: float | None
    digest: str
    at_ns: int


def decide(store: Store, given: Sequence[Decision], model: str) -> tuple[list[str], int]:
    """Append decisions of people, all or none, and return what each says, and how many were new: what was decided last
    of a task by the same person is not appended twice. It is committed when this returns.

    `model`: whose advice was shown. Raises StoreError for tasks that the store does not have.
    """
    with store.writing() as connection:
        missing = unknown_names(connection, [one.task for one in given])
        if missing:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise UnknownTaskError(f"there is no task {missing[0]!r:.200}{more}; send it to /api/advice first")
        rows = _shown(connection, [one.task for one in given], model)
        said: list[str] = []
        new: list[dict[str, Any]] = []
        for one in given:
            row = rows[one.task]
            word = POSTPONED if not one.action else ACCEPTED if one.action == row["advised"] else CHANGED
            said.append(word)
            if row["last"] == (word, one.action, one.who):
                continue
            row["last"] = (word, one.action, one.who)
            new.append(_row(row, one, word, model))
        if new:
            connection.execute(ops_decision.insert(), new)
    return said, len(new)


def record_applied(connection: sa.Connection, numbers: Sequence[int], given: Sequence[Advice], really: bool) -> None:
    """Append what a model applies itself, or would apply (`really` False), once for each task and model."""
    word, own = APPLIED if really else WOULD_APPLY, ops_decision.c
    found = [(number, one) for number, one in zip(numbers, given, strict=True) if one.apply]
    done: set[int] = set()
    digests: dict[int, str] = {}
    for part in chunks([number for number, _ in found]):
        said = sa.select(own.task_id).where(own.task_id.in_(part))
        done |= set(connection.scalars(said.where(own.who == found[0][1].model, own.said == word)))
        if really:  # what is decided stays decided
            done |= set(connection.scalars(said.where(own.said != WOULD_APPLY)))
        query = sa.select(ops_task.c.id, ops_task.c.digest).where(ops_task.c.id.in_(part))
        digests |= {row.id: row.digest for row in connection.execute(query)}
    rows = [
        _row({"task_id": number, "advised": one.action, "confidence": one.confidence, "digest": digests[number]},
             Decision("", one.action, one.model), word, one.model)
        for number, one in found if number not in done
    ]  # fmt: skip
    if rows:
        connection.execute(ops_decision.insert(), rows)


class UnknownTaskError(StoreError):
    """A decision about a task that the store does not have."""


def _row(row: dict[str, Any], one: Decision, word: str, model: str) -> dict[str, Any]:
    kept = {key: row[key] for key in ("task_id", "advised", "confidence", "digest")}
    kept |= {"said": word, "action": one.action, "who": one.who, "note": one.note, "model": model}
    return kept | {"at_ns": time.time_ns()}


def _shown(connection: sa.Connection, names: Sequence[str], model: str) -> dict[str, dict[str, Any]]:
    """Return of each task its row, what a model advised about it, and what was decided last."""
    task, advice, last = ops_task.c, ops_advice.c, ops_decision.c
    found: dict[str, dict[str, Any]] = {}
    for part in chunks(sorted(set(names))):
        current = sa.select(sa.func.max(task.id)).where(task.name.in_(part)).group_by(task.name)
        latest = sa.select(sa.func.max(last.id)).where(last.said != WOULD_APPLY, last.task_id.in_(current))
        latest = latest.group_by(last.task_id)
        query = (
            sa.select(task.id, task.name, task.digest, advice.action.label("advised"), advice.confidence)
            .add_columns(last.said, last.action, last.who)
            .select_from(ops_task)
            .outerjoin(ops_advice, sa.and_(advice.task_id == task.id, advice.model == model))
            .outerjoin(ops_decision, sa.and_(last.task_id == task.id, last.id.in_(latest)))
            .where(task.id.in_(current))
            .with_for_update(of=ops_task)
        )
        for r in connection.execute(query):
            found[r.name] = {
                "task_id": r.id, "digest": r.digest, "advised": r.advised or "", "confidence": r.confidence,
                "last": (r.said, r.action, r.who),
            }  # fmt: skip
    return found


def decisions(store: Store, after: int = 0, many: int = 1000, newest: bool = False) -> list[StoredDecision]:
    """Return the audit trail, oldest first, from behind the row `after` on; with `newest` the last ones, newest
    first."""
    own = ops_decision.c
    query = sa.select(
        own.id, ops_task.c.name, own.said, own.action, own.who, own.note, own.model, own.advised, own.confidence,
        own.digest, own.at_ns,
    ).join(ops_task, ops_task.c.id == own.task_id)  # fmt: skip
    query = query.where(own.id > after).order_by(own.id.desc() if newest else own.id).limit(many)
    with store.reading() as connection:
        return [StoredDecision(*row) for row in connection.execute(query)]


def decided_tasks(url: str) -> tuple[dict[str, dict[str, Any]], list[str], str]:
    """Return the tasks of a store about which a person decided, as JSON by name, with what was decided as their action,
    in words how many, and the address of the store without its password. What models applied teaches nothing.

    Raises StoreError where there is no such store, or nobody decided anything.
    """
    require_file(url)
    store = Store(url)
    try:
        own = ops_decision.c
        latest = sa.select(sa.func.max(own.id)).where(own.said.in_((ACCEPTED, CHANGED, POSTPONED)))
        latest = latest.group_by(own.task_id)
        query = (
            sa.select(ops_task.c.name, ops_task.c.task, own.said, own.action)
            .join(ops_decision, own.task_id == ops_task.c.id)
            .where(own.id.in_(latest))
            .order_by(ops_task.c.id)
        )
        with store.reading() as connection:
            rows = connection.execute(query).all()
            found = {r.name: _with_action(json.loads(r.task), r.action) for r in rows if r.said != POSTPONED}
    finally:
        store.close()
    counts = Counter(row.said for row in rows)
    if not found:
        raise StoreError(f"{url}: nobody decided about a task there; do so on its page (lynkeus serve --advise MODEL)")
    said = f"decisions of people: {counts[ACCEPTED]} accepted what was advised, {counts[CHANGED]} did something else"
    return found, [said + (f"; {counts[POSTPONED]} postponed, left out" if counts[POSTPONED] else "")], store.address


def _with_action(task: dict[str, Any], action: str) -> dict[str, Any]:
    return {**task, PARAMETERS: {**(task.get(PARAMETERS) or {}), ACTION: action}}
