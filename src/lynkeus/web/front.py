"""The first page: all that a store holds, what is open first; kept live by server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, StreamingResponse
from markupsafe import Markup

from lynkeus.core.errors import StoreError
from lynkeus.monitor.conditions import conditions, in_words
from lynkeus.monitor.records import Pulse
from lynkeus.monitor.service.records import supervised
from lynkeus.monitor.standing import list_standing
from lynkeus.web.api import LARGEST
from lynkeus.web.live import Live, Query, Reading
from lynkeus.web.site import Site, SiteDep, reference_hours, templates

router = APIRouter(include_in_schema=False)
SILENT_S = 15.0
STOPPED_S = 3.0  # in which another process may take its place, as with a new model
RECENT, MOST_OPEN = 50, 200  # alarms of one page
SCANS = 5  # the most conspicuous ones
TICK_S = 0.5
LONGEST = 500  # letters of a name in the address


@router.get("/")
async def front(request: Request, site: SiteDep) -> Response:
    """Is each watch alive, what is open, how rare is it; recent alarms, runs and images."""
    found = await _fresh(request)
    context = {"live": Markup(found.html), "open_count": found.open}
    return await run_in_threadpool(templates.TemplateResponse, request, "front.html", context)


@router.get("/fragment")
async def fragment(request: Request) -> HTMLResponse:
    """The live part of the first page, for browsers that get no events."""
    return HTMLResponse((await _fresh(request)).html)


@router.get("/events")
async def events(request: Request) -> StreamingResponse:
    """The live part of the first page whenever it changes, looked at once a second, as server-sent events."""
    return StreamingResponse(_live(request), media_type="text/event-stream")


def live_of(site: Site) -> Live:
    """What reads the store for the first page."""

    def read(query: Query) -> tuple[str, int]:
        context = _context(site, query)
        return templates.get_template("_front.html").render(context), context["open_count"]

    return Live(read)


def state_of(pulse: Pulse, now_ns: int) -> str:
    """ "alive", "silent", "stopped" or "finished"."""
    if pulse.finished:
        return "finished"
    if pulse.stopped and now_ns - pulse.heartbeat_ns > STOPPED_S * 1e9:
        return "stopped"
    return "silent" if now_ns - pulse.heartbeat_ns > SILENT_S * 1e9 else "alive"


def query_of(given: Mapping[str, str]) -> Query:
    """Which alarms an address asks for; what makes no sense is as if it were not there."""
    monitor, output = ((given.get(key) or "")[:LONGEST] or None for key in ("monitor", "output"))
    status, before = given.get("status"), given.get("before", "")
    number = int(before) if before.isdecimal() and len(before) < 20 else None
    status = status if status in ("open", "closed") else None
    return Query(monitor, output, status, number if number is not None and number <= LARGEST else None)


async def _fresh(request: Request) -> Reading:
    live: Live = request.app.state.live
    found = await live.fresh(query_of(request.query_params))
    if found.trouble:
        raise StoreError(found.trouble)
    return found


async def _live(request: Request) -> AsyncIterator[str]:
    live: Live = request.app.state.live
    query, sent = query_of(request.query_params), None
    yield "retry: 2000\n\n"
    while not (request.app.state.stopping() or await request.is_disconnected()):
        found = await live.shared(query)
        said = found[1:]
        if said == sent:
            yield "data: {}\n\n"  # the page knows that its server lives
        elif found.trouble:
            yield f"data: {json.dumps({'trouble': found.trouble})}\n\n"
        else:
            yield f"data: {json.dumps({'html': found.html})}\n\n"
        sent = said
        until_s = time.monotonic() + 2 * TICK_S
        while time.monotonic() < until_s and not request.app.state.stopping():
            await asyncio.sleep(TICK_S)


def _context(site: Site, query: Query) -> dict[str, Any]:
    alarms = site.store.alarms(query.monitor, query.output, query.status, RECENT + 1, query.before)  # type: ignore[arg-type]
    pulses, now_ns = site.store.monitors(), time.time_ns()
    open_now = site.store.alarms(status="open", limit=MOST_OPEN)
    titles = {
        (pulse.monitor.name, output): site.title_of(pulse.monitor, output)
        for pulse in pulses
        for output in pulse.monitor.outputs
    }
    sources = {name: found | {"words": in_words(found)} for name, found in conditions(site.store).items()}
    services = supervised(site.store)
    watched = [
        {
            "pulse": pulse,
            "state": state_of(pulse, now_ns),
            "open": [stored for stored in open_now if stored.monitor == pulse.monitor.name],
            "standing": list_standing(site.store, pulse.monitor.name, pulse.monitor.acknowledge),
            "source": sources.get(pulse.monitor.name) if not pulse.finished else None,
            "service": services.get(pulse.monitor.name),
        }
        for pulse in pulses
    ]
    return {
        "watched": watched,
        "alarms": alarms[:RECENT],
        "older": alarms[RECENT - 1].id if len(alarms) > RECENT else None,
        "outputs": sorted({(output, title) for (_, output), title in titles.items()}, key=lambda pair: pair[::-1]),
        "titles": titles,
        "hours": reference_hours(pulses),
        "wanted": query,
        "open_count": len(open_now),
        "runs": site.runs_in_short(),
        "scans": _scans(site),
        "scored": len(site.scans) if site.scans else 0,
    }


def _scans(site: Site) -> list[Any]:
    """The scans with the most conspicuous images first."""
    if site.scans is None:
        return []
    known = [scan for scan in site.scans.scans if scan.worst_p == scan.worst_p]
    return sorted(known or site.scans.scans, key=lambda scan: (scan.worst_p, -scan.rare))[:SCANS]
