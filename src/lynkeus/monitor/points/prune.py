"""Old points go, piece by piece: between two pieces others write."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Protocol

import sqlalchemy as sa

from lynkeus.monitor.points.minutes import point_minute
from lynkeus.monitor.tables import point, series

PIECE = 10_000  # points that go in one transaction: some hundredths of a second
PAUSE_S = 0.01


class Kept(Protocol):
    """A store: see `Store`."""

    def reading(self) -> AbstractContextManager[sa.Connection]: ...

    def writing(self) -> AbstractContextManager[sa.Connection]: ...


def count_old(store: Kept, monitor: str, older_than_ns: int) -> int:
    """Return how many points of a monitor are of windows that ended before a time."""
    mine = sa.select(series.c.id).where(series.c.monitor == monitor)
    old = (point.c.series_id.in_(mine), point.c.end_ns < older_than_ns)
    with store.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(point).where(*old)) or 0


def prune_points(store: Kept, monitor: str, older_than_ns: int) -> int:
    """Delete the points of a monitor whose windows ended before a time; how many those were."""
    with store.reading() as connection:
        own = list(connection.scalars(sa.select(series.c.id).where(series.c.monitor == monitor)))
    gone = 0
    for number in own:
        mine, short = point.c.series_id == number, point_minute.c.series_id == number
        until: int | None = older_than_ns
        while until is not None:
            # Windows of one series are in the order of their starts, and so are the pieces.
            old = (mine, point.c.start_ns < older_than_ns, point.c.end_ns < older_than_ns)
            with store.writing() as connection:
                until = connection.scalar(
                    sa.select(point.c.start_ns).where(*old).order_by(point.c.start_ns).offset(PIECE).limit(1)
                )
                within = old if until is None else (*old, point.c.start_ns < until)
                gone += connection.execute(point.delete().where(*within)).rowcount
            time.sleep(PAUSE_S)
        with store.writing() as connection:
            connection.execute(point_minute.delete().where(short, point_minute.c.end_ns < older_than_ns))
    return gone
