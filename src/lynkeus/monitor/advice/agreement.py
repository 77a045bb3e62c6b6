"""How often people decide what models advise: over time, by how sure the advice was, and of what would be applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa

from lynkeus.core.batch import Array, Floats
from lynkeus.monitor.advice.decisions import ACCEPTED, CHANGED
from lynkeus.monitor.advice.tables import ops_advice, ops_decision
from lynkeus.monitor.store import Store

GROUPS, FEWEST = 12, 20  # points of a curve; decisions of one
RECENT = 0.25  # share of the decisions that say how it is now
FEWEST_RECENT = 40


class Share(NamedTuple):
    """`hits` of `trials`, with the interval (90 %) in which the share lies."""

    hits: int
    trials: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Return it; NaN of nothing."""
        return self.hits / self.trials if self.trials else float("nan")

    @classmethod
    def of(cls, right: Array) -> Share:
        """Count what is right."""
        from lynkeus.metrics.rates import wilson_interval  # it brings SciPy, which pages do without

        hits, trials = int(np.sum(right)), len(right)
        return cls(hits, trials, *(wilson_interval(hits, trials) if trials else (0.0, 1.0)))


class Point(NamedTuple):
    """A group of decisions in order: `at` is their last time (UTC ns), or their mean confidence."""

    at: float
    agreed: Share


class Agreement(NamedTuple):
    """How a model agrees with what people decided: in `all`, in what may be `applied`, of each action (`recall`), over
    time (`curve`), by confidence (`calibration`); `claimed`: the mean confidence of the `recent` decisions."""

    all: Share
    applied: Share
    recall: dict[str, Share]
    curve: list[Point]
    calibration: list[Point]
    recent: Share
    claimed: float

    @property
    def macro_recall(self) -> float:
        """Return the mean share over the actions that were decided: rare ones count as much as the usual one."""
        return float(np.mean([one.share for one in self.recall.values()])) if self.recall else float("nan")

    @property
    def excess(self) -> float:
        """Return how many of a hundred recent decisions differ from the advice beyond what the model expects."""
        return 100.0 * (self.claimed - self.recent.share)

    @property
    def advises_to_fit_again(self) -> bool:
        """Return whether lately the model was surer than it was right, beyond chance."""
        return self.recent.trials >= FEWEST_RECENT and self.claimed > self.recent.high


def agreement(store: Store, model: str) -> Agreement:
    """Compare what a model advised with what people decided last about each task."""
    own, advice = ops_decision.c, ops_advice.c
    latest = sa.select(sa.func.max(own.id)).where(own.said.in_((ACCEPTED, CHANGED))).group_by(own.task_id)
    query = (
        sa.select(own.at_ns, own.action, advice.action, advice.confidence, advice.apply)
        .join(ops_advice, sa.and_(advice.task_id == own.task_id, advice.model == model))
        .where(own.id.in_(latest))
        .order_by(own.at_ns, own.id)
    )
    with store.reading() as connection:
        rows = connection.execute(query).all()
    at_ns = np.array([row[0] for row in rows], np.int64)
    decided = np.array([row[1] for row in rows], str)
    right = decided == np.array([row[2] for row in rows], str)
    confidence = np.array([row[3] for row in rows], float)
    apply = np.array([row[4] for row in rows], bool)
    recent = slice(len(rows) - max(int(RECENT * len(rows)), min(len(rows), FEWEST_RECENT)), None)
    return Agreement(
        Share.of(right), Share.of(right[apply]), {str(word): Share.of(right[decided == word]) for word in set(decided)},
        curve_of(at_ns, right, np.arange(len(rows))),
        curve_of(confidence, right, np.argsort(confidence, kind="stable")),
        Share.of(right[recent]), float(confidence[recent].mean()) if len(rows) else float("nan"),
    )  # fmt: skip


def curve_of(at: Array | Floats, right: Array, order: Array) -> list[Point]:
    """Return the share of equal groups in an order; of time each stands at its end, of confidence at its mean."""
    if not len(order):
        return []
    groups: Sequence[Array] = np.array_split(order, min(max(len(order) // FEWEST, 1), GROUPS))
    whole = at.dtype.kind == "i"
    return [Point(float(at[own[-1]]) if whole else float(at[own].mean()), Share.of(right[own])) for own in groups]
