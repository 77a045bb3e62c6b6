"""Points of a PostgreSQL store by month: each month is a partition of its own, made as its first point comes.

A month that is too old is dropped as a whole, which takes no longer for a hundred million points than for one. A store
that was made before, in one piece, stays so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from lynkeus.monitor.tables import series

LOCK = 0x4C796E6D  # advisory: two processes do not make one month at once
_IS = sa.text("select relkind = 'p' from pg_class where oid = to_regclass('point')")
_THERE = sa.text("select inhrelid::regclass::text from pg_inherits where inhparent = to_regclass('point')")


class Months:
    """The months of a store; of one that has none, nothing is done."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._known: set[str] | None = None

    def make(self, starts_ns: Iterable[int]) -> None:
        """Make the months that points of these times are in, where they are not there."""
        if self.engine.dialect.name != "postgresql":
            return
        wanted = {_month(start_ns) for start_ns in starts_ns}
        if self._known is not None and wanted <= self._known:
            return
        with self.engine.begin() as connection:
            if not connection.scalar(_IS):
                self._known = wanted | (self._known or set())
                return
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
            there = set(connection.scalars(_THERE))
            for name in sorted(wanted - there):
                low, high = _bounds(name)
                connection.exec_driver_sql(
                    f"CREATE TABLE {name} PARTITION OF point FOR VALUES FROM ({low}) TO ({high})"
                )
            self._known = there | wanted

    def drop(self, older_than_ns: Mapping[str, int]) -> dict[str, int]:
        """Drop months of which each monitor has nothing that ends later than its time; how many points of each went."""
        gone: dict[str, int] = dict.fromkeys(older_than_ns, 0)
        if self.engine.dialect.name != "postgresql" or not older_than_ns:
            return gone
        with self.engine.begin() as connection:
            for name in sorted(connection.scalars(_THERE)):
                if not name.startswith("point_") or _bounds(name)[1] > min(older_than_ns.values()):
                    continue
                month = sa.table(name, sa.column("series_id"), sa.column("end_ns"))
                query = sa.select(series.c.monitor, sa.func.count(), sa.func.max(month.c.end_ns))
                held = connection.execute(
                    query.join_from(month, series, series.c.id == month.c.series_id).group_by(series.c.monitor)
                ).all()
                if any(one not in older_than_ns or last >= older_than_ns[one] for one, _, last in held):
                    continue
                connection.exec_driver_sql(f"DROP TABLE {name}")
                gone |= {one: gone[one] + count for one, count, _ in held}
            self._known = None
        return gone


def _month(start_ns: int) -> str:
    return f"point_{datetime.fromtimestamp(start_ns // 1_000_000_000, UTC):%Y_%m}"


def _bounds(name: str) -> tuple[int, int]:
    """Return from when to when a month is, UTC ns, end exclusive."""
    year, month = map(int, name.removeprefix("point_").split("_"))
    first = datetime(year, month, 1, tzinfo=UTC)
    last = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return tuple(round(one.timestamp()) * 1_000_000_000 for one in (first, last))  # type: ignore[return-value]
