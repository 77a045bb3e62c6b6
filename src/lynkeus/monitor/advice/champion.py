"""Which model advises, and how far its promise is kept: chosen by people, and checked by what they decide."""

from __future__ import annotations

import json
import time
from typing import NamedTuple

import sqlalchemy as sa

from lynkeus.monitor.advice.brake import Brake
from lynkeus.monitor.advice.decisions import ACCEPTED, CHANGED
from lynkeus.monitor.advice.tables import ops_advice, ops_champion, ops_decision
from lynkeus.monitor.store import Store

HEARD = 1000  # last decisions on sure advice that the brake hears


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


def group_of(reason: str) -> str:
    """Return the group of tasks that the reason of an advice speaks of: the code that most of its jobs have."""
    return reason.partition(" at ")[0]


def brake_of(store: Store, model: str, promised: float) -> Brake:
    """Return the brake of a model after what people decided last about advice of it that may be applied."""
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
    brake = Brake(promised)
    for says, decided, advised in reversed(rows):
        brake.tell(group_of(str(says.get("reason", ""))), decided != advised)
    return brake
