"""What stands, and what people masked: the list of a monitor that is no alarm, appended like everything else."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from lynkeus.core import Scorer, SettingsError, Standing, StoreError
from lynkeus.fitting.follow import can_mask, mask, standing_of
from lynkeus.monitor.tables import acknowledged, maintenance, standing

if TYPE_CHECKING:
    from lynkeus.monitor.store import Store

OVER = "over"
_first = standing.alias()
FOUND_S = 60.0  # after which it is looked again: of two rows that are written at once the earlier may show later
Key = tuple[str, str, int]  # output, where, since when
_found: WeakKeyDictionary[Store, dict[tuple[str, bool], tuple[Any, float, list[StoredStanding]]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class StoredStanding:
    """What stands, as it was last said, of a `monitor`; `over_ns`: when it was over, 0 while it is not; `reason`: of
    maintenance."""

    id: int
    monitor: str
    standing: Standing
    over_ns: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Maintenance:
    """Channels that people took out of a `monitor`, by name, until a time (UTC ns; 0: until further notice)."""

    monitor: str
    channel: str
    until_ns: int
    reason: str
    who: str
    at_ns: int = field(default_factory=time.time_ns)


def changes(before: Collection[Standing], now: Collection[Standing], at_ns: int) -> list[dict[str, Any]]:
    """Return the rows to append where what stands is not what stood: new and changed ones, and those that are over."""
    there = {_key(one) for one in now}
    rows = [_row(one, at_ns) for one in now if one not in before]
    return rows + [_row(one, at_ns) | {"state": OVER} for one in before if _key(one) not in there]


def what_stands(scorer: Scorer, before: list[Standing], at_ns: int) -> tuple[dict[str, Any], ...]:
    """Return the rows to append for what stands now, and let `before` be that."""
    now = standing_of(scorer)
    rows = changes(before, now, at_ns)
    before[:] = now
    return tuple(rows)


def leave_out(scorer: Scorer, store: Store, name: str, at_ns: int) -> tuple[str, ...]:
    """Let a scorer leave out the channels that are under maintenance at a time, of those that it knows; return them."""
    if not can_mask(scorer):
        return ()
    names = tuple(one.channel for one in maintenance_of(store, name, at_ns))
    mask(scorer, names)
    return names


def list_standing(store: Store, name: str, acknowledge: bool = False) -> list[StoredStanding]:
    """Return what stands of a monitor, the oldest first; with `acknowledge` also what is over and nobody has
    acknowledged, without it nothing that somebody has.

    A page asks once a second: as long as nothing was appended, what was found stays.
    """
    known, marks, now = _found.setdefault(store, {}), _last_rows(store, name), time.monotonic()
    before = known.get((name, acknowledge))
    if before is None or before[0] != marks or now - before[1] > FOUND_S:
        before = known[name, acknowledge] = (marks, now, _listed(store, name, acknowledge))
    return list(before[2])


def _last_rows(store: Store, name: str) -> tuple[int | None, ...]:
    """Return the numbers of the last rows of which the list is made, each found by an index."""
    own = [sa.select(sa.func.max(table.c.id)).where(table.c.monitor == name) for table in (standing, maintenance)]
    queries = [*own, sa.select(sa.func.max(acknowledged.c.id))]
    with store.reading() as connection:
        return tuple(connection.execute(sa.select(*(query.scalar_subquery() for query in queries))).one())


def _listed(store: Store, name: str, acknowledge: bool) -> list[StoredStanding]:
    seen = sa.select(acknowledged.c.standing_id)
    query = _latest(name).where(_first.c.id.not_in(seen))
    if not acknowledge:
        query = query.where(standing.c.state != OVER)
    with store.reading() as connection:
        rows = connection.execute(query).all()
    reasons = {one.channel: one.reason for one in maintenance_of(store, name)} if rows else {}
    found = []
    for row in rows:
        over = row.state == OVER
        state = row.first_state if over else row.state
        one = Standing(row.output, row.where, state, row.since_ns, row.until_ns, row.says)
        reason = reasons.get(one.where, "") if one.state == "maintenance" else ""
        found.append(StoredStanding(row.first_id, name, one, row.at_ns if over else 0, reason))
    return found


def stood_last(store: Store, name: str) -> tuple[Standing, ...]:
    """Return what stood when a monitor last committed, acknowledged or not."""
    with store.reading() as connection:
        rows = connection.execute(_latest(name).where(standing.c.state != OVER)).all()
    return tuple(Standing(r.output, r.where, r.state, r.since_ns, r.until_ns, r.says) for r in rows)


def is_listed(store: Store, number: int) -> bool:
    """Return whether something stands, or stood, under a number."""
    with store.reading() as connection:
        return connection.scalar(sa.select(standing.c.id).where(standing.c.id == number)) is not None


def _latest(name: str) -> sa.Select[Any]:
    """The latest row of everything that ever stood of a monitor, with number and state of its first one."""
    one = standing.c
    ids = sa.select(sa.func.min(one.id).label("first"), sa.func.max(one.id).label("last")).where(one.monitor == name)
    spans = ids.group_by(one.output, one.where, one.since_ns).subquery()
    query = sa.select(standing, _first.c.id.label("first_id"), _first.c.state.label("first_state"))
    return query.join(spans, spans.c.last == one.id).join(_first, _first.c.id == spans.c.first).order_by(_first.c.id)


def acknowledge(store: Store, number: int, who: str, note: str = "") -> None:
    """Note that somebody has seen what stands. Raises StoreError where there is no such row."""
    with store.writing() as connection:
        if connection.scalar(sa.select(standing.c.id).where(standing.c.id == number)) is None:
            raise StoreError(f"nothing stands under the number {number} in {store.address}")
        row = {"standing_id": number, "who": who, "note": note, "at_ns": time.time_ns()}
        connection.execute(acknowledged.insert(), row)


def matching(patterns: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the channels that are meant, such as "BPME.2806.SA3*". Raises SettingsError for a pattern of none."""
    found: dict[str, None] = {}
    for pattern in patterns:
        # A name may hold what has a meaning in a pattern, such as the brackets of "area [SS]".
        own = [pattern] if pattern in names else [name for name in names if fnmatchcase(name, pattern)]
        if not own:
            raise SettingsError(f"--mask {pattern}: no channel of this model is called so; there are {names[0]}, ...")
        found |= dict.fromkeys(own)
    return list(found)


def add_maintenance(store: Store, entries: Sequence[Maintenance]) -> None:
    """Append what people take out, or take back (`until_ns` in the past). Raises StoreError without a reason."""
    if any(not one.reason.strip() for one in entries):
        raise StoreError("a mask needs a reason: what is done to the channel, for those who come after")
    with store.writing() as connection:
        for one in entries:
            connection.execute(maintenance.insert(), vars(one))


def maintenance_of(store: Store, name: str, at_ns: int | None = None) -> list[Maintenance]:
    """Return the latest entry of each channel of a monitor; with a time only those that hold then."""
    query = sa.select(maintenance).where(maintenance.c.monitor == name).order_by(maintenance.c.id)
    columns = ("monitor", "channel", "until_ns", "reason", "who", "at_ns")
    with store.reading() as connection:
        rows = connection.execute(query).mappings()
        latest = {row["channel"]: Maintenance(*(row[column] for column in columns)) for row in rows}
    return [one for one in latest.values() if at_ns is None or not one.until_ns or one.until_ns > at_ns]


def _key(one: Standing) -> Key:
    return one.output, one.where, one.since_ns


def _row(one: Standing, at_ns: int) -> dict[str, Any]:
    return one._asdict() | {"at_ns": at_ns}
