"""The pages for people: what is open now, one alarm, the trend; rendered here, kept live by server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, StreamingResponse

from lynkeus.core.errors import StoreError
from lynkeus.monitor.records import Pulse
from lynkeus.web.alarms.evidence import drawable, interval, lineage_rows, top_channels
from lynkeus.web.api import Note, Said, Who, find_alarm
from lynkeus.web.guard import COOKIE, PLOT_POLICY, may_post, same, session_of
from lynkeus.web.metrics import CONTENT_TYPE, prometheus_text
from lynkeus.web.site import Site, SiteDep, templates

router = APIRouter(include_in_schema=False)
SILENT_S = 15.0
RECENT = 50
SPANS_H = {"1 h": 1.0, "6 h": 6.0, "1 day": 24.0, "7 days": 168.0, "all": None}
_PLOTS = {"Content-Security-Policy": PLOT_POLICY}
AROUND_S = 600.0  # seconds of trend shown on either side of an alarm


@router.get("/")
def front(request: Request, site: SiteDep) -> HTMLResponse:
    """Is each monitor alive, what is open, how rare is it; then the recent alarms."""
    return templates.TemplateResponse(request, "front.html", _front(site, dict(request.query_params)))


@router.get("/fragment")
def fragment(request: Request, site: SiteDep) -> HTMLResponse:
    """The live part of the first page, for browsers that get no events."""
    return HTMLResponse(_fragment(site, dict(request.query_params)))


@router.get("/events")
async def events(request: Request, site: SiteDep) -> StreamingResponse:
    """The live part of the first page once a second, as server-sent events."""
    return StreamingResponse(_live(request, site), media_type="text/event-stream")


@router.get("/alarms/{alarm_id}")
def alarm(request: Request, site: SiteDep, alarm_id: int) -> HTMLResponse:
    """One alarm: what, where, how rare, why, and what people said of it."""
    return _alarm_page(request, site, alarm_id)


@router.post("/alarms/{alarm_id}/verdicts")
def give_verdict(
    request: Request,
    site: SiteDep,
    alarm_id: int,
    verdict: Annotated[Said, Form()],
    who: Annotated[Who, Form()],
    note: Annotated[Note, Form()] = "",
) -> Response:
    """Append a verdict and show the alarm again."""
    if not may_post(request, site.token):
        raise HTTPException(401, "a verdict needs the server's token: sign in first")
    find_alarm(site, alarm_id)
    site.store.add_verdict(alarm_id, verdict, who, note)
    return RedirectResponse(f"/alarms/{alarm_id}#verdicts", 303)


@router.get("/trend")
def trend(request: Request, site: SiteDep, monitor: str = "", span: str = "6 h") -> HTMLResponse:
    """Scores over time with alarms as bands, and the turn-on curves of the commissioning."""
    pulses = site.store.monitors()
    chosen = next((pulse for pulse in pulses if pulse.monitor.name == monitor), pulses[0] if pulses else None)
    span = span if span in SPANS_H else "6 h"
    context = {"pulses": pulses, "chosen": chosen, "span": span, "spans": SPANS_H}
    return templates.TemplateResponse(request, "trend.html", context, headers=_PLOTS)


@router.get("/login")
def login(request: Request, site: SiteDep, back: str = "/") -> HTMLResponse:
    """Show the form that asks for the token."""
    context = {"back": _local(back), "wrong": False, "needed": site.token is not None}
    return templates.TemplateResponse(request, "login.html", context)


@router.post("/login")
def sign_in(
    request: Request, site: SiteDep, token: Annotated[str, Form(max_length=500)], back: Annotated[str, Form()] = "/"
) -> Response:
    """Set the session cookie where the token is right."""
    if site.token is None or not same(token.strip(), site.token):
        context = {"back": _local(back), "wrong": True, "needed": site.token is not None}
        return templates.TemplateResponse(request, "login.html", context, 401)
    answer = RedirectResponse(_local(back), 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, session_of(site.token), httponly=True, samesite="strict", secure=secure)
    return answer


@router.get("/metrics")
def metrics(site: SiteDep) -> PlainTextResponse:
    """Return counts and times for Prometheus."""
    return PlainTextResponse(prometheus_text(site.store, time.time_ns()), media_type=CONTENT_TYPE)


@router.get("/healthz")
def healthz(site: SiteDep) -> dict[str, str]:
    """Return whether the server answers and can read its store; says nothing about the monitors."""
    site.store.monitors()
    return {"status": "ok"}


def state_of(pulse: Pulse, now_ns: int) -> str:
    """Return the state of a monitor: "alive", "silent" or "finished"."""
    if pulse.finished:
        return "finished"
    return "silent" if now_ns - pulse.heartbeat_ns > SILENT_S * 1e9 else "alive"


def _front(site: Site, query: dict[str, str]) -> dict[str, Any]:
    wanted = {key: query.get(key) or None for key in ("monitor", "output", "status")}
    status = wanted["status"] if wanted["status"] in ("open", "closed") else None
    before = int(query["before"]) if query.get("before", "").isdecimal() else None
    alarms = site.store.alarms(wanted["monitor"], wanted["output"], status, RECENT + 1, before)  # type: ignore[arg-type]
    pulses, now_ns = site.store.monitors(), time.time_ns()
    open_now = site.store.alarms(status="open", limit=200)
    return {
        "watched": [
            {
                "pulse": pulse,
                "state": state_of(pulse, now_ns),
                "open": [stored for stored in open_now if stored.monitor == pulse.monitor.name],
            }
            for pulse in pulses
        ],
        "alarms": alarms[:RECENT],
        "older": alarms[RECENT - 1].id if len(alarms) > RECENT else None,
        "outputs": sorted({output for pulse in pulses for output in pulse.monitor.outputs}),
        "wanted": wanted,
        "open_count": len(open_now),
        "now_ns": now_ns,
        "scored": len(site.scans) if site.scans else 0,
    }


def _fragment(site: Site, query: dict[str, str]) -> str:
    return templates.get_template("_front.html").render(_front(site, query))


async def _live(request: Request, site: Site) -> AsyncIterator[str]:
    query = dict(request.query_params)
    yield "retry: 2000\n\n"
    while not (request.app.state.stopping() or await request.is_disconnected()):
        try:
            html = await run_in_threadpool(_fragment, site, query)
            yield f"data: {json.dumps({'html': html})}\n\n"
        except StoreError as error:
            yield f"data: {json.dumps({'trouble': str(error)})}\n\n"
        await asyncio.sleep(1.0)


def _alarm_page(request: Request, site: Site, alarm_id: int) -> HTMLResponse:
    file = find_alarm(site, alarm_id)
    found, around_ns = file.stored.alarm, int(AROUND_S * 1e9)
    context = {
        "file": file,
        "alarm": found,
        "plot": drawable(file),
        "top": top_channels(file),
        "interval": interval(file.evidence),
        "lineage": lineage_rows(file.monitor.lineage),
        "may_post": may_post(request, site.token),
        "from_ns": found.start_ns - around_ns,
        "to_ns": max(found.end_ns or 0, found.peak_ns) + around_ns,
    }
    return templates.TemplateResponse(request, "alarm.html", context, headers=_PLOTS)


def _local(back: str) -> str:
    """A path of this server, never another site."""
    return back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/"
