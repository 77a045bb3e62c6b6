"""How the tasks that come differ from those that a model learned from: over time, as the model saw them."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa

from lynkeus.monitor.advice.agreement import Point, Share, curve_of
from lynkeus.monitor.advice.tables import ops_advice, ops_task
from lynkeus.monitor.store import Store

MOST = 5000  # last tasks that are looked at
RECENT = 0.25


class Drift(NamedTuple):
    """Of `tasks` in the order in which they came: how many hold codes or sites that the model had not met
    (`unknown`), over time, `earlier` and in the last quarter (`recent`); and how many look unusual to it (`unusual`).
    """

    tasks: int
    unknown: list[Point]
    earlier: Share
    recent: Share
    unusual: list[Point]

    @property
    def is_seen(self) -> bool:
        """Return whether lately more is unknown than before, beyond chance."""
        return self.tasks > 0 and self.recent.low > self.earlier.high


def drift(store: Store, model: str, usual: str) -> Drift:
    """Return how what came lately differs from what came before, in the eyes of a model."""
    task, advice = ops_task.c, ops_advice.c
    query = (
        sa.select(task.at_ns, advice.action, advice.says)
        .join(ops_advice, sa.and_(advice.task_id == task.id, advice.model == model))
        .order_by(task.id.desc())
        .limit(MOST)
    )
    with store.reading() as connection:
        rows = list(reversed(connection.execute(query).all()))
        new = np.array([bool(json.loads(row[2]).get("unknown")) for row in rows], bool)
    at_ns = np.array([row[0] for row in rows], np.int64)
    unusual = np.array([row[1] != usual for row in rows], bool)
    order = np.arange(len(rows))
    last = len(rows) - int(RECENT * len(rows))
    return Drift(
        len(rows), curve_of(at_ns, new, order), Share.of(new[:last]), Share.of(new[last:]),
        curve_of(at_ns, unusual, order),
    )  # fmt: skip
