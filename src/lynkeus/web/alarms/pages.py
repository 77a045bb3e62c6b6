"""The trend of scores, signing in, and what other programs ask: metrics and health."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse

from lynkeus.core.errors import StoreError
from lynkeus.web.guard import COOKIE, PLOT_POLICY, check_token, session_of
from lynkeus.web.metrics import CONTENT_TYPE, prometheus_text
from lynkeus.web.site import SiteDep, templates

router = APIRouter(include_in_schema=False)
SPANS_H = {"1 h": 1.0, "6 h": 6.0, "1 day": 24.0, "7 days": 168.0, "all": None}
_PLOTS = {"Content-Security-Policy": PLOT_POLICY}


@router.get("/trend")
def trend(request: Request, site: SiteDep, monitor: str = "", span: str = "6 h") -> HTMLResponse:
    """Scores over time with alarms as bands, and the turn-on curves of the commissioning."""
    pulses = site.store.monitors()
    chosen = next((pulse for pulse in pulses if pulse.monitor.name == monitor), pulses[0] if pulses else None)
    span = span if span in SPANS_H else "6 h"
    context = {"pulses": pulses, "chosen": chosen, "span": span, "spans": SPANS_H, "titles": site.titles()}
    return templates.TemplateResponse(request, "trend.html", context, headers=_PLOTS)


@router.get("/login")
def login(request: Request, site: SiteDep, back: str = "/") -> HTMLResponse:
    """Ask for the token."""
    context = {"back": _local(back), "wrong": "", "needed": site.token is not None}
    return templates.TemplateResponse(request, "login.html", context)


@router.post("/login")
def sign_in(
    request: Request, site: SiteDep, token: Annotated[str, Form(max_length=500)], back: Annotated[str, Form()] = "/"
) -> Response:
    """Set the session cookie where the token is right."""
    wrong = HTTPException(401)
    try:
        if site.token is None:
            raise wrong
        check_token(request, token.strip(), site.token)
    except HTTPException as error:
        said = str(error.detail) if error.status_code == 429 else "That is not the token."
        context = {"back": _local(back), "wrong": said, "needed": site.token is not None}
        return templates.TemplateResponse(request, "login.html", context, error.status_code, headers=error.headers)
    answer = RedirectResponse(_local(back), 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, session_of(site.token), httponly=True, samesite="strict", secure=secure)
    return answer


@router.get("/metrics")
def metrics(site: SiteDep) -> PlainTextResponse:
    """Return counts and times for Prometheus."""
    return PlainTextResponse(prometheus_text(site.store, time.time_ns()), media_type=CONTENT_TYPE)


@router.get("/healthz")
def healthz(site: SiteDep) -> Response:
    """Whether the server answers and can read its store where it was opened; says nothing about the watches."""
    try:
        site.store.check()
    except StoreError as error:
        return JSONResponse({"status": str(error)}, 503)
    return JSONResponse({"status": "ok"})


def _local(back: str) -> str:
    """A path of this server, never another site."""
    return back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/"
