"""The wall: all monitors of a store on one screen, what is open first, the last ten minutes of each as moving strips.

Server-sent events bring only points that a page does not have; after a break a browser says what it had last
(Last-Event-ID), and gets what came meanwhile. The store is read once a second, however many watch.
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from markupsafe import Markup

from lynkeus.core.errors import StoreError
from lynkeus.monitor.conditions import conditions, in_words
from lynkeus.monitor.service.records import supervised
from lynkeus.monitor.standing import maintenance_of
from lynkeus.web.front import MOST_OPEN, SILENT_S, state_of
from lynkeus.web.guard import may_post
from lynkeus.web.site import Site, SiteDep, reference_hours, templates

router = APIRouter(include_in_schema=False)
MINUTES = 10
AT_MOST = 1200  # points of a strip: of more the highest of each bin
AGE_S = 1.0
TICK_S = 0.5
SPAN_NS = MINUTES * 60 * 1_000_000_000
LEAST = 1e-9  # alarms per hour: rarer ones are drawn there
Strip = list[tuple[int, float | None]]  # start of a window (ms), nats of its rarity: -ln(alarms per hour)


@dataclass
class Wall:
    """What all who look at the wall are shown: HTML of the tiles, and the strips by monitor and output."""

    site: Site
    html: str = ""
    open_count: int = 0
    trouble: str = ""
    strips: dict[tuple[str, str], Strip] = field(default_factory=dict)
    _read_s: float = -math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> None:
        """Read the store, unless that was done within the last second."""
        with self._lock:
            if time.monotonic() - self._read_s < AGE_S:
                return
            try:
                self._read()
                self.trouble = ""
            except StoreError as error:
                self.trouble = str(error)
            self._read_s = time.monotonic()

    def _read(self) -> None:
        store, now_ns = self.site.store, time.time_ns()
        pulses, open_now = store.monitors(), store.alarms(status="open", limit=MOST_OPEN)
        sources, services = conditions(store), supervised(store)
        tiles: list[dict[str, Any]] = []
        strips: dict[tuple[str, str], Strip] = {}
        for number, pulse in enumerate(pulses):
            name, last_ns = pulse.monitor.name, pulse.last_end_ns or 0
            state, service = state_of(pulse, now_ns), services.get(name)
            if service and service.at_ns < pulse.heartbeat_ns:  # it has watched since
                service = None
            mine = [stored for stored in open_now if stored.monitor == name]
            outputs = [(output, self.site.title_of(pulse.monitor, output)) for output in pulse.monitor.outputs]
            for output, _ in outputs:
                strips[name, output] = self._strip(name, output, last_ns)
            condition = sources.get(name) if not pulse.finished else None
            tiles.append({
                "pulse": pulse, "number": number, "state": state, "open": mine, "outputs": outputs,
                "source": condition, "source_words": in_words(condition) if condition else "",
                "service": service if service and service.state not in ("running", "finished") else None,
                "budget": -math.log(pulse.monitor.budget_per_hour),
                "masks": maintenance_of(store, name, last_ns) if pulse.monitor.masks else [],
            })  # fmt: skip
        order = {"silent": 0, "stopped": 0, "alive": 1, "finished": 2}
        tiles.sort(key=lambda tile: (not tile["open"], order[tile["state"]], tile["pulse"].monitor.name))
        titles = {stored.monitor: "" for stored in open_now} | {
            pulse.monitor.name: pulse.monitor.title or pulse.monitor.name for pulse in pulses
        }
        known = {pulse.monitor.name for pulse in pulses}
        waiting = [one for name, one in services.items() if name not in known and one.state != "stopped"]
        context = {"tiles": tiles, "waiting": waiting, "open": open_now, "titles": titles, "silent_s": SILENT_S}
        context["hours"] = reference_hours(pulses)
        self.html = templates.get_template("_wall.html").render(context)
        self.open_count, self.strips = len(open_now), strips

    def _strip(self, name: str, output: str, last_ns: int) -> Strip:
        """The last ten minutes of an output, by what is known already and what is new."""
        known = [one for one in self.strips.get((name, output), []) if one[0] * 1_000_000 >= last_ns - SPAN_NS]
        begin_ns = known[-1][0] * 1_000_000 + 1_000_000 if known else last_ns - SPAN_NS
        rows = self.site.store.points(name, output, begin_ns, None, AT_MOST)
        return [*known, *((row.start_ns // 1_000_000, _rarity(row.alarms_per_hour)) for row in rows)]

    def since(self, had: Mapping[str, int]) -> tuple[dict[str, Strip], dict[str, int]]:
        """Return the points after those that a page had (the last ms of each series), and what it has then."""
        new: dict[str, Strip] = {}
        now = dict(had)
        for (name, output), strip in self.strips.items():
            key = f"{name}\n{output}"
            part = [one for one in strip if one[0] > had.get(key, -1)]
            if part:
                new[key], now[key] = part, part[-1][0]
        return new, now


def _rarity(per_hour: float) -> float | None:
    return None if math.isnan(per_hour) else round(-math.log(max(per_hour, LEAST)), 3)


def _wall_of(request: Request) -> Wall:
    state = request.app.state
    if not hasattr(state, "wall"):
        state.wall = Wall(state.site)
    wall: Wall = state.wall
    return wall


@router.get("/wall")
async def wall_page(request: Request, site: SiteDep) -> Response:
    """All monitors for a wall screen."""
    wall = _wall_of(request)
    await run_in_threadpool(wall.read)
    if wall.trouble:
        raise StoreError(wall.trouble)
    context = {"live": Markup(wall.html), "open_count": wall.open_count, "minutes": MINUTES}
    context["may_post"] = may_post(request, site.token)
    return await run_in_threadpool(templates.TemplateResponse, request, "wall.html", context)


@router.get("/wall/events")
async def wall_events(request: Request) -> StreamingResponse:
    """Tiles where they changed and points as they come, as server-sent events that can be resumed."""
    return StreamingResponse(_live(request), media_type="text/event-stream")


async def _live(request: Request) -> AsyncIterator[str]:
    wall, sent = _wall_of(request), ""
    had = _had(request.headers.get("last-event-id", ""))
    yield "retry: 2000\n\n"
    while not (request.app.state.stopping() or await request.is_disconnected()):
        await run_in_threadpool(wall.read)
        said: dict[str, Any] = {}
        if wall.trouble:
            said["trouble"] = wall.trouble
        else:
            new, had = wall.since(had)
            if new:
                said["points"] = new
            if wall.html != sent:
                said |= {"html": wall.html, "open": wall.open_count}
                sent = wall.html
        mark = f"id: {json.dumps(had, separators=(',', ':'))}\n" if said.get("points") else ""
        yield f"{mark}data: {json.dumps(said)}\n\n"
        until_s = time.monotonic() + 2 * TICK_S
        while time.monotonic() < until_s and not request.app.state.stopping():
            await asyncio.sleep(TICK_S)


def _had(text: str) -> dict[str, int]:
    """What a browser says that it had; what makes no sense is nothing."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(given, dict):
        return {}
    return {str(key): value for key, value in given.items() if isinstance(value, int) and not isinstance(value, bool)}
