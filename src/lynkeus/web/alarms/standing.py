"""The page of what stands: what has become the reference, what is masked; forms that acknowledge it, and that mask."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from lynkeus.core.errors import LynkeusError
from lynkeus.monitor.standing import (
    Maintenance,
    acknowledge,
    add_maintenance,
    list_standing,
    maintenance_of,
    matching,
)
from lynkeus.web.api import Note, Who
from lynkeus.web.guard import may_post, require_token
from lynkeus.web.site import Site, SiteDep, templates

router = APIRouter(include_in_schema=False)
NS_PER_HOUR = 3.6e12
Name = Annotated[str, Form(max_length=200)]
Patterns = Annotated[str, Form(max_length=1000)]


@router.get("/standing")
def standing(request: Request, site: SiteDep) -> HTMLResponse:
    """What stands of every monitor, and which channels people have masked."""
    watched = []
    for pulse in site.store.monitors():
        name = pulse.monitor.name
        listed = list_standing(site.store, name, pulse.monitor.acknowledge)
        masks = maintenance_of(site.store, name, pulse.last_end_ns or 0)
        watched.append({"pulse": pulse, "standing": listed, "masks": masks})
    context = {"watched": watched, "may_post": may_post(request, site.token)}
    return templates.TemplateResponse(request, "standing.html", context)


@router.post("/standing/{number}/acknowledged")
def seen(
    request: Request, site: SiteDep, number: int, who: Annotated[Who, Form()], note: Annotated[Note, Form()] = ""
) -> Response:
    """Note that somebody has seen what stands."""
    require_token(request, site.token, "this")
    acknowledge(site.store, number, who, note)
    return RedirectResponse("/standing", 303)


@router.post("/maintenance")
def mask(
    request: Request, site: SiteDep, monitor: Name, channels: Patterns, who: Annotated[Who, Form()],
    reason: Annotated[Note, Form()], hours: Annotated[float, Form(ge=0.0, le=1e5)] = 0.0,
) -> Response:  # fmt: skip
    """Mask channels for some hours from the last window on; 0: until further notice."""
    _append(request, site, monitor, channels, who, reason, hours * NS_PER_HOUR)
    return RedirectResponse("/standing", 303)


@router.post("/maintenance/over")
def unmask(request: Request, site: SiteDep, monitor: Name, channel: Patterns, who: Annotated[Who, Form()]) -> Response:
    """Take a channel back."""
    _append(request, site, monitor, channel, who, "taken back", 1)
    return RedirectResponse("/standing", 303)


def _append(
    request: Request, site: Site, monitor: str, channels: str, who: str, reason: str, ahead_ns: float
) -> None:  # fmt: skip
    require_token(request, site.token, "this")
    pulse = site.store.monitor(monitor)
    if pulse is None:
        raise HTTPException(404, f"no monitor {monitor!r}")
    try:
        names = matching(channels.replace(",", " ").split(), pulse.monitor.channels)
        until_ns = (pulse.last_end_ns or 0) + round(ahead_ns) if ahead_ns else 0
        add_maintenance(site.store, [Maintenance(monitor, name, until_ns, reason, who) for name in names])
    except LynkeusError as error:
        raise HTTPException(422, str(error)) from error
