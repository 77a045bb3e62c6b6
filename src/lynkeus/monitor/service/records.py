"""What a store knows of its service: who it is, and the state of each monitor that it supervises."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from lynkeus.core import StoreError
from lynkeus.monitor.database import insert_new
from lynkeus.monitor.records import Owner
from lynkeus.monitor.rows import has_died
from lynkeus.monitor.service.tables import service, service_event

if TYPE_CHECKING:
    from lynkeus.monitor.store import Store

HOLD_S = 30.0  # a service without a heartbeat for so long may be taken over


class Supervised(NamedTuple):
    """The latest that a service did with a monitor: its `state`, why (`says`), and how often it was started again."""

    monitor: str
    state: str
    says: str
    restarts: int
    pid: int
    at_ns: int


def claim_service(store: Store, owner: Owner, file: str) -> None:
    """Become the one service of a store. Raises StoreError while another living one holds it."""
    with store.writing() as connection:
        nobody = {"one": 1, "host": "", "pid": 0, "token": "", "heartbeat_ns": 0, "file": ""}
        connection.execute(insert_new(connection, service), nobody)
        row = connection.execute(sa.select(service).with_for_update()).one()
        age_s = (time.time_ns() - row.heartbeat_ns) / 1e9
        if row.token not in ("", owner.token) and age_s < HOLD_S and not has_died(row, owner):
            raise StoreError(
                f"two services on one store: {store.address} is held by process {row.pid} on {row.host} with "
                f"{row.file}: stop that one, or give this one another store"
            )
        held = {"host": owner.host, "pid": owner.pid, "token": owner.token, "heartbeat_ns": time.time_ns()}
        connection.execute(service.update(), held | {"file": file})


def beat(store: Store, owner: Owner) -> None:
    """Say that the service lives. Raises StoreError where another one has taken the store over."""
    with store.writing() as connection:
        row = connection.execute(sa.select(service).with_for_update()).one_or_none()
        if row is None or row.token != owner.token:
            raise TakenOverError(f"another service has taken {store.address} over, so this one must stop")
        connection.execute(service.update(), {"heartbeat_ns": time.time_ns()})


class TakenOverError(StoreError):
    """Another service holds the store now."""


def release_service(store: Store, owner: Owner) -> None:
    """Let go of the store, where it is still ours."""
    with store.writing() as connection:
        connection.execute(service.update().where(service.c.token == owner.token), {"token": ""})


def note_state(store: Store, one: Supervised) -> None:
    """Append what a service did with a monitor."""
    with store.writing() as connection:
        connection.execute(service_event.insert(), one._asdict())


def supervised(store: Store) -> dict[str, Supervised]:
    """Return the latest state of every monitor that was ever supervised, by name."""
    last = sa.select(sa.func.max(service_event.c.id)).group_by(service_event.c.monitor)
    query = sa.select(*(service_event.c[name] for name in Supervised._fields)).where(service_event.c.id.in_(last))
    with store.reading() as connection:
        return {row.monitor: Supervised(*row) for row in connection.execute(query)}


def service_of(store: Store) -> tuple[str, bool]:
    """Return which service holds the store, in words, and whether it is alive; "" where there was never one."""
    with store.reading() as connection:
        row = connection.execute(sa.select(service)).one_or_none()
    if row is None or not row.pid:
        return "", False
    age_s = (time.time_ns() - row.heartbeat_ns) / 1e9
    alive = bool(row.token) and age_s < HOLD_S
    state = "running" if alive else "stopped" if not row.token else f"silent for {age_s:.0f} s"
    return f"service {row.file}: {state} ({row.host}, {row.pid})", alive
