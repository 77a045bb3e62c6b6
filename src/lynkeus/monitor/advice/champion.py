"""Which model advises, and how far its promise is kept: chosen by people, and checked by what they decide."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from lynkeus.metrics.trust import Trust
from lynkeus.monitor.advice.decisions import ACCEPTED, CHANGED
from lynkeus.monitor.advice.tables import ops_advice, ops_champion, ops_decision
from lynkeus.monitor.store import Store

HEARD = 1000  # last decisions on sure advice that are heard


class Chosen(NamedTuple):
    """Which `model` somebody chose to advise, and when."""

    model: str
    who: str
    at_ns: int


def choose_champion(store: Store, model: str, who: str) -> None:
    """Append that a model advises from now on; it is committed when this returns."""
    with store.writing() as connection:
        connection.execute(ops_champion.insert(), [{"model": model, "who": who, "at_ns": time.time_ns()}])


def chosen_champion(store: Store) -> Chosen | None:
    """Return which model was chosen last, None where nobody chose."""
    own = ops_champion.c
    with store.reading() as connection:
        row = connection.execute(sa.select(own.model, own.who, own.at_ns).order_by(own.id.desc()).limit(1)).first()
    return Chosen(*row) if row else None


def groups_of(says: Mapping[str, Any]) -> list[str]:
    """Return the groups of tasks that an advice speaks of: its codes, a ~ behind those that have a small part of the
    jobs."""
    return str(says.get("codes") or says.get("reason", "")).partition(" at ")[0].split() or [""]


def trust_of(store: Store, model: str, promised: float, expected: float) -> Trust:
    """Return how far a model is trusted that promised a share of errors, and was `expected` to have one, after what
    people decided last about advice of it that may be applied."""
    own, advice = ops_decision.c, ops_advice.c
    latest = sa.select(sa.func.max(own.id)).where(own.said.in_((ACCEPTED, CHANGED))).group_by(own.task_id)
    query = (
        sa.select(advice.says, own.action, advice.action)
        .join(ops_advice, sa.and_(advice.task_id == own.task_id, advice.model == model, advice.apply))
        .where(own.id.in_(latest))
        .order_by(own.id.desc())
        .limit(HEARD)
    )
    with store.reading() as connection:
        rows = [(json.loads(row[0]), *row[1:]) for row in connection.execute(query)]
    trust = Trust(promised, expected)
    for says, decided, advised in reversed(rows):
        trust.tell(groups_of(says), decided != advised)
    return trust
