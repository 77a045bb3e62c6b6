"""Judged: what people said of alarms, as labelled intervals to learn from."""

from __future__ import annotations

import contextlib
from pathlib import Path

import sqlalchemy as sa

from lynkeus.core.errors import StoreError
from lynkeus.monitor.store import Store

LABELS = {"real": 1, "not real": 0}


def judged_intervals(url: str, monitor: str | None = None) -> tuple[tuple[int, int, int], ...]:
    """(start_ns, end_ns, label) of every closed alarm whose latest verdict is real (1) or not real (0), by time.

    `monitor`: by name, where the store holds several. Raises StoreError where there is no such store, monitor or
    verdict.
    """
    _require_file(url)
    with contextlib.closing(Store(url)) as store:
        name = _name(store, monitor)
        latest = {said.alarm_id: said for said in store.verdicts(name)}  # oldest first, so the last one holds
    known = [said for said in latest.values() if said.verdict in LABELS and said.end_ns is not None]
    if not known:
        raise StoreError(f"nobody called an alarm of {name!r} real or not real in {url}; give verdicts on its page")
    return tuple(sorted((said.start_ns, said.end_ns or 0, LABELS[said.verdict]) for said in known))


def _require_file(url: str) -> None:
    """A store that is only read is not made."""
    with contextlib.suppress(sa.exc.ArgumentError):
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
            raise StoreError(f"{url}: no such store; give the one that lynkeus watch wrote")


def _name(store: Store, asked: str | None) -> str:
    names = [pulse.monitor.name for pulse in store.monitors()]
    if asked is None and len(names) == 1:
        return names[0]
    if asked not in names:
        wanted = "say whose verdicts with --monitor" if asked is None else f"no monitor {asked!r}"
        raise StoreError(f"{store.address}: {wanted}; it holds {', '.join(names) or 'none'}")
    return str(asked)
