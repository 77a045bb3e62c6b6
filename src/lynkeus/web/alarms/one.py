"""The page of one alarm: what, where, how rare, why, what to do; and what people say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from lynkeus.monitor.one_cause import OF_THE_WATCH
from lynkeus.monitor.parts import parts_of
from lynkeus.monitor.records import AlarmFile
from lynkeus.monitor.traces import trace_of
from lynkeus.web.alarms import words
from lynkeus.web.alarms.evidence import channel_rows, drawable, frame_of, strips
from lynkeus.web.api import AlarmId, Note, Said, Who, find_alarm
from lynkeus.web.guard import PLOT_POLICY, may_post, require_token
from lynkeus.web.site import Site, SiteDep, templates

router = APIRouter(prefix="/alarms", include_in_schema=False)
AROUND_S = 600.0  # seconds of trend shown on either side of an alarm
TOGETHER_S = 60.0  # alarms that begin within so many seconds of each other
ALIKE = 12  # earlier alarms that are shown
SHOWN = 12  # channels that are shown before one asks for the others


@router.get("/{alarm_id}")
def alarm(request: Request, site: SiteDep, alarm_id: AlarmId) -> HTMLResponse:
    """One alarm: what, where, how rare, what to do, why, and what people said of it."""
    file = find_alarm(site, alarm_id)
    context = _context(site, file) | {"may_post": may_post(request, site.token)}
    # of a scorer that cannot leave channels out a mask would say what is not so
    can_mask = file.monitor.masks and file.stored.alarm.where in file.monitor.channels
    context["can_mask"] = can_mask and context["may_post"] and not context["masks"]
    headers = {"Content-Security-Policy": PLOT_POLICY}
    return templates.TemplateResponse(request, "alarm.html", context, headers=headers)


@router.post("/{alarm_id}/verdicts")
def give_verdict(
    request: Request, site: SiteDep, alarm_id: AlarmId, verdict: Annotated[Said, Form()],
    who: Annotated[Who, Form()], note: Annotated[Note, Form()] = "",
) -> Response:  # fmt: skip
    """Append a verdict and show the alarm again."""
    require_token(request, site.token, "a verdict")
    find_alarm(site, alarm_id)
    site.store.add_verdict(alarm_id, verdict, who, note)
    return RedirectResponse(f"/alarms/{alarm_id}#verdicts", 303)


@router.post("/{alarm_id}/acknowledge")
def acknowledge(
    request: Request, site: SiteDep, alarm_id: AlarmId, who: Annotated[Who, Form()], note: Annotated[Note, Form()] = ""
) -> Response:
    """Append that somebody sees to it and show the alarm again."""
    require_token(request, site.token, "a verdict")
    find_alarm(site, alarm_id)
    site.store.acknowledge(alarm_id, who, note)
    return RedirectResponse(f"/alarms/{alarm_id}#verdicts", 303)


def _check(files: Sequence[AlarmFile], rows: Sequence[Mapping[str, Any]], frame: bool) -> str:
    """What to look at first, of an alarm and its parts."""
    where = files[0].stored.alarm.where
    for file in files:
        if words.never(file):
            return words.check_silent(file.stored.alarm.where)
    return words.check_frame(where) if frame else words.check(rows, where)


def _part(site: Site, file: AlarmFile) -> dict[str, Any]:
    """What is said of a part of an alarm on its page."""
    stored = file.stored
    title = site.title_of(file.monitor, stored.alarm.output)
    return {
        "stored": stored,
        "title": title,
        "text": file.said,
        "never": words.never(file),
        "hours": words.hours_of(file),
    }


def _context(site: Site, file: AlarmFile) -> dict[str, Any]:
    stored = file.stored
    found, around_ns = stored.alarm, int(AROUND_S * 1e9)
    plot = drawable(file)
    rows = channel_rows(file, plot)
    frame = frame_of(file)
    parts = parts_of(site.store, stored.id)
    traces = (trace_of(site.store, one.stored.id) for one in (file, *parts))
    trace = strips(plot, next((one for one in traces if one is not None), None))
    alike, together = site.store.like(stored, TOGETHER_S, ALIKE)
    place = found.where or "no single channel"
    book = site.logbook.now() if site.logbook else None
    beside = site.written(file)
    return {
        "site": site,
        "file": file,
        "alarm": found,
        "title": site.title_of(file.monitor, found.output),
        "plot": plot,
        "is_scored": found.output not in OF_THE_WATCH,
        "strips": trace,
        "rows": rows,
        "shown": SHOWN,
        "has_usual": any(row["deviation"] is not None for row in rows),
        "interval": words.interval(file),
        "beyond": words.beyond(file),
        "hours": words.hours_of(file),
        "said_text": file.said,
        "never": words.never(file),
        "frame": frame,
        "check": _check([file, *parts], rows, bool(frame)),
        "parts": [_part(site, one) for one in parts],
        "call": site.words.call or file.monitor.call,
        "alike": alike,
        "past": words.past(stored, alike, place),
        "together": together,
        "has_logbook": beside is not None,
        "written": beside.near if beside else [],
        "like_it": beside.like if beside else [],
        "then": book.of_alarms([one.alarm for one in alike]) if book else {},
        "names": site.titles(),
        "lineage": words.lineage_words(file.monitor.lineage),
        "lineage_rows": words.lineage_rows(file.monitor.lineage),
        "masks": site.masks_of(stored.monitor, found.where),
        "from_ns": found.start_ns - around_ns,
        "to_ns": max(found.end_ns or 0, found.peak_ns) + around_ns,
    }
