"""Conditions of live sources, as they are now: connected or lost, which channels, what was lost on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from lynkeus.core import Source, StoreError
from lynkeus.monitor.database import insert_new
from lynkeus.monitor.rows import plain
from lynkeus.monitor.service.tables import source_condition
from lynkeus.monitor.tables import progress
from lynkeus.sources.wrappers.wrapper import innermost

if TYPE_CHECKING:
    from lynkeus.monitor.store import Store

EVERY_S = 1.0


class Noting:
    """Writes the condition of a live source into a store, at most once a second; nothing for other sources."""

    def __init__(self, store: Store, name: str, source: Source, token: str = "") -> None:
        self.store, self.name, self.token = store, name, token
        self.ask = getattr(innermost(source), "condition", None)
        self._next_s = 0.0

    def __call__(self) -> None:
        """Write it where it is time to."""
        if self.ask is None or time.monotonic() < self._next_s or getattr(self.store, "hidden", False):
            return
        self._next_s = time.monotonic() + EVERY_S
        with suppress(StoreError):  # a commit says so; what a source is like is not worth a watch
            note_condition(self.store, self.name, self.ask(), self.token)


def note_condition(store: Store, name: str, condition: Mapping[str, Any], token: str = "") -> None:
    """Keep how a source is now, in place of how it was; the holder of the monitor, by its `token`, is alive then, also
    where nothing comes that it could commit."""
    row = {"at_ns": time.time_ns(), "condition": json.dumps(plain(condition), allow_nan=False)}
    with store.writing() as connection:
        connection.execute(insert_new(connection, source_condition), {"monitor": name} | row)
        connection.execute(source_condition.update().where(source_condition.c.monitor == name), row)
        if token:
            held = (progress.c.monitor == name) & (progress.c.token == token)
            connection.execute(progress.update().where(held), {"heartbeat_ns": row["at_ns"]})


def conditions(store: Store) -> dict[str, dict[str, Any]]:
    """Return how the source of each monitor was when it was last asked; `at_ns` says when."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(source_condition)).all()
        return {row.monitor: json.loads(row.condition) | {"at_ns": row.at_ns} for row in rows}


def in_words(condition: Mapping[str, Any]) -> str:
    """Return one line: "connected, 204 of 206 channels; masked: A, B; 12 dropped"."""
    parts = [f"{condition['state']}, {condition['there']} of {condition['channels']} channels"]
    if condition["masked"]:
        parts.append(f"masked: {', '.join(condition['masked'])}")
    counts = [f"{many} {what}" for what, many in condition["counts"].items() if many]
    return "; ".join([*parts, *([", ".join(counts)] if counts else [])])
